"""Ports for servers that are started with a number, not with an open socket."""

from __future__ import annotations

import random
import socket

# Below what Linux (32,768) and macOS (49,152) give to sockets that ask for any port.
_PORTS = range(20_000, 32_768)


def free_port() -> int:
    """A loopback port on which nobody listens, and which no socket gets that asks for any.

    Another server could otherwise have it before the one that it is meant for, and be taken for it.
    """
    while True:
        port = random.choice(_PORTS)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
