"""A stand-in for poe.com's web side: pages, GraphQL, realtime channel, faults on request.

Written from docs/reference/poe-web.md alone and without importing the client, so that the two do not share a mistake.
Faults are in `local.poe_web.request_faults` and `local.poe_web.stream_faults`.
"""

from local.poe_web.accounts import Chat, Message, SimulatedAccount
from local.poe_web.bots import Bot
from local.poe_web.journal import RequestRecord, SentRecord
from local.poe_web.scenarios import Scenario
from local.poe_web.simulator import PoeWebSimulator

__all__ = [
    "Bot",
    "Chat",
    "Message",
    "PoeWebSimulator",
    "RequestRecord",
    "Scenario",
    "SentRecord",
    "SimulatedAccount",
]
