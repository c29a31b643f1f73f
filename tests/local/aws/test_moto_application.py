"""The stand-in answers as moto does, for less work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client

from local.aws import moto_application
from local.aws.api import CallError, LocalApi
from local.aws.moto_application import MotoApplication
from local.aws.resources import create_resources
from local.template import Template

TEMPLATE = Template.load(Path("template.yaml"))
VALUES: dict[str, Any] = {
    "text": {"S": "t"},
    "no text": {"S": ""},
    "number": {"N": "-1.50"},
    "none": {"NULL": True},
    "no": {"BOOL": False},
    "bytes": {"B": "AAH/"},
    "set": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "list": {"L": [{"N": "1"}, {"M": {"S": {"S": "a member named like a type"}, "deep": {"L": [{"B": "AA=="}]}}}]},
    "empty": {"M": {}},
}


UPDATE: dict[str, Any] = {
    "Key": {"pk": {"S": "b"}, "sk": {"S": "3"}},
    "UpdateExpression": "SET at = :at",
    "ExpressionAttributeValues": {":at": {"N": "5"}},
}
ON_FAILURE = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def item(pk: str, sk: str, at: int, **more: Any) -> dict[str, Any]:
    keys = {"pk": {"S": pk}, "sk": {"S": sk}, "due_pk": {"S": f"due-{at % 2}"}, "due_at": {"N": str(at)}}
    return {**keys, **more}


def filled(api: LocalApi, others: int = 3) -> str:
    """A table with two partitions to ask for, and others."""
    table = create_resources(TEMPLATE, api)["AccountsTable"]
    items = [item("b", sk, at, **VALUES) for at, sk in enumerate(("3", "10", "2", "\u00e9", "Z", "a"))]
    items += [item("a", "2", 9), {"pk": {"S": "a"}, "sk": {"S": "not in the index"}}]
    items += [item(f"c{number}", "1", number) for number in range(others)]
    for one in items:
        api.call("dynamodb", "PutItem", TableName=table, Item=one)
    return table


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Any, Any]]:
    """Make a call of moto as it is and of the stand-in, each with a table of its own; both answers."""

    def answer(application: Any, action: str, parameters: dict[str, Any]) -> Any:
        with mock_aws():
            api = LocalApi(application)
            table = filled(api)
            try:
                return api.call("dynamodb", action, TableName=table, **parameters)
            except CallError as error:
                return str(error)

    def both(action: str, **parameters: Any) -> tuple[Any, Any]:
        ours = answer(MotoApplication(), action, parameters)
        with monkeypatch.context() as patch:
            patch.setattr(Table, "query", moto_application._motos_query)
            patch.setattr(BaseJSONSerializer, "_serialize_type_structure", moto_application._motos_serialize)
            return answer(DomainDispatcherApplication(create_backend_app), action, parameters), ours

    return both


def named(pk: str, condition: str = "pk = :pk", **values: Any) -> dict[str, Any]:
    return {"KeyConditionExpression": condition, "ExpressionAttributeValues": {":pk": {"S": pk}, **values}}


BETWEEN = named("b", "pk = :pk AND sk BETWEEN :low AND :high", **{":low": {"S": "10"}, ":high": {"S": "3"}})
DUE = {"IndexName": "due", **named("due-0", "due_pk = :pk")}
QUERIES = {
    "a partition": named("b"),
    "backwards": {**named("b"), "ScanIndexForward": False},
    "a page": {**named("b"), "Limit": 2},
    "the next page": {**named("b"), "Limit": 2, "ExclusiveStartKey": {"pk": {"S": "b"}, "sk": {"S": "10"}}},
    "the page before": {
        **named("b"),
        "ScanIndexForward": False,
        "ExclusiveStartKey": {"pk": {"S": "b"}, "sk": {"S": "Z"}},
    },
    "a range": BETWEEN,
    "a beginning": named("b", "pk = :pk AND begins_with(sk, :start)", **{":start": {"S": "1"}}),
    "a filter": {
        **named("b", "pk = :pk", **{":t": {"S": "t"}}),
        "FilterExpression": "#t = :t",
        "ExpressionAttributeNames": {"#t": "text"},
    },
    "some attributes": {**named("b"), "ProjectionExpression": "sk, empty"},
    "a count": {**named("b"), "Select": "COUNT"},
    "no such partition": named("z"),
    "an index": DUE,
    "an index, backwards in pages": {**DUE, "ScanIndexForward": False, "Limit": 2},
    "an index by number": {
        "IndexName": "due",
        **named("due-0", "due_pk = :pk AND due_at > :at", **{":at": {"N": "1"}}),
    },
    "no such index": {**DUE, "IndexName": "none"},
    "no key": {**named("b"), "KeyConditionExpression": "text = :pk"},
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_a_query_is_answered_as_by_moto(ask: Any, query: dict[str, Any]) -> None:
    motos, ours = ask("Query", **query)
    assert ours == motos


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("GetItem", {"Key": {"pk": {"S": "b"}, "sk": {"S": "3"}}}),
        ("GetItem", {"Key": {"pk": {"S": "b"}, "sk": {"S": "none"}}}),
        ("UpdateItem", {**UPDATE, "ReturnValues": "UPDATED_NEW"}),
        ("UpdateItem", {**UPDATE, "ConditionExpression": "attribute_not_exists(pk)", **ON_FAILURE}),
        ("DeleteItem", {"Key": {"pk": {"S": "b"}, "sk": {"S": "3"}}, "ReturnValues": "ALL_OLD"}),
        ("PutItem", {"Item": {"pk": {"S": ""}, "sk": {"S": "3"}}}),
        ("Scan", {}),
        ("DescribeTimeToLive", {}),
    ],
)
def test_other_calls_are_answered_as_by_moto(ask: Any, action: str, parameters: dict[str, Any]) -> None:
    motos, ours = ask(action, **parameters)
    assert ours == motos


def test_values_of_each_type_come_back_as_they_were_stored(ask: Any) -> None:
    _, ours = ask("GetItem", Key={"pk": {"S": "b"}, "sk": {"S": "3"}})
    assert ours["Item"] == item("b", "3", 0, **VALUES)


def test_a_service_without_a_target_is_found_by_moto() -> None:
    with mock_aws():
        reply = Client(LocalApi()).get("/")
    assert b"ListAllMyBucketsResult" in reply.get_data()


def compared_values(monkeypatch: pytest.MonkeyPatch, others: int) -> int:
    """How many values a query of one partition compares, in a table with so many others."""
    count, compare = 0, DynamoType.__eq__

    def counted(self: DynamoType, other: DynamoType) -> bool:
        nonlocal count
        count += 1
        return compare(self, other)

    with mock_aws(), monkeypatch.context() as patch:
        api = LocalApi()
        table = filled(api, others)
        patch.setattr(DynamoType, "__eq__", counted)
        assert len(api.call("dynamodb", "Query", TableName=table, **named("b"))["Items"]) == 6
    return count


def test_a_query_costs_the_same_in_a_table_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    few = compared_values(monkeypatch, 1)
    assert few > 0
    assert compared_values(monkeypatch, 300) == few
