"""The process that stands in for AWS, spoken to through boto3 as the functions speak to it."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.aws.client import LocalAws
from local.service import ServiceError

TEMPLATE = Path("template.yaml")


def client(aws: LocalAws, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def saved_items(state: Path) -> Any:
    return json.loads(state.read_text())["tables"]["AccountsTable"]


@pytest.fixture
def start(process_environment, reaper):
    async def start(state: Path | None = None) -> LocalAws:
        return await LocalAws.start(template=TEMPLATE, state=state, environment=process_environment, reaper=reaper)

    return start


async def test_what_the_template_defines_is_there(start):
    aws = await start()
    try:
        table = client(aws, "dynamodb").describe_table(TableName=aws.references["AccountsTable"])["Table"]
        indexes = {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}
        assert indexes == {"selectable", "due"}
        key = client(aws, "kms").describe_key(KeyId=aws.references["CredentialsKey.Arn"])["KeyMetadata"]
        assert key["Enabled"]
        assert len(await aws.read_secret("AdminSecret")) == 48
        assert (await aws.count_calls())["dynamodb.DescribeTable"] == 1
    finally:
        await aws.stop()


async def test_items_secrets_and_ciphertexts_survive_a_restart(start, tmp_path):
    state = tmp_path / "aws.json"
    aws = await start(state)
    secret, context = await aws.read_secret("AdminSecret"), {"account": "1"}
    sealed = client(aws, "kms").encrypt(
        KeyId=aws.references["CredentialsKey.Arn"], Plaintext=b"cookie", EncryptionContext=context
    )["CiphertextBlob"]
    deep = {"M": {"list": {"L": [{"B": b"\x00\xff"}, {"N": "1.5"}, {"NULL": True}, {"SS": ["a", "b"]}]}}}
    item = {"pk": {"S": "A"}, "sk": {"S": "B"}, "sealed": {"B": sealed}, "deep": deep, "sel_pk": {"S": "x"}}
    item["eligible_at"] = {"N": "7"}
    dynamodb, table = client(aws, "dynamodb"), aws.references["AccountsTable"]
    dynamodb.put_item(TableName=table, Item=item)
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "A"}, "sk": {"S": "old"}, "expires_at": {"N": "1"}})
    await aws.stop()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600

    aws = await start(state)
    try:
        dynamodb, table = client(aws, "dynamodb"), aws.references["AccountsTable"]
        assert await aws.read_secret("AdminSecret") == secret
        found = dynamodb.query(
            TableName=table,
            IndexName="selectable",
            KeyConditionExpression="sel_pk = :x",
            ExpressionAttributeValues={":x": {"S": "x"}},
        )["Items"]
        assert found == [item]
        assert dynamodb.scan(TableName=table)["Count"] == 1, "an item past its TTL was kept"
        kms = client(aws, "kms")
        opened = kms.decrypt(CiphertextBlob=found[0]["sealed"]["B"], EncryptionContext=context)
        assert opened["Plaintext"] == b"cookie"
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"account": "2"})
    finally:
        await aws.stop()


async def test_the_state_is_written_while_it_runs(start, tmp_path):
    """So that not even a power cut loses more than moments."""
    state = tmp_path / "aws.json"
    aws = await start(state)
    try:
        item = {"pk": {"S": "A"}, "sk": {"S": "B"}}
        client(aws, "dynamodb").put_item(TableName=aws.references["AccountsTable"], Item=item)
        async with asyncio.timeout(10):
            while not state.exists() or saved_items(state) != [item]:  # noqa: ASYNC110 (another process writes it)
                await asyncio.sleep(0.05)
    finally:
        await aws.stop()


async def test_conditional_writes_are_exclusive(start):
    """Twenty writers at once, each sure to be the first: exactly one is."""
    aws = await start()
    try:
        dynamodb, table = client(aws, "dynamodb"), aws.references["AccountsTable"]

        def take(number: int) -> bool:
            try:
                dynamodb.put_item(
                    TableName=table,
                    Item={"pk": {"S": "A"}, "sk": {"S": "SLOT"}, "owner": {"N": str(number)}},
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except dynamodb.exceptions.ConditionalCheckFailedException:
                return False
            return True

        results = await asyncio.gather(*(asyncio.to_thread(take, number) for number in range(20)))
        assert sum(results) == 1
    finally:
        await aws.stop()


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 99}', '{"version": 1, "tables": 3}'])
async def test_a_state_that_can_not_be_used_stops_the_start_and_is_left_alone(start, tmp_path, content, capfd):
    state = tmp_path / "aws.json"
    state.write_text(content)
    with pytest.raises(ServiceError, match="ended before it was ready"):
        await start(state)
    assert state.read_text() == content
    assert "Move it away" in capfd.readouterr().err
