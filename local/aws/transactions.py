"""Lets a transaction of moto's DynamoDB cost what it touches.

To be able to roll back, moto copies the whole table, once for each item of the transaction: half a second with 2,000
items. Here the copy shares all items but those that the transaction names, which are the only ones that it can change.
The private surface that this leans on: `Table.items`, by hash and range key (seen in moto 5.2).
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

OPERATION = "TransactWriteItems"


@contextmanager
def cheap_rollback(body: bytes) -> Iterator[None]:
    """Within this block moto carries out the transaction of this request, and nothing else."""
    touched = [next(iter(item.values())) for item in _read(body) if item]

    def copy_of(table: Table, _memo: Any) -> Table:
        copied: Table = object.__new__(Table)  # type: ignore[type-abstract]  # moto makes it, too
        copied.__dict__.update(table.__dict__)
        copied.items = defaultdict(dict, {key: dict(items) for key, items in table.items.items()})
        for action in touched:
            _separate(copied, action.get("Key") or action.get("Item") or {})
        return copied

    Table.__deepcopy__ = copy_of  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del Table.__deepcopy__  # type: ignore[attr-defined]


def _read(body: bytes) -> list[dict[str, Any]]:
    """The actions; none for a body that moto will refuse."""
    try:
        actions = json.loads(body)["TransactItems"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return [action for action in actions if isinstance(action, dict)] if isinstance(actions, list) else []


def _separate(table: Table, key: dict[str, Any]) -> None:
    """Give the table an item of its own where it shares one."""
    try:
        hash_key, range_key = DynamoType(key[table.hash_key_attr]), DynamoType(key[str(table.range_key_attr)])
    except (KeyError, TypeError, AttributeError):
        return  # moto will refuse it
    items = table.items.get(hash_key, {})
    if range_key in items:
        items[range_key] = copy.deepcopy(items[range_key])
