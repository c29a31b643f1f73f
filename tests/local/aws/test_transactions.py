"""Transactions are all or nothing, and cost what they touch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.dynamodb.models.dynamo_type import Item
from werkzeug.test import Client, TestResponse

from local.aws.api import LocalApi
from local.aws.resources import create_resources
from local.template import Template


class Dynamo:
    """The table behind the door that callers use."""

    def __init__(self, api: LocalApi, table: str) -> None:
        self.table = table
        self._http = Client(api)

    def call(self, operation: str, **parameters: Any) -> tuple[int, dict[str, Any]]:
        reply = self.send(operation, json.dumps(parameters).encode())
        return reply.status_code, json.loads(reply.get_data())

    def send(self, operation: str, body: bytes) -> TestResponse:
        scope = "local/20260101/us-east-1/dynamodb/aws4_request"
        headers = {
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-amz-json-1.0",
        }
        return self._http.post("/", headers=headers, data=body)

    def transact(self, *actions: dict[str, dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        named = [{kind: {"TableName": self.table, **action}} for one in actions for kind, action in one.items()]
        return self.call("TransactWriteItems", TransactItems=named)

    def items(self) -> dict[str, str]:
        _, found = self.call("Scan", TableName=self.table)
        return {item["sk"]["S"]: item["text"]["S"] for item in found["Items"]}


@pytest.fixture
def dynamo() -> Iterator[Dynamo]:
    with mock_aws():
        api = LocalApi()
        yield Dynamo(api, create_resources(Template.load(Path("template.yaml")), api)["AccountsTable"])


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": "P"}, "sk": {"S": name}}


def put(name: str, text: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {"Put": {"Item": {**key(name), "text": {"S": text}}, **more}}


def rewrite(name: str, text: str) -> dict[str, dict[str, Any]]:
    values = {":text": {"S": text}}
    expression, names = "SET #t = :text", {"#t": "text"}
    return {
        "Update": {
            "Key": key(name),
            "UpdateExpression": expression,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }


def test_all_of_it_is_done(dynamo: Dynamo) -> None:
    dynamo.transact(put("a", "1"), put("b", "1"))
    assert dynamo.transact(rewrite("a", "2"), {"Delete": {"Key": key("b")}}, put("c", "2"))[0] == 200
    assert dynamo.items() == {"a": "2", "c": "2"}


@pytest.mark.parametrize(
    "change",
    [rewrite("a", "2"), put("a", "2"), put("new", "2"), {"Delete": {"Key": key("a")}}, rewrite("new", "2")],
    ids=["update", "replace", "add", "delete", "add by update"],
)
@pytest.mark.parametrize("is_last", [True, False])
def test_or_nothing_of_it(dynamo: Dynamo, change: dict[str, Any], is_last: bool) -> None:
    dynamo.transact(put("a", "1"), put("b", "1"))
    failing = put("b", "2", ConditionExpression="attribute_not_exists(pk)")
    status, answer = dynamo.transact(*((change, failing) if is_last else (failing, change)))
    assert (status, "TransactionCanceledException" in answer["__type"]) == (400, True)
    assert dynamo.items() == {"a": "1", "b": "1"}
    assert dynamo.transact(put("c", "1"))[0] == 200, "the table is as usable as before"
    assert dynamo.items() == {"a": "1", "b": "1", "c": "1"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"TransactItems": 5}', b'{"TransactItems": [5, {}]}'])
def test_what_is_no_transaction_is_refused_by_moto(dynamo: Dynamo, body: bytes) -> None:
    dynamo.transact(put("a", "1"))
    try:
        reply = dynamo.send("TransactWriteItems", body)
    except (TypeError, ValueError, AttributeError, KeyError, StopIteration):
        reply = None
    assert reply is None or reply.status_code >= 400
    assert dynamo.items() == {"a": "1"}


def copied_items(dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many items one transaction copies."""
    count, copy = 0, Item.__deepcopy__

    def counted(self: Item, memo: Any) -> Item:
        nonlocal count
        count += 1
        return copy(self, memo)

    with monkeypatch.context() as patch:
        patch.setattr(Item, "__deepcopy__", counted)
        assert dynamo.transact(put("a", "2"), rewrite("b", "2"), {"Delete": {"Key": key("x")}})[0] == 200
    return count


def test_it_costs_the_same_in_a_table_of_any_size(dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamo.transact(put("a", "1"), put("b", "1"))
    few = copied_items(dynamo, monkeypatch)
    for start in range(0, 300, 25):
        puts = [{"PutRequest": {"Item": {**key(f"n{start + n}"), "text": {"S": "1"}}}} for n in range(25)]
        dynamo.call("BatchWriteItem", RequestItems={dynamo.table: puts})
    assert copied_items(dynamo, monkeypatch) == few
