"""The gateway on one machine: stand-ins for AWS and for Poe, and the functions between them."""

from typing import Any

__all__ = ["start_server"]


def __getattr__(name: str) -> Any:
    # The stand-ins run as processes of their own and import this package too: none should pay for the others' imports.
    if name == "start_server":
        from local.server import start_server

        return start_server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
