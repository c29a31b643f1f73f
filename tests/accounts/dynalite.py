"""dynalite, another stand-in for DynamoDB, for the store contract.

dynalite 4.0.0 has no transactions, and does not return the item whose condition failed. Here that item is read first,
and a transaction is made of its single writes, each with its own condition, one transaction at a time, and undone if
one of them fails. So dynalite judges keys, conditions, update expressions, types, indexes and pages; that a transaction
is all or nothing is what moto and the simulation show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from accounts._aws import AwsError, Exchange

_ALONE = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
_ASKED = "ReturnValuesOnConditionCheckFailure"


class DynaliteExchange:
    """An `Exchange` to dynalite, and to what `inner` has for other services."""

    def __init__(self, inner: Exchange) -> None:
        self._inner = inner
        self._lock = asyncio.Lock()
        self.clock_offset = 0.0

    async def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if service != "dynamodb":
            return await self._inner.send(service, operation, payload)
        async with self._lock:
            if operation == "TransactWriteItems":
                return await self._transact(payload["TransactItems"])
            return await self._alone(operation, payload)

    async def connect(self, service: str, number: int) -> None:
        await self._inner.connect(service, number)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _alone(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        known = {name: value for name, value in payload.items() if name != _ASKED}
        item = await self._read(payload) if _ASKED in payload else {}
        try:
            return await self._inner.send("dynamodb", operation, known)
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException" and item:
                raise AwsError(operation, error.code, status=error.status, response={"Item": item}) from None
            raise

    async def _transact(self, actions: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
        before = [await self._read(action) for one in actions for action in one.values()]
        reasons = [await self._try(kind, action) for one in actions for kind, action in one.items()]
        if all(reason["Code"] == "None" for reason in reasons):
            return {}
        for one, item in zip(actions, before, strict=True):
            [action] = one.values()
            if item:
                await self._alone("PutItem", {"TableName": action["TableName"], "Item": item})
            else:
                await self._alone("DeleteItem", {"TableName": action["TableName"], "Key": _key(action)})
        response = {"CancellationReasons": reasons}
        raise AwsError("TransactWriteItems", "TransactionCanceledException", status=400, response=response)

    async def _read(self, action: Mapping[str, Any]) -> dict[str, Any]:
        asked = {"TableName": action["TableName"], "Key": _key(action), "ConsistentRead": True}
        item: dict[str, Any] = (await self._alone("GetItem", asked)).get("Item", {})
        return item

    async def _try(self, kind: str, action: Mapping[str, Any]) -> dict[str, Any]:
        try:
            await self._alone(_ALONE[kind], action)
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return {"Code": "ConditionalCheckFailed", **error.response}
        return {"Code": "None"}


def _key(action: Mapping[str, Any]) -> dict[str, Any]:
    key = action.get("Key") or action["Item"]
    return {name: key[name] for name in ("pk", "sk")}
