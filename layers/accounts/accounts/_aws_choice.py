"""The choice between the two ways to send to AWS."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping

from accounts._aws import Exchange
from accounts._aws_lean import LeanExchange, can_serve


def open_exchange(
    environ: Mapping[str, str],
    *,
    prefer: str = "auto",
    tls_context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
) -> Exchange:
    """The way to send that this environment allows: lean where keys and region are in it, else botocore.

    `prefer` is `auto`, `lean` or `boto`. The lean one starts a sandbox without loading botocore; profiles, single
    sign-on, instance roles and proxies are botocore's business. `tls_context` is for the lean one, unless
    `AWS_CA_BUNDLE` names certificates. Raises `ValueError` if `lean` is asked for in vain.
    """
    lean = can_serve(environ)
    if prefer == "lean" and not lean:
        raise ValueError("the lean way to AWS needs AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION")
    if prefer != "boto" and lean:
        return LeanExchange(environ, tls_context=tls_context)
    from accounts._aws_boto import BotoExchange

    return BotoExchange(environ)
