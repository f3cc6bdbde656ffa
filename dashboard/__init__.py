"""The screen (Dash): pure functions from wire models to component trees, and the app that calls them."""
