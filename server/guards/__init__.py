"""What stands between the socket and the application: plain ASGI middlewares, one a module."""
