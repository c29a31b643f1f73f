"""The baseline for first tokens: four libraries imported at start, and one streamed upstream call."""

from __future__ import annotations

import sys

# As on Lambda, where its libraries are not installed: httpx leaves out its command line.
sys.modules["httpx._main"] = None  # type: ignore[assignment]

import boto3  # noqa: E402
import mangum  # noqa: E402

from local.bench.plain_httpx_app import app as application  # noqa: E402

# Imported, as such stacks do, and that is all that is compared.
LIBRARIES = (boto3, mangum)

app = application
