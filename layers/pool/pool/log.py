"""What the logs and metrics of both functions have in common."""

from __future__ import annotations

import logging

NAMESPACE = "PoeGateway"
# These write requests, headers or frames at debug or info level, whatever our own level is.
_TALKATIVE = ("boto3", "botocore", "httpcore", "httpx", "mangum", "urllib3", "websockets")


def quiet_libraries() -> None:
    """Let libraries write warnings and errors only."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
