"""moto's WSGI application for the services used here, with the same answers for less work.

- moto finds the service of a call by listing its own folders, for each call. Here `X-Amz-Target` names it.
- A query sorts the whole table first, and looks at each of its items. Here it sees the items of its partition; for an
  index all items, in the order they are stored in, since moto sorts what it finds again.
- In an answer, each value of an item is looked for under the names of all types, and under several for each. Here a
  plain one is taken as it is.

The private surface that this leans on: `Table.query`, `all_items` and `items`, and
`BaseJSONSerializer._serialize_type_structure` (seen in moto 5.2).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, cast

from flask import Flask
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

TARGETS = {"dynamodb": "DynamoDB_20120810", "kms": "TrentService", "secretsmanager": "secretsmanager"}
"""What stands before the action in `X-Amz-Target`, by service."""

_SERVICES = {target: service for service, target in TARGETS.items()}
_motos_query: Callable[..., Any] = Table.query
_motos_serialize: Callable[..., None] = BaseJSONSerializer._serialize_type_structure
_QUERY = inspect.signature(Table.query)
_PLAIN = {"S": str, "N": str, "BOOL": bool, "NULL": bool}


class MotoApplication:
    def __init__(self) -> None:
        # For good: after each change of a class, Python looks its methods up anew.
        table, serializer = cast(Any, Table), cast(Any, BaseJSONSerializer)
        table.query, serializer._serialize_type_structure = _query, _serialize
        self._any = DomainDispatcherApplication(create_backend_app)
        self._applications: dict[str, Flask] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self._application_of(environ.get("HTTP_X_AMZ_TARGET", ""))(environ, start_response)

    def _application_of(self, target: str) -> Callable[..., Iterable[bytes]]:
        service: Any = _SERVICES.get(target.partition(".")[0])
        if service is None:
            return self._any
        if service not in self._applications:
            self._applications[service] = create_backend_app(service)
        return self._applications[service]


def _query(table: Table, hash_key: DynamoType | None, *rest: Any, **named: Any) -> Any:
    """`Table.query` of a copy of the table that shares the items."""
    if not table.range_key_attr:
        return _motos_query(table, hash_key, *rest, **named)
    asked = _QUERY.bind(table, hash_key, *rest, **named).arguments
    if asked.get("index_name") is None and hash_key is not None:
        found = list(table.items.get(hash_key, {}).values())
    else:
        found = [item for partition in table.items.values() for item in partition.values()]
    view: Table = object.__new__(Table)  # type: ignore[type-abstract]  # moto makes it, too
    view.__dict__.update(table.__dict__, all_items=lambda: found)
    return _motos_query(view, hash_key, *rest, **named)


def _serialize(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """`BaseJSONSerializer._serialize_type_structure`; a plain value of an item is on the wire what it is here."""
    if type(value) is dict and len(value) == 1 and key and shape.name == "AttributeValue":
        [(kind, content)] = value.items()
        if type(content) is _PLAIN.get(kind):
            serialized[key] = {kind: content}
            return
    _motos_serialize(serializer, serialized, value, shape, key)
