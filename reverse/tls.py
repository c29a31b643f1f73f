"""The one TLS context of the process, for every connection to Poe and to addresses that users name."""

from __future__ import annotations

import os
import ssl
from functools import cache

import certifi


@cache
def tls_context() -> ssl.SSLContext:
    """A context that verifies certificate and name: against `SSL_CERT_FILE` where that is set, else certifi's list.

    Shared, because building one costs more than a round trip. Raises `OSError` for a file that can't be read.
    """
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where())
