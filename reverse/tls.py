"""The one TLS context of the process, for every connection to Poe and to addresses that users name."""

from __future__ import annotations

import os
import ssl
from functools import cache
from pathlib import Path

HASHED_CERTIFICATES = Path(__file__).with_name("certificates")
"""certifi's list as OpenSSL looks certificates up; the layer's build writes it (`scripts/hashed_certificates.py`).

Loading the list as one file takes 18 to 55 ms of processor time, in every new sandbox; this takes less than one.
"""


@cache
def tls_context() -> ssl.SSLContext:
    """A context that verifies certificate and name: against what `SSL_CERT_FILE` and `SSL_CERT_DIR` name where one of
    them is set, else against certifi's list.

    Shared, because building one can cost more than a round trip. Raises `OSError` for a file that can't be read.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        if HASHED_CERTIFICATES.is_dir():
            folder = str(HASHED_CERTIFICATES)
        else:
            import certifi  # costs a few milliseconds, which the layer does not pay

            file = certifi.where()
    context = ssl.create_default_context(cafile=file or None, capath=folder or None)
    # What every client of it speaks: HTTP/1.1, and WebSocket, which begins as that.
    context.set_alpn_protocols(["http/1.1"])
    return context
