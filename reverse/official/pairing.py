"""Tool calls and their results as pairs: what every provider demands of a history. Pure.

Providers refuse a call whose results do not follow at once, one for each call, and a result without a call. Histories
that agents send have texts in between, results that come late or twice, and calls that were never answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reverse.chat import Message

_LOST = "(There is no result of this call.)"


def paired(messages: Sequence[Message]) -> list[Message]:
    """The same messages with the results of each call right behind it, in the order of the calls.

    A call without a result gets one that says so; a result without a call, or a second one, becomes a message of the
    user. Two calls of one id in one message become one.
    """
    if not any(message.role == "tool" or message.tool_calls for message in messages):
        return list(messages)
    answers, used = _answers(messages)
    found: list[Message] = []
    for position, message in enumerate(messages):
        if message.tool_calls:
            calls = {call.id: call for call in message.tool_calls}
            found.append(replace(message, tool_calls=tuple(calls.values())))
            found += [answers.get((position, call_id)) or _missing(call_id) for call_id in calls]
        elif message.role != "tool":
            found.append(message)
        elif position not in used:
            found.append(_as_result(message))
    return found


def _answers(messages: Sequence[Message]) -> tuple[dict[tuple[int, str], Message], set[int]]:
    """Results by the position of the message with the call and the call's id, and the results' own positions."""
    waiting: dict[str, int] = {}  # unanswered call → position of its message
    answers: dict[tuple[int, str], Message] = {}
    used: set[int] = set()
    for position, message in enumerate(messages):
        call_id = message.tool_call_id or ""
        if message.role != "tool":
            waiting |= {call.id: position for call in message.tool_calls}
        elif call_id in waiting:
            answers[waiting.pop(call_id), call_id] = message
            used.add(position)
    return answers, used


def _as_result(result: Message) -> Message:
    return replace(result, role="user", text=f"Result of a tool: {result.text}", tool_call_id=None, name=None)


def _missing(call_id: str) -> Message:
    return Message("tool", _LOST, tool_call_id=call_id)
