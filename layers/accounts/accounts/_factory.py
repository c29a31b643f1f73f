"""Opens the store that a deployment configures."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace

from accounts._aws import CLOCK_STEP_SECONDS, AwsClient
from accounts._aws_choice import open_exchange
from accounts._dynamodb import DynamoDBAccountStore
from accounts._table import Table
from accounts._transitions import DEFAULT_POLICY, Policy
from accounts._vault_kms import KmsVault

# How far apart the clocks of processes may be that correct theirs by AWS's answers.
SHARED_CLOCK_SECONDS = 2 * CLOCK_STEP_SECONDS


def open_store(
    *,
    table: str,
    kms_key_id: str,
    policy: Policy = DEFAULT_POLICY,
    transport: str = "auto",
    environ: Mapping[str, str] | None = None,
    tls_context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
) -> DynamoDBAccountStore:
    """The store in DynamoDB. Does no network call; close it with `aclose`.

    Keys, region and endpoints come from the usual AWS variables in `environ` (the process's own by default).
    `transport` is `auto`, `lean` or `boto`. `tls_context` makes or shares the context of the lean
    one. Raises `ValueError` when a name is missing or the environment can't serve the transport.
    """
    if not table or not kms_key_id:
        raise ValueError("the store needs the names of a table and of a KMS key")
    given = os.environ if environ is None else environ
    aws = AwsClient(open_exchange(given, prefer=transport, tls_context=tls_context))
    # All processes go by AWS's clock, so that little tolerance is needed.
    policy = replace(policy, clock_tolerance_seconds=min(policy.clock_tolerance_seconds, SHARED_CLOCK_SECONDS))
    vault = KmsVault(aws, kms_key_id)
    return DynamoDBAccountStore(
        Table(aws, table),
        vault,
        clock=aws.clock,
        policy=policy,
        connect=aws.connect,
        on_close=aws.aclose,
    )
