"""Faults of a stream that send what no client expects: events that it does not know, and frames that are none."""

from __future__ import annotations

import json
from dataclasses import dataclass

from local.poe_web.channel import RawBytes
from local.poe_web.plan import (
    Action,
    Events,
    Plan,
    Raw,
    StreamFault,
)

_UNKNOWN_EVENTS = (
    json.dumps({"message_type": "somethingNew", "payload": {"x": 1}}),
    json.dumps(
        {
            "message_type": "subscriptionUpdate",
            "payload": {"subscription_name": "messageReactionsUpdated", "data": None},
        }
    ),
    json.dumps(
        {
            "message_type": "subscriptionUpdate",
            "payload": {
                "subscription_name": "somethingNew",
                "unique_id": "somethingNew:1",
                "data": {"somethingNew": {"a": []}},
            },
        }
    ),
)


@dataclass(frozen=True, slots=True)
class UnknownEvents(StreamFault):
    """Well-formed events and frames that no client knows yet."""

    at: int = 1

    def shape(self, plan: Plan) -> Plan:
        """Put them there."""
        frames = (Raw('{"type":"hello","version":9}'), Raw('{"type":"ping"}'), Raw("{}"))
        return plan.insert(self.at, Events(_UNKNOWN_EVENTS), *frames)


@dataclass(frozen=True, slots=True)
class GarbageFrames(StreamFault):
    """Frames that are not what they should be: no JSON, wrong types, binary.

    `stray` bytes then break the WebSocket itself.
    """

    at: int = 1
    stray: bool = False

    def shape(self, plan: Plan) -> Plan:
        """Put them there."""
        texts = (
            "",
            "not json",
            "[]",
            "7",
            '{"messages":',
            '{"messages":7}',
            '{"messages":[7,null,"not json","[]","{}"]}',
        )
        frames: tuple[Action, ...] = (*map(Raw, texts), Raw(b"\x00\xff\xfe"))
        return plan.insert(self.at, *frames, *((Raw(RawBytes(b"\xff" * 16)),) if self.stray else ()))
