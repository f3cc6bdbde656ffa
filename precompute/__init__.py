"""From a trained model and its cells to an attention store."""
