"""A stand-in for Poe's documented API: answers, usage, uploads, sign-in, and faults on request.

Written from the wire reference alone, so that it is a second opinion on the client: it never imports what it stands in
for. The faults are in `local.poe_official.faults`.
"""

from local.poe_official.journal import RequestRecord, SentRecord
from local.poe_official.scenarios import Scenario
from local.poe_official.simulator import PoeOfficialSimulator
from local.poe_official.world import OfficialAccount

__all__ = ["OfficialAccount", "PoeOfficialSimulator", "RequestRecord", "Scenario", "SentRecord"]
