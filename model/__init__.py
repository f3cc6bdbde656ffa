"""Bi2Former: the published model, its training and its checkpoints (torch)."""
