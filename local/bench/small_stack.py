"""The baseline for first tokens: four libraries imported at start, and one streamed upstream call."""

from __future__ import annotations

import boto3
import mangum

from local.bench.plain_httpx_app import app as application

# Imported, as such stacks do, and that is all that is compared.
LIBRARIES = (boto3, mangum)

app = application
