"""The table's operations, in Python values: conditional writes, alone or several as one, queries and batches.

Expressions name attributes in braces, `"attribute_not_exists({pk}) OR {until} <= :now"`, so that none collides with
one of DynamoDB's several hundred reserved words.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import string
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any

from accounts._aws import AwsCaller, AwsError
from accounts._exceptions import ConflictError, StoreUnavailableError
from accounts._items import Item, from_wire, to_wire
from accounts._keys import Key
from lazy_dataclasses import dataclass

# DynamoDB's limits for one call.
MAX_BATCH_GET = 100
MAX_BATCH_WRITE = 25
MAX_ROUNDS = 8
# Pauses between rounds are spread by "full jitter" below a doubling limit.
FIRST_PAUSE_SECONDS = 0.02
MAX_PAUSE_SECONDS = 1.0
_TRANSIENT_REASONS = frozenset({"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class ConditionFailed(Exception):
    """The condition of a write did not hold, and nothing was written. An answer more than an error.

    `found` has the old item, or `None` where there was none, of each write whose condition failed, by its position.
    """

    def __init__(self, found: Mapping[int, Item | None]) -> None:
        super().__init__("condition failed")
        self.found = found


class TransactionConflict(Exception):
    """Others were writing some of the same items, by their positions. Nothing was written; it may be tried again."""

    def __init__(self, positions: Collection[int]) -> None:
        super().__init__("transaction conflict")
        self.positions = frozenset(positions)


@dataclass(frozen=True, slots=True)
class Write:
    """One conditional write: `kind` is `Put`, `Update` or `Delete`."""

    kind: str
    body: Mapping[str, Any] = field(repr=False)


def put(item: Item, condition: str | None = None, **values: Any) -> Write:
    return Write("Put", {"Item": to_wire(item), **_expressions(values, ConditionExpression=condition)})


def update(
    key: Key, expression: str, condition: str | None = None, *, names: Mapping[str, str] | None = None, **values: Any
) -> Write:
    """`names` are the attributes that the braces stand for, where they are not named by them."""
    expressions = _expressions(values, names, UpdateExpression=expression, ConditionExpression=condition)
    return Write("Update", {"Key": to_wire(key), **expressions})


def delete(key: Key, condition: str | None = None, **values: Any) -> Write:
    return Write("Delete", {"Key": to_wire(key), **_expressions(values, ConditionExpression=condition)})


def assignments(attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """An update expression, with its values, that sets these attributes and removes those that are `None`."""
    kept = {name: value for name, value in attributes.items() if value is not None}
    gone = [f"{{{name}}}" for name, value in attributes.items() if value is None]
    expression = "SET " + ", ".join(f"{{{name}}} = :{name}" for name in kept)
    return expression + (" REMOVE " + ", ".join(gone) if gone else ""), kept


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a query. `next_key` continues it."""

    items: list[Item] = field(repr=False)
    count: int
    next_key: Mapping[str, Any] | None


class Table:
    """One DynamoDB table. Raises `StoreUnavailableError` for whatever is not a matter of conditions."""

    def __init__(
        self,
        aws: AwsCaller,
        name: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._aws = aws
        self._name = name
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - spreads retries, guards nothing

    async def get(self, key: Key, *, is_consistent: bool = True) -> Item | None:
        answer = await self._call("GetItem", {"Key": to_wire(key), "ConsistentRead": is_consistent})
        return from_wire(answer["Item"]) if answer.get("Item") else None

    async def get_many(
        self, keys: Sequence[Key], *, is_consistent: bool = True, attributes: Collection[str] | None = None
    ) -> list[Item]:
        """The items that exist among these, in no particular order. At most 100 keys; `attributes`: all by default."""
        items: list[Item] = []
        asked: dict[str, Any] = {"Keys": [to_wire(key) for key in keys], "ConsistentRead": is_consistent}
        asked |= _expressions({}, ProjectionExpression=_listed(attributes))
        pending: Any = {self._name: asked} if keys else {}
        for number in range(MAX_ROUNDS):
            if not pending:
                return items
            await self.pause(number)
            answer = await self._send("BatchGetItem", {"RequestItems": pending})
            items += [from_wire(item) for item in answer["Responses"].get(self._name, [])]
            # DynamoDB may answer a batch in part: it was too large, or the table is throttled.
            pending = answer.get("UnprocessedKeys")
        raise StoreUnavailableError("BatchGetItem", "ThrottlingException")

    async def delete_many(self, keys: Sequence[Key]) -> None:
        for start in range(0, len(keys), MAX_BATCH_WRITE):
            # Deleting what is gone is no failure, so that a batch can simply be repeated.
            requests = [{"DeleteRequest": {"Key": to_wire(key)}} for key in keys[start : start + MAX_BATCH_WRITE]]
            pending: Any = {self._name: requests}
            for number in range(MAX_ROUNDS):
                await self.pause(number)
                answer = await self._send("BatchWriteItem", {"RequestItems": pending})
                if not (pending := answer.get("UnprocessedItems")):
                    break
            else:
                raise StoreUnavailableError("BatchWriteItem", "ThrottlingException")

    async def query(
        self,
        condition: str,
        *,
        index: str | None = None,
        limit: int | None = None,
        after: Mapping[str, Any] | None = None,
        is_count: bool = False,
        is_descending: bool = False,
        only: str | None = None,
        attributes: Collection[str] | None = None,
        names: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Found:
        """One page of the items that match. `after` is the `next_key` of the page before, or a key to start behind.

        `only` leaves out items after they were read, so `limit` counts them too. `attributes` are all by default; what
        is left out is charged, but neither sent nor parsed.
        """
        payload: dict[str, Any] = _expressions(
            values,
            names,
            KeyConditionExpression=condition,
            FilterExpression=only,
            ProjectionExpression=_listed(attributes),
        )
        payload |= {"ScanIndexForward": False} if is_descending else {}
        # Indexes are never read consistently.
        payload |= {"IndexName": index} if index else {"ConsistentRead": True}
        payload |= {"Select": "COUNT"} if is_count else {}
        # It counts what was read, before a filter.
        payload |= {"Limit": limit} if limit is not None else {}
        payload |= {"ExclusiveStartKey": to_wire(after)} if after else {}
        answer = await self._call("Query", payload)
        next_key = answer.get("LastEvaluatedKey")
        items = [from_wire(item) for item in answer.get("Items", [])]
        return Found(items, int(answer["Count"]), from_wire(next_key) if next_key else None)

    async def write(self, *writes: Write) -> None:
        """Do all of these or none. Raises `ConditionFailed`, and `ConflictError` when others keep writing the same."""
        if len(writes) == 1:
            await self._write_one(writes[0])
            return
        for number in range(MAX_ROUNDS):
            await self.pause(number)
            try:
                await self.write_once(*writes)
            except TransactionConflict:
                continue
            return
        raise ConflictError("the items are being changed by others all the time")

    async def write_once(self, *writes: Write) -> None:
        """As `write`, but raises `TransactionConflict` at once when others are writing the same."""
        if len(writes) == 1:
            await self._write_one(writes[0])
            return
        items = [{write.kind: self._body(write)} for write in writes]
        # The token makes an attempt that is repeated after a lost answer count once.
        payload = {"TransactItems": items, "ClientRequestToken": secrets.token_hex(16)}
        try:
            await self._send("TransactWriteItems", payload, raw=True)
        except AwsError as error:
            if error.code != "TransactionCanceledException":
                raise StoreUnavailableError(error.operation, error.code) from error
            raise _cancellation(error) from error

    async def pause(self, number: int) -> None:
        """Wait before round `number`, longer with each, at random so that those who collided don't collide again."""
        if number:
            limit = min(FIRST_PAUSE_SECONDS * 2.0**number, MAX_PAUSE_SECONDS)
            await self._sleep(limit * self._rng.random())

    async def change(self, write: Write) -> Item:
        """Do one update and return the whole item after it. Raises `ConditionFailed`."""
        answer = await self._write_one(write, ReturnValues="ALL_NEW")
        return from_wire(answer["Attributes"])

    async def _write_one(self, write: Write, **options: str) -> dict[str, Any]:
        try:
            return await self._send(f"{write.kind}Item", {**self._body(write), **options}, raw=True)
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise StoreUnavailableError(error.operation, error.code) from error
            item = error.response.get("Item")
            raise ConditionFailed({0: from_wire(item) if item else None}) from error

    def _body(self, write: Write) -> dict[str, Any]:
        body = {"TableName": self._name, **write.body}
        if "ConditionExpression" in write.body:
            # The old item tells why, without a read that might see something newer.
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return body

    async def _call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return await self._send(operation, {"TableName": self._name, **payload})

    async def _send(self, operation: str, payload: Mapping[str, Any], *, raw: bool = False) -> dict[str, Any]:
        try:
            return await self._aws.call("dynamodb", operation, payload)
        except AwsError as error:
            if raw:
                raise
            raise StoreUnavailableError(operation, error.code) from error


def _cancellation(error: AwsError) -> Exception:
    """Why a transaction was cancelled: a condition, others on the same items, or something that nobody can help."""
    reasons = list(error.response.get("CancellationReasons") or ())
    failed = {
        number: from_wire(reason["Item"]) if reason.get("Item") else None
        for number, reason in enumerate(reasons)
        if reason.get("Code") == "ConditionalCheckFailed"
    }
    # Before the others: a condition that failed is an answer, whoever else was writing.
    if failed:
        return ConditionFailed(failed)
    # Throttling and conflicts pass by themselves; a missing table or right does not.
    others = [str(reason.get("Code")) for reason in reasons if reason.get("Code") not in _TRANSIENT_REASONS]
    if others or not reasons:
        return StoreUnavailableError(error.operation, others[0] if others else error.code)
    return TransactionConflict({n for n, reason in enumerate(reasons) if reason.get("Code") != "None"})


def _listed(attributes: Collection[str] | None) -> str | None:
    return None if attributes is None else ", ".join(f"{{{name}}}" for name in attributes)


@lru_cache(maxsize=256)
def _parse(expression: str) -> tuple[str, frozenset[str]]:
    """The expression with placeholders for its attributes, and their names. There are few, used again and again."""
    names = frozenset(field for _, field, _, _ in string.Formatter().parse(expression) if field)
    return expression.format_map({name: f"#{name}" for name in names}), names


def _expressions(
    values: Mapping[str, Any], aliases: Mapping[str, str] | None = None, **expressions: str | None
) -> dict[str, Any]:
    """Expressions with their placeholders, in the form of the API."""
    parsed = {kind: _parse(text) for kind, text in expressions.items() if text}
    result: dict[str, Any] = {kind: text for kind, (text, _) in parsed.items()}
    known = aliases or {}
    if names := {f"#{name}": known.get(name, name) for _, fields in parsed.values() for name in fields}:
        result["ExpressionAttributeNames"] = names
    if values:
        result["ExpressionAttributeValues"] = to_wire({f":{name}": value for name, value in values.items()})
    return result
