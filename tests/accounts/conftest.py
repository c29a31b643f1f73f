"""Stores under test: in memory, and in DynamoDB as a moto server in its own process speaks it, by both ways to AWS."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from accounts import AccountStore, InMemoryAccountStore
from accounts._aws import AwsClient, Exchange, open_exchange
from accounts._dynamodb import DynamoDBAccountStore
from accounts._table import Table
from accounts._vault_kms import KmsVault


class SteppedClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Aws:
    """A running stand-in for AWS and how to reach it."""

    environ: dict[str, str]
    kms_key_id: str

    exchanges: dict[str, Exchange]

    def client(self, transport: str = "lean") -> AwsClient:
        """A client whose exchange outlives it: opening botocore for every test would take most of their time."""
        if transport not in self.exchanges:
            self.exchanges[transport] = open_exchange(self.environ, prefer=transport)
        return AwsClient(_KeptOpen(self.exchanges[transport]))


@dataclass(frozen=True)
class _KeptOpen:
    exchange: Exchange

    def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return self.exchange.send(service, operation, payload)

    def close(self) -> None:
        """Left to the end of the session."""


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_answering(url, server, log)
            environ = {
                "AWS_ENDPOINT_URL": url,
                "AWS_REGION": "eu-central-1",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
            }
            exchange = open_exchange(environ, prefer="lean")
            # Moto's own KMS reads `CreateKey` like any other JSON call.
            key = exchange.send("kms", "CreateKey", {})["KeyMetadata"]["KeyId"]
            started = Aws(environ, key, {"lean": exchange})
            yield started
            for opened in started.exchanges.values():
                opened.close()
        finally:
            server.terminate()
            server.wait(10)


def _wait_until_answering(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=1).close()
        except OSError:
            continue
        return
    raise RuntimeError(f"the moto server did not start: {log.read_text()}")


def table_definition(name: str) -> dict[str, Any]:
    """The table as the deployment defines it."""

    def index(index_name: str, pk: str, sk: str, projection: str) -> dict[str, Any]:
        keys = [{"AttributeName": pk, "KeyType": "HASH"}, {"AttributeName": sk, "KeyType": "RANGE"}]
        return {"IndexName": index_name, "KeySchema": keys, "Projection": {"ProjectionType": projection}}

    types = {"pk": "S", "sk": "S", "sel_pk": "S", "eligible_at": "N", "due_pk": "S", "due_at": "N"}
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in types.items()],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [
            index("selectable", "sel_pk", "eligible_at", "ALL"),
            index("due", "due_pk", "due_at", "KEYS_ONLY"),
        ],
    }


@pytest.fixture
def table_name(aws: Aws) -> Iterator[str]:
    """An empty table that is gone after the test."""
    name = f"test-{uuid.uuid4().hex}"
    aws.exchanges["lean"].send("dynamodb", "CreateTable", table_definition(name))
    yield name
    aws.exchanges["lean"].send("dynamodb", "DeleteTable", {"TableName": name})


@pytest.fixture(params=["memory", "dynamodb-lean", "dynamodb-boto"])
async def store(request: pytest.FixtureRequest, clock: SteppedClock) -> AsyncIterator[AccountStore]:
    """An empty store with a clock that stands and seeded randomness."""
    opened: AccountStore
    if request.param == "memory":
        opened = InMemoryAccountStore(clock=clock, rng=random.Random(7))
    else:
        aws: Aws = request.getfixturevalue("aws")
        client = aws.client(request.param.partition("-")[2])
        table = Table(client, request.getfixturevalue("table_name"))
        vault = KmsVault(client, aws.kms_key_id)
        opened = DynamoDBAccountStore(table, vault, clock=clock, rng=random.Random(7), on_close=client.aclose)
    yield opened
    await opened.aclose()
