"""Cells, genes, peaks and their attention, in memory and on disk; needs neither torch nor the web."""
