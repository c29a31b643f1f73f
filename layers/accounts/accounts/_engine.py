"""A DynamoDB table in this process's memory: its operations, at the level of AWS's JSON.

The in-memory store stands on it, and so do the stand-ins that add AWS's faults. Every operation happens at once; an
index that is behind, conflicts and throttling are matters of a caller that spreads operations over time.
"""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any

from accounts._aws import AwsError
from accounts._expressions import ExpressionError, Scope, apply_update, key_range, parse_condition, plain
from lazy_dataclasses import dataclass

Item = Mapping[str, Any]
"""An item in typed JSON. Items are replaced, never changed."""
MAX_PAGE_BYTES = 1_000_000
SHORT_PAGE = 100
_NOWHERE = Scope({}, {})


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index: which attributes it is sorted by, and whether it has the others, too."""

    partition: str
    sort: str
    has_all: bool


INDEXES = {"selectable": Index("sel_pk", "eligible_at", True), "due": Index("due_pk", "due_at", False)}


@dataclass(slots=True)
class _Sorted:
    """The items of one partition, by sort key."""

    keys: list[Any] = field(default_factory=list)
    items: dict[Any, Item] = field(default_factory=dict)

    def put(self, key: Any, item: Item) -> None:
        if key not in self.items:
            insort(self.keys, key)
        self.items[key] = item

    def remove(self, key: Any) -> None:
        if self.items.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]


class Engine:
    """One table, with the keys `pk` and `sk`. Raises `AwsError` as AWS would, for what the store may meet."""

    def __init__(
        self,
        *,
        indexes: Mapping[str, Index] = INDEXES,
        index_later: Callable[[Callable[[], None]], None] = lambda change: change(),
    ) -> None:
        self._partitions: dict[str, _Sorted] = {}
        self._indexes = dict(indexes)
        self._indexed: dict[str, dict[str, _Sorted]] = {name: {} for name in indexes}
        self._index_later = index_later
        self._operations: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "GetItem": self._get_item,
            "PutItem": lambda payload: self._write_alone("Put", payload),
            "UpdateItem": lambda payload: self._write_alone("Update", payload),
            "DeleteItem": lambda payload: self._write_alone("Delete", payload),
            "Query": self._query,
            "Scan": self._scan,
            "BatchGetItem": self._batch_get,
            "BatchWriteItem": self._batch_write,
            "TransactWriteItems": self._transact,
        }

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Do one operation. Raises `AwsError`."""
        handle = self._operations.get(operation)
        if handle is None:
            raise AwsError(operation, "UnknownOperationException", status=400)
        try:
            return handle(payload)
        except ExpressionError as error:
            raise AwsError(operation, "ValidationException", status=400, response={"message": str(error)}) from error

    def items(self) -> Iterator[Item]:
        """All items."""
        for partition in self._partitions.values():
            yield from (partition.items[key] for key in partition.keys)

    def _find(self, key: Mapping[str, Any]) -> Item | None:
        partition = self._partitions.get(key["pk"]["S"])
        return partition.items.get(key["sk"]["S"]) if partition else None

    def _store(self, key: Mapping[str, Any], item: Item | None) -> None:
        pk, sk = key["pk"]["S"], key["sk"]["S"]
        partition = self._partitions.setdefault(pk, _Sorted())
        before = partition.items.get(sk)
        if item is None:
            partition.remove(sk)
        else:
            partition.put(sk, item)
        # Else every deleted session would leave an empty partition behind.
        if not partition.keys:
            del self._partitions[pk]
        for name, index in self._indexes.items():
            old, new = _place(before, index), _place(item, index)
            if old is not None or new is not None:
                # An index follows after the write, at once here and later in the stand-ins: nobody may rely on it.
                self._index_later(lambda n=name, o=old, w=new, i=item: self._reindex(n, o, w, i))  # type: ignore[misc]

    def _reindex(self, name: str, old: Any, new: Any, item: Item | None) -> None:
        partitions = self._indexed[name]
        if old is not None and (old_partition := partitions.get(old[0])) is not None:
            old_partition.remove(old[1])
        if new is not None and item is not None:
            index = self._indexes[name]
            # The index of due accounts has keys only, as in AWS: less to write with each change.
            kept = item if index.has_all else {n: item[n] for n in ("pk", "sk", index.partition, index.sort)}
            partitions.setdefault(new[0], _Sorted()).put(new[1], kept)

    def _get_item(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        item = self._find(payload["Key"])
        return {"Item": item} if item is not None else {}

    def _batch_get(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        found = {
            table: _projected([item for key in asked["Keys"] if (item := self._find(key)) is not None], asked)
            for table, asked in payload["RequestItems"].items()
        }
        return {"Responses": found, "UnprocessedKeys": {}}

    def _batch_write(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        for requests in payload["RequestItems"].values():
            for request in requests:
                if "DeleteRequest" in request:
                    self._store(request["DeleteRequest"]["Key"], None)
                else:
                    item = _encoded(request["PutRequest"]["Item"])
                    self._store(item, item)
        return {"UnprocessedItems": {}}

    def _write_alone(self, kind: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        key, before, after = self._prepared(kind, payload)
        if not _holds(payload, before):
            response = {"Item": before} if before is not None and _wants_old(payload) else {}
            raise AwsError(f"{kind}Item", "ConditionalCheckFailedException", status=400, response=response)
        self._store(key, after())
        return {"Attributes": self._find(key)} if payload.get("ReturnValues") == "ALL_NEW" else {}

    def _transact(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        # All are judged before any is stored.
        writes = [self._prepared(*next(iter(item.items()))) for item in payload["TransactItems"]]
        bodies = [next(iter(item.values())) for item in payload["TransactItems"]]
        reasons: list[dict[str, Any]] = []
        for (_, before, _), body in zip(writes, bodies, strict=True):
            failed: dict[str, Any] = {"Code": "ConditionalCheckFailed"}
            failed |= {"Item": before} if before is not None and _wants_old(body) else {}
            reasons.append({"Code": "None"} if _holds(body, before) else failed)
        if any(reason["Code"] != "None" for reason in reasons):
            response = {"CancellationReasons": reasons}
            raise AwsError("TransactWriteItems", "TransactionCanceledException", status=400, response=response)
        # Computed first: one that can't be must leave the others unwritten, too.
        for key, after in [(key, after()) for key, _, after in writes]:
            self._store(key, after)
        return {}

    def _prepared(
        self, kind: str, body: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Item | None, Callable[[], Item | None]]:
        """The key of a write, the item before it, and a function that computes the item after it."""
        key = body["Item"] if kind == "Put" else body["Key"]
        before = self._find(key)
        if kind == "Put":
            return key, before, lambda: _encoded(body["Item"])
        if kind == "Delete":
            return key, before, lambda: None
        # An update makes the item where there is none.
        start = before if before is not None else dict(body["Key"])
        return key, before, lambda: _encoded(apply_update(body["UpdateExpression"], start, _scope(body)))

    def _scan(self, _: Mapping[str, Any]) -> dict[str, Any]:
        items = list(self.items())
        return {"Items": items, "Count": len(items)}

    def _query(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        index = self._indexes.get(payload.get("IndexName", ""))
        wanted = key_range(payload["KeyConditionExpression"], _scope(payload), index.partition if index else "pk")
        partitions = self._indexed[payload["IndexName"]] if index else self._partitions
        partition = partitions.get(wanted.partition) or _Sorted()
        keys = partition.keys
        # In an index several items may have one sort value, so its keys have those of the table after it.
        low = 0 if wanted.low is None else bisect_left(keys, (wanted.low,) if index else wanted.low)
        if wanted.is_low_open:
            low = bisect_right(keys, (wanted.low, chr(0x10FFFF)) if index else wanted.low)
        high = len(keys)
        if wanted.high is not None:
            bound = bisect_left if wanted.is_high_open else bisect_right
            end = (wanted.high,) if wanted.is_high_open else (wanted.high, chr(0x10FFFF))
            high = bound(keys, end if index else wanted.high)
        is_forward = payload.get("ScanIndexForward", True)
        if start := payload.get("ExclusiveStartKey"):
            after = _index_key(start, index) if index else start["sk"]["S"]
            if is_forward:
                low = max(low, bisect_right(keys, after))
            else:
                high = min(high, bisect_left(keys, after))
        chosen = keys[low:high] if is_forward else keys[low:high][::-1]
        return self._page_of([partition.items[key] for key in chosen], payload, index)

    def _page_of(self, items: list[Item], payload: Mapping[str, Any], index: Index | None) -> dict[str, Any]:
        limit = payload.get("Limit", len(items))
        page, size = [], 0
        for item in items[:limit]:
            page.append(item)
            # No short page comes near the limit: an item has 400 KB at most, and ours have far less.
            size += _size(item) if limit > SHORT_PAGE else 0
            if size > MAX_PAGE_BYTES:
                break
        answer: dict[str, Any] = {}
        # AWS gives a key whenever it stopped at a limit, even if nothing follows.
        if page and (len(page) < len(items) or len(page) == payload.get("Limit")):
            names = ("pk", "sk", index.partition, index.sort) if index else ("pk", "sk")
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in names}
        # After the page was cut: what a filter leaves out was read, and counts.
        if only := payload.get("FilterExpression"):
            condition, scope = parse_condition(only), _scope(payload)
            page = [item for item in page if condition(item, scope)]
        answer |= {"Count": len(page)}
        return answer if payload.get("Select") == "COUNT" else answer | {"Items": _projected(page, payload)}


def _projected(items: list[Item], asked: Mapping[str, Any]) -> list[Item]:
    """The attributes of the items that are asked for: whole ones, never parts of one."""
    if (text := asked.get("ProjectionExpression")) is None:
        return items
    names = [asked["ExpressionAttributeNames"][part.strip()] for part in text.split(",")]
    return [{name: item[name] for name in names if name in item} for item in items]


def _place(item: Item | None, index: Index) -> tuple[str, Any] | None:
    """Partition and key of an item in an index; `None` if it is not in it."""
    if item is None or index.partition not in item or index.sort not in item:
        return None
    return item[index.partition]["S"], _index_key(item, index)


def _index_key(item: Mapping[str, Any], index: Index) -> tuple[Any, str, str]:
    return plain(item[index.sort])[1], item["pk"]["S"], item["sk"]["S"]


def _holds(body: Mapping[str, Any], item: Item | None) -> bool:
    text = body.get("ConditionExpression")
    return text is None or parse_condition(text)(item or {}, _scope(body))


def _wants_old(body: Mapping[str, Any]) -> bool:
    return body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"


def _scope(body: Mapping[str, Any]) -> Scope:
    if "ExpressionAttributeNames" not in body:
        return _NOWHERE
    return Scope(body["ExpressionAttributeNames"], body.get("ExpressionAttributeValues", {}))


def _encoded(item: Mapping[str, Any]) -> Item:
    """The item as it comes back from AWS: binary values as base64."""
    return {name: _encoded_value(value) for name, value in item.items()}


def _encoded_value(value: Mapping[str, Any]) -> Mapping[str, Any]:
    [(letter, content)] = value.items()
    if letter == "B" and isinstance(content, bytes):
        return {"B": base64.b64encode(content).decode()}
    return value


def _size(item: Item) -> int:
    """About as many bytes as AWS counts."""
    return sum(len(name) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    [(letter, content)] = value.items()
    if letter == "M":
        return 3 + _size(content)
    if letter == "L":
        return 3 + sum(_value_size(element) for element in content)
    return 1 if isinstance(content, bool) else len(content)
