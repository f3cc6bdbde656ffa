"""The HTTP service over an attention store (FastAPI); never loads torch."""
