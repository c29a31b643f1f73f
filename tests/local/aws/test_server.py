"""The process that stands in for AWS, spoken to through boto3 as the functions speak to it."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import pytest_asyncio

from local.aws.client import LocalAws
from local.aws.persistence import StateError, read_state, restore_snapshot
from local.reaper import Reaper
from local.service import ServiceError

on_one_server = pytest.mark.asyncio(loop_scope="module")


def client(aws: LocalAws, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


async def start(state: Path, reaper: Reaper) -> LocalAws:
    environment = {**os.environ, "PYTHONPATH": "."}
    return await LocalAws.start(template=Path("template.yaml"), state=state, environment=environment, reaper=reaper)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def aws(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAws]:
    """One for the tests that do not end it."""
    reaper = Reaper()
    aws = await start(tmp_path_factory.mktemp("aws") / "aws.json", reaper)
    yield aws
    await aws.stop()
    reaper.close()


@on_one_server
async def test_what_the_template_defines_is_there(aws):
    table = client(aws, "dynamodb").describe_table(TableName=aws.references["AccountsTable"])["Table"]
    assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {"selectable", "due"}
    key = client(aws, "kms").describe_key(KeyId=aws.references["CredentialsKey.Arn"])["KeyMetadata"]
    assert key["Enabled"]
    assert len(await aws.read_secret("AdminSecret")) == 48


@on_one_server
async def test_calls_are_counted(aws):
    before = (await aws.count_calls()).get("dynamodb.ListTables", 0)
    client(aws, "dynamodb").list_tables()
    assert (await aws.count_calls())["dynamodb.ListTables"] == before + 1


async def test_items_secrets_and_ciphertexts_survive_a_restart(tmp_path, reaper):
    state, context = tmp_path / "aws.json", {"account": "1"}
    aws = await start(state, reaper)
    secret, dynamodb, table = (
        await aws.read_secret("AdminSecret"),
        client(aws, "dynamodb"),
        aws.references["AccountsTable"],
    )
    sealed = client(aws, "kms").encrypt(
        KeyId=aws.references["CredentialsKey.Arn"], Plaintext=b"cookie", EncryptionContext=context
    )["CiphertextBlob"]
    deep = {"M": {"list": {"L": [{"B": b"\x00\xff"}, {"N": "1.5"}, {"NULL": True}, {"SS": ["a", "b"]}]}}}
    item = {"pk": {"S": "A"}, "sk": {"S": "B"}, "sealed": {"B": sealed}, "deep": deep}
    item |= {"sel_pk": {"S": "x"}, "eligible_at": {"N": "7"}}
    dynamodb.put_item(TableName=table, Item=item)
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "A"}, "sk": {"S": "old"}, "expires_at": {"N": "1"}})
    # It is also written while it runs, so that not even a power cut loses more than moments.
    async with asyncio.timeout(10):
        while not state.exists() or not json.loads(state.read_text())["tables"]["AccountsTable"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await aws.stop()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600

    aws = await start(state, reaper)
    try:
        dynamodb, kms = client(aws, "dynamodb"), client(aws, "kms")
        assert await aws.read_secret("AdminSecret") == secret
        [found] = dynamodb.query(
            TableName=table,
            IndexName="selectable",
            KeyConditionExpression="sel_pk = :x",
            ExpressionAttributeValues={":x": {"S": "x"}},
        )["Items"]
        assert found == item
        assert dynamodb.scan(TableName=table)["Count"] == 1, "an item past its TTL was kept"
        assert kms.decrypt(CiphertextBlob=found["sealed"]["B"], EncryptionContext=context)["Plaintext"] == b"cookie"
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"account": "2"})
    finally:
        await aws.stop()


async def test_a_state_that_can_not_be_used_stops_the_start_and_is_left_alone(tmp_path, reaper, capfd):
    state = tmp_path / "aws.json"
    state.write_text("{")
    with pytest.raises(ServiceError, match="ended before it was ready"):
        await start(state, reaper)
    assert state.read_text() == "{"
    assert "Move it away" in capfd.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 99}', '{"version": 1, "tables": 3}', '{"version": 1}'])
def test_what_is_not_a_state_is_recognised(tmp_path, content):
    path = tmp_path / "aws.json"
    path.write_text(content)
    with pytest.raises(StateError):
        restore_snapshot(read_state(path) or {}, api=None, references={})
