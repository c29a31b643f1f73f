"""Tool calls and their results as pairs: what every provider demands of a history. Pure.

Providers refuse a call whose results do not follow at once, one for each call, a result without a call, and two calls
with one id. Histories that agents send have texts in between, results that come late, early, twice or without an id,
calls that were never answered, and ids that were used again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import field, replace

from lazy_dataclasses import dataclass
from reverse.chat import Message, ToolCall

_LOST = "(There is no result of this call.)"


@dataclass(slots=True)
class _Slot:
    """One call of the history, and its result."""

    position: int
    """Of the message with the call."""
    call: ToolCall
    result: Message | None = None


@dataclass(slots=True)
class _Pairs:
    """The calls by their message, and which results belong to none."""

    slots: dict[int, list[_Slot]] = field(default_factory=dict)
    orphans: set[int] = field(default_factory=set)
    """Positions of results without a call."""


def paired(messages: Sequence[Message], legal_id: Callable[[str], str] = str) -> list[Message]:
    """The same messages with the results of each call right behind it, in the order of the calls, and unique ids.

    Text of the assistant between a call and its result becomes part of the message with the call: what comes last stays
    last. A call without a result gets one that says so; a result without a call, or a second one, becomes a message of
    the user. `legal_id` makes an id that the endpoint takes of one that another API may have given.
    """
    # The usual case.
    if not any(message.role == "tool" or message.tool_calls for message in messages):
        return list(messages)
    pairs = _find_pairs(messages)
    between = _texts_between(messages, pairs)
    moved = {at for positions in between.values() for at in positions}
    ids = _UniqueIds(legal_id)
    found: list[Message] = []
    for position, message in enumerate(messages):
        if position in moved:
            continue
        if message.tool_calls:
            whole = _joined([message, *(messages[at] for at in between.get(position, ()))])
            found += _with_results(whole, pairs.slots[position], ids)
        elif message.role != "tool":
            found.append(message)
        elif position in pairs.orphans:
            found.append(_as_result(message))
    return found


def _find_pairs(messages: Sequence[Message]) -> _Pairs:
    pairs = _Pairs()
    waiting = _Waiting()
    early: dict[str, list[tuple[int, Message]]] = {}  # results whose call has not come
    for position, message in enumerate(messages):
        if message.role == "tool":
            slot = waiting.take(message.tool_call_id)
            if slot is not None:
                slot.result = message
            else:
                early.setdefault(message.tool_call_id or "", []).append((position, message))
        elif message.tool_calls:
            pairs.slots[position] = [_Slot(position, call) for call in message.tool_calls]
            waiting.add(pairs.slots[position])
    # After all calls are known: a result that came too early finds its call now.
    for call_id, results in early.items():
        for position, result in results:
            slot = waiting.take(call_id) if call_id else None
            if slot is None:
                pairs.orphans.add(position)
            else:
                slot.result = result
    for position, slots in pairs.slots.items():
        pairs.slots[position] = _without_repeated(slots)
    return pairs


class _Waiting:
    """Calls without a result: by id those of the last message first, in their order there."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[deque[_Slot]]] = {}

    def add(self, slots: Sequence[_Slot]) -> None:
        """The calls of one message."""
        own: dict[str, deque[_Slot]] = {}
        for slot in slots:
            own.setdefault(slot.call.id, deque()).append(slot)
        for call_id, group in own.items():
            self._by_id.setdefault(call_id, []).append(group)

    def take(self, call_id: str | None) -> _Slot | None:
        """The call that a result of this id is of; without an id the one that waits longest."""
        call_id = call_id or next(iter(self._by_id), "")
        groups = self._by_id.get(call_id)
        if groups is None:
            return None
        # The newest message with this id: agents that reuse ids mean their last call.
        slot = groups[-1].popleft()
        if not groups[-1]:
            groups.pop()
        if not groups:
            del self._by_id[call_id]
        return slot


def _without_repeated(slots: list[_Slot]) -> list[_Slot]:
    """One message's calls without those that are there already, word for word, and have no result of their own."""
    kept: dict[tuple[str, str, str], _Slot] = {}
    told: list[_Slot] = []
    for slot in slots:
        key = (slot.call.id, slot.call.name, slot.call.arguments)
        twin = kept.setdefault(key, slot)
        # Two results are two calls, however alike.
        if twin is slot or (twin.result is not None and slot.result is not None):
            told.append(slot)
        else:
            twin.result = twin.result or slot.result
    return told


def _texts_between(messages: Sequence[Message], pairs: _Pairs) -> dict[int, list[int]]:
    """Position of calls → positions of the assistant's texts that stand between them and their results."""
    # By identity: two results may be equal word for word.
    results = {id(slot.result): slot for slots in pairs.slots.values() for slot in slots if slot.result is not None}
    joined: dict[int, list[int]] = {}
    calls_at: int | None = None
    texts: list[int] = []
    for position, message in enumerate(messages):
        if message.role == "tool":
            slot = results.get(id(message))
            if slot is not None and slot.position == calls_at:
                joined.setdefault(slot.position, []).extend(texts)
                texts = []
        elif message.tool_calls:
            calls_at, texts = position, []
        elif message.role == "assistant":
            texts.append(position)
        else:
            # Somebody else has spoken: what follows answers them, and stays where it is.
            calls_at, texts = None, []
    return joined


def _joined(messages: Sequence[Message]) -> Message:
    """The first message with the texts of the others."""
    if len(messages) == 1:
        return messages[0]
    files = [file for one in messages for file in one.attachments]
    text = "\n\n".join(one.text for one in messages if one.text)
    return replace(messages[0], text=text, attachments=tuple(files))


def _with_results(message: Message, slots: list[_Slot], ids: _UniqueIds) -> list[Message]:
    calls, results = list[ToolCall](), list[Message]()
    for slot in slots:
        own_id = ids.own(slot.call.id)
        calls.append(slot.call if own_id == slot.call.id else replace(slot.call, id=own_id))
        result = slot.result
        # A call without a result would be refused; so that the model is told.
        results.append(Message("tool", _LOST, tool_call_id=own_id) if result is None else _answering(result, own_id))
    return [replace(message, tool_calls=tuple(calls)), *results]


def _answering(result: Message, call_id: str) -> Message:
    return result if result.tool_call_id == call_id else replace(result, tool_call_id=call_id)


class _UniqueIds:
    """Gives every call of a history an id of its own, the same ones each time."""

    def __init__(self, legal_id: Callable[[str], str]) -> None:
        self._legal_id = legal_id
        self._counts: dict[str, int] = {}

    def own(self, call_id: str) -> str:
        """The call's id, with a number where it was used before."""
        # Providers refuse an empty id.
        base = self._legal_id(call_id) or "call"
        own, number = base, self._counts.get(base, 0)
        # Until it is free: "call_2" may be another call's own id.
        while own in self._counts:
            number += 1
            own = f"{base}_{number + 1}"
        self._counts[base] = number
        self._counts.setdefault(own, 0)
        return own


def _as_result(result: Message) -> Message:
    # Kept as text: the model may need it, and a result without a call is refused.
    return replace(result, role="user", text=f"Result of a tool: {result.text}", tool_call_id=None, name=None)
