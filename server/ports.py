"""The port that the service listens on."""

from __future__ import annotations

import socket

from bi2scope.data.errors import ConfigurationError


def require_free_port(host: str, port: int) -> None:
    """Check that a port can be listened on, before anything is loaded for it.

    Raises
    ------
    ConfigurationError
        If another program listens there, or the port is not ours to take.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigurationError(
            f"The host {host} is not known: {error.strerror or error}.",
            "Give an address of this machine, or 0.0.0.0 for all of them.",
        ) from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} on {host} cannot be used: {error.strerror or error}.",
                f"Choose another one, for instance --port {port + 1 if port < 65535 else 8051}.",
            ) from error
