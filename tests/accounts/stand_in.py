"""AWS for tests: moto behind a real socket, in a process of its own, and how to reach it."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accounts._aws import AwsClient
from accounts._aws_boto import BotoExchange
from accounts._aws_choice import open_exchange
from accounts._dynamodb import DynamoDBAccountStore
from accounts._table import Table
from accounts._vault_kms import KmsVault
from tests.accounts.dynalite import DynaliteExchange

SERVER = Path(__file__).with_name("aws_server.py")


class SteppedClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class _KeptOpen:
    """botocore's exchange, which outlives its clients: opening it for every test would take most of their time."""

    exchange: BotoExchange
    clock_offset = 0.0

    async def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return await self.exchange.send(service, operation, payload)

    async def connect(self, service: str, number: int) -> None:
        """Nothing, as there."""

    async def aclose(self) -> None:
        """Left to the end of the session."""


@dataclass(frozen=True)
class Aws:
    """A running stand-in for AWS."""

    environ: dict[str, str]
    kms_key_id: str
    boto: BotoExchange
    uses_dynalite: bool = False
    opened: list[AwsClient] = field(default_factory=list)
    """Clients of the current test, which ends them."""

    def client(self, transport: str = "lean") -> AwsClient:
        if transport == "boto":
            return AwsClient(_KeptOpen(self.boto))
        exchange = open_exchange(self.environ, prefer="lean")
        client = AwsClient(DynaliteExchange(exchange) if self.uses_dynalite else exchange)
        self.opened.append(client)
        return client

    def store(self, table: str, transport: str = "lean", **options: Any) -> DynamoDBAccountStore:
        client = self.client(transport)
        vault = options.pop("vault", None) or KmsVault(client, self.kms_key_id)
        return DynamoDBAccountStore(Table(client, table), vault, on_close=client.aclose, **options)

    def with_dynalite(self, url: str) -> Aws:
        """The same, with dynalite for DynamoDB."""
        environ = {**self.environ, "AWS_ENDPOINT_URL_DYNAMODB": url}
        return Aws(environ, self.kms_key_id, BotoExchange(environ), uses_dynalite=True)

    def create_table(self) -> str:
        """An empty table like the deployment's."""
        name = f"test-{secrets.token_hex(8)}"
        send = self.boto.send_blocking
        send("dynamodb", "CreateTable", table_definition(name))
        for _ in range(1_000):
            if send("dynamodb", "DescribeTable", {"TableName": name})["Table"]["TableStatus"] == "ACTIVE":
                return name
        raise TimeoutError(f"{name} is not there yet")

    def delete_table(self, name: str) -> None:
        self.boto.send_blocking("dynamodb", "DeleteTable", {"TableName": name})


@contextmanager
def run_aws() -> Iterator[Aws]:
    """Start the stand-in, stop it at the end."""
    command = [sys.executable, str(SERVER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            # The address is the first thing it says; nothing at all means that it died.
            url = server.stdout.readline().strip()
            assert url, "the stand-in for AWS did not start"
            environ = {
                "AWS_ENDPOINT_URL": url,
                "AWS_REGION": "eu-central-1",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
            }
            exchange = BotoExchange(environ)
            key = exchange.send_blocking("kms", "CreateKey", {})["KeyMetadata"]["KeyId"]
            yield Aws(environ, key, exchange)
            asyncio.run(exchange.aclose())
        finally:
            server.terminate()
            server.wait(10)


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
