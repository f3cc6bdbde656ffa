"""Callbacks: each fetches, calls one function and returns. One module per view."""
