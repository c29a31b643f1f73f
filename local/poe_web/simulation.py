"""The state of one simulator: world, journal, pending faults and running answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from local.poe_web.answers import Prompt
from local.poe_web.delivery import Broadcaster, Delivery, refusal_plan
from local.poe_web.journal import Journal
from local.poe_web.plan import Plan, StreamFault
from local.poe_web.scenarios import Fault, Target
from local.poe_web.world import Job, World
from local.scenarios import ScenarioQueue


@dataclass(slots=True)
class Settings:
    """How the service behaves when nothing is wrong; may be changed at any time. All in seconds.

    `pace_seconds` is between two events of an answer, `answer_delay_seconds` between the answer to a mutation and its
    first event, `latency_seconds` is added to every HTTP response and every socket handshake. `base_host` is what the
    channel settings name. The points of an answer are gone when it begins; the event with its cost follows its end by
    `cost_delay_seconds`, and the points history lists it `history_delay_seconds` after it began.
    """

    pace_seconds: float = 0.02
    answer_delay_seconds: float = 0.05
    latency_seconds: float = 0.0
    base_host: str = ""
    cost_delay_seconds: float = 0.0
    history_delay_seconds: float = 0.0


@dataclass(slots=True)
class Simulation:
    """Everything that requests work on."""

    settings: Settings
    world: World = field(default_factory=World)
    journal: Journal = field(default_factory=Journal)
    scenarios: ScenarioQueue[Fault, Target] = field(default_factory=ScenarioQueue)
    out: Broadcaster = field(init=False)
    _answers: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.out = Broadcaster(self.journal)

    def answer(self, job: Job, faults: Iterable[Fault], answered: asyncio.Event) -> Delivery:
        """Let a job run as a task of its own; `answered` is set when its mutation has been answered."""
        if self.world.pay(job):
            prompt = Prompt(job.question.text, job.question.attachments, self.world.store_file)
            plan = Plan.of(job.bot.answer(prompt))
        else:
            plan = refusal_plan()
        for fault in faults:
            if isinstance(fault, StreamFault):
                plan = fault.shape(plan)
        delivery = Delivery(
            self.world,
            self.out,
            job,
            plan,
            self.settings.pace_seconds,
            cost_delay_seconds=self.settings.cost_delay_seconds,
        )
        task = asyncio.get_running_loop().create_task(delivery.run(answered, self.settings.answer_delay_seconds))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)
        return delivery

    async def start_over(self) -> None:
        """End answers and forget accounts, changed bots and files."""
        await self.stop_answers()
        for account in self.world.accounts.values():
            account.channel.cut("close")
        self.world = World(public_url=self.world.public_url, now=self.world.now)

    async def idle(self) -> None:
        """Wait until no answer is running."""
        while self._answers:
            await asyncio.wait(self._answers)

    async def stop_answers(self) -> None:
        """End all running answers where they are."""
        running = list(self._answers)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
