"""Figures: plain functions from wire models to plotly figures, and to patches of them."""
