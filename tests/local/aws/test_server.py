"""The process that stands in for AWS, spoken to through boto3 as the functions speak to it."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import pytest_asyncio
from botocore.config import Config
from moto import mock_aws

from local.aws.api import LocalApi
from local.aws.client import LocalAws
from local.aws.persistence import StateError, read_state, restore_snapshot
from local.aws.resources import create_resources
from local.aws.server import Saver
from local.reaper import Reaper
from local.service import ServiceError
from local.template import Template

on_one_server = pytest.mark.asyncio(loop_scope="module")


def client(aws: LocalAws, service: str, **options: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": options["retries"] + 1}) if options else None,
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


async def answer_of(dynamodb: Any, table: str, name: str) -> str:
    """How a write ends."""
    item = {"pk": {"S": name}, "sk": {"S": "x"}, "text": {"S": "y" * 1_000}}
    try:
        await asyncio.to_thread(dynamodb.put_item, TableName=table, Item=item)
    except dynamodb.exceptions.InternalServerError as error:
        return str(error)
    return "written"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process's files")
async def test_while_the_disk_is_full_nothing_is_promised_and_nothing_promised_is_lost(tmp_path, reaper, capfd):
    """A limit of the size of its files stands for the full disk: root meets it as well."""
    state = tmp_path / "aws.json"
    aws = await start(state, reaper)
    dynamodb, table = client(aws, "dynamodb", retries=0), aws.references["AccountsTable"]
    _, hard = resource.prlimit(aws.service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(aws.service.pid, resource.RLIMIT_FSIZE, (8_000, hard))
    promised = []
    async with asyncio.timeout(60):
        while (answer := await answer_of(dynamodb, table, str(len(promised)))) == "written":
            promised.append(str(len(promised)))
            await asyncio.sleep(0.05)
    assert "nothing can be saved at the moment" in answer
    said = capfd.readouterr().err
    assert f"{state} can't be written (File too large). Nothing more is accepted until it can." in said
    assert await asyncio.to_thread(dynamodb.scan, TableName=table), "reading goes on"
    resource.prlimit(aws.service.pid, resource.RLIMIT_FSIZE, (hard, hard))
    async with asyncio.timeout(60):
        while await answer_of(dynamodb, table, "after") != "written":  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.05)
    aws.service._signal(signal.SIGTERM)
    assert await aws.service.wait() == 0
    kept = {item["pk"]["S"] for item in json.loads(state.read_text())["tables"]["AccountsTable"]}
    assert kept == {*promised, "after"}
    await aws.stop()


class TestSaver:
    """The end of a run whose disk stays full."""

    @pytest.fixture
    def api(self) -> LocalApi:
        return LocalApi(lambda environ, start_response: [b""])

    def test_what_finds_no_room_is_put_where_there_is_some(self, tmp_path, api, capfd):
        (tmp_path / "full").write_text("no folder")
        path = tmp_path / "full" / "aws.json"
        saver = Saver(path, api, lambda: {"version": 1}, elsewhere=tmp_path)
        assert not saver.save() and not api.accepts_writes
        assert not saver.save_last()
        [elsewhere] = tmp_path.glob("aws-*.json")
        assert read_state(elsewhere) == {"version": 1}
        said = capfd.readouterr().err.splitlines()
        assert len(said) == 2, "each is said once"
        assert (
            said[1] == f"The state is in {elsewhere} instead. Move it to {tmp_path}/full/aws.json when there is room."
        )

    def test_where_there_is_no_room_at_all_that_is_said(self, tmp_path, api, capfd):
        (full := tmp_path / "full").write_text("no folder")
        saver = Saver(full / "aws.json", api, lambda: {"version": 1}, elsewhere=full)
        assert not saver.save_last()
        assert "What changed since the last write is lost." in capfd.readouterr().err

    def test_after_the_last_write_nothing_is_accepted(self, api):
        saver = Saver(None, api, dict)
        assert saver.save_last()
        answered: list[str] = []
        environ = {"HTTP_X_AMZ_TARGET": "DynamoDB_20120810.GetItem", "PATH_INFO": "/"}
        assert b"InternalServerError" in b"".join(api(environ, lambda status, _: answered.append(status)))
        assert answered == ["500 Internal Server Error"]


@pytest.mark.parametrize(
    "damage", [b"{", b"\xff\xff", b"[" * 100_000, None], ids=["not JSON", "no text", "too deep", "a folder"]
)
def test_a_file_that_can_not_be_read_is_recognised(tmp_path, damage):
    path = tmp_path / "aws.json"
    path.write_bytes(damage) if damage is not None else path.mkdir()
    with pytest.raises(StateError):
        read_state(path)


@pytest.mark.parametrize(
    "item",
    [{}, {"pk": {"S": "A"}}, {"pk": {"N": "x"}, "sk": {"S": "B"}}, {"pk": "A", "sk": "B"}, 5],
    ids=str,
)
def test_a_damaged_item_is_recognised(item):
    """Whatever moto makes of it, with the table that the template defines."""
    api = LocalApi()
    with mock_aws():
        references = create_resources(Template.load(Path("template.yaml")), api)
        snapshot = {"version": 1, "tables": {"AccountsTable": [item]}, "keys": {}, "secrets": {}}
        with pytest.raises(StateError, match="it is not what this program writes"):
            restore_snapshot(snapshot, api, references)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 99}', '{"version": 1, "tables": 3}', '{"version": 1}'])
def test_what_is_not_a_state_is_recognised(tmp_path, content):
    path = tmp_path / "aws.json"
    path.write_text(content)
    with pytest.raises(StateError):
        restore_snapshot(read_state(path) or {}, api=None, references={})
