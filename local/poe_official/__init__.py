"""A stand-in for Poe's documented API: answers, usage, uploads, sign-in, and faults on request.

Written from docs/reference/poe-official.md alone and without importing the client, so that the two do not share a
mistake. The faults are in `local.poe_official.faults`.
"""

from local.poe_official.journal import RequestRecord, SentRecord
from local.poe_official.scenarios import Scenario
from local.poe_official.simulator import PoeOfficialSimulator
from local.poe_official.world import OfficialAccount

__all__ = ["OfficialAccount", "PoeOfficialSimulator", "RequestRecord", "Scenario", "SentRecord"]
