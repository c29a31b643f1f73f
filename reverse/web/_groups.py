"""Group chats of several bots, played by this client; Poe sees separate chats.

Each turn one bot is given the latest lines of the shared log and answers in its own Poe chat
(docs/reference/poe-web.md#groups). Choosing who speaks is pure; the state of a group is data that can be stored as
JSON.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, field, replace
from typing import Any

from lazy_dataclasses import dataclass
from reverse import resending
from reverse.chat import ChatRef, ChatRequest, Message, PoeClient
from reverse.errors import ErrorCode, poe_error
from reverse.events import ChatStarted, TextDelta, TextReplaced

# Lines of the log that a bot is shown; its own chat remembers what came before.
_SHOWN_LINES = 20
_MAX_LOG_LINES = 500
_MAX_TURNS = 50


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A bot in a group; `name` is what the others call it, `chat` where its side of the conversation is.

    `talkativeness` (0 to 1) is its weight where chance decides who speaks.
    """

    bot: str
    name: str
    chat: ChatRef | None = None
    talkativeness: float = 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """One contribution to the conversation."""

    speaker: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class GroupDelta:
    """Text that a member says; `replaces` is set when it takes the place of all the member said in this turn."""

    speaker: str
    text: str
    replaces: bool = False


@dataclass(slots=True)
class Group:
    """A group of bots and what was said so far."""

    name: str
    members: tuple[GroupMember, ...]
    log: list[Line] = field(default_factory=list)
    previous: str | None = None
    """Name of the member who spoke last; nobody speaks twice in a row."""

    def __post_init__(self) -> None:
        names = [member.name.lower() for member in self.members]
        if not names or len(set(names)) != len(names):
            raise ValueError("a group needs members with different names")

    @classmethod
    def of(cls, name: str, bots: Sequence[str]) -> Group:
        """A group of bots that are called by their handles."""
        return cls(name, tuple(GroupMember(bot, bot) for bot in bots))

    def to_json(self) -> dict[str, Any]:
        """The group as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Group:
        """The group that `to_json` described. Raises `ValueError` for anything else."""
        try:
            members = tuple(
                GroupMember(
                    str(m["bot"]),
                    str(m["name"]),
                    ChatRef(**m["chat"]) if m["chat"] else None,
                    float(m.get("talkativeness", 0.5)),
                )
                for m in data["members"]
            )
            log = [Line(str(line["speaker"]), str(line["text"])) for line in data["log"]]
            return cls(str(data["name"]), members, log, data["previous"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("this is no stored group") from error

    async def say(
        self,
        client: PoeClient,
        text: str = "",
        *,
        user: str = "User",
        turns: int | None = None,
        pause_seconds: tuple[float, float] = (0.0, 0.0),
        rng: random.Random | None = None,
    ) -> AsyncGenerator[GroupDelta, None]:
        """Say something to the group and yield what its members answer, one after the other.

        Without a text they go on where the conversation is. `turns` is by default between once and twice the number
        of members, `pause_seconds` the least and the longest wait between two. Use it under `contextlib.aclosing`:
        closing early stops the bot that is speaking. Raises `PoeError`; what was said until then stays in the log.
        """
        rng = rng or random.Random()  # noqa: S311 - who speaks next is a game
        if turns is not None and not 0 < turns <= _MAX_TURNS:
            raise poe_error(ErrorCode.INVALID_REQUEST, f"a group takes 1 to {_MAX_TURNS} turns at a time")
        if text:
            self._add(Line(user, text))
        if not self.log:
            raise poe_error(ErrorCode.INVALID_REQUEST, "there is nothing to answer: say something to the group first")
        for turn in range(turns or rng.randint(len(self.members), 2 * len(self.members))):
            if turn:
                await asyncio.sleep(rng.uniform(*pause_seconds))
            speaker = choose_speaker(self.members, self.log[-1].text, self.previous, rng)
            # Closed here: a generator that is left to the garbage collector would stop the bot some time later.
            async with aclosing(self._turn(client, speaker)) as deltas:
                async for delta in deltas:
                    yield delta

    async def _turn(self, client: PoeClient, speaker: GroupMember) -> AsyncGenerator[GroupDelta, None]:
        said = ""
        try:
            async with aclosing(resending.stream(client, self._request(speaker))) as events:
                async for event in events:
                    match event:
                        case ChatStarted():
                            self._remember_chat(speaker, ChatRef(event.chat_id, event.chat_code))
                        case TextDelta(more):
                            said += more
                            yield GroupDelta(speaker.name, more)
                        case TextReplaced(whole):
                            said = whole
                            yield GroupDelta(speaker.name, whole, replaces=True)
        finally:
            # Whoever was interrupted has spoken too: the others heard it.
            if said:
                self._add(Line(speaker.name, said))
                self.previous = speaker.name

    def _request(self, speaker: GroupMember) -> ChatRequest:
        current = next(member for member in self.members if member.name == speaker.name)
        others = ", ".join(member.name for member in self.members if member.name != speaker.name)
        lines = "\n".join(f"{line.speaker}: {line.text}" for line in self._unseen_by(speaker))
        prompt = (
            f"You are {speaker.name} in a group conversation with {others or 'nobody else'} and people. "
            f"Answer as {speaker.name} only, without writing your name first.\n\n{lines}"
        )
        return ChatRequest(current.bot, [Message("user", prompt)], chat=current.chat)

    def _unseen_by(self, speaker: GroupMember) -> list[Line]:
        """The lines since the member's own last one, as far as they are shown."""
        spoken = [n for n, line in enumerate(self.log) if line.speaker == speaker.name]
        return self.log[spoken[-1] + 1 if spoken else 0 :][-_SHOWN_LINES:]

    def _remember_chat(self, speaker: GroupMember, chat: ChatRef) -> None:
        self.members = tuple(
            replace(member, chat=chat) if member.name == speaker.name else member for member in self.members
        )

    def _add(self, line: Line) -> None:
        self.log.append(line)
        del self.log[:-_MAX_LOG_LINES]


def count_mentions(member: GroupMember, text: str) -> int:
    """How often a text names a member, by name or by bot."""
    names = {member.name.lower(), member.bot.lower()}
    return sum(len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text.lower())) for name in names)


def choose_speaker(members: Sequence[GroupMember], text: str, previous: str | None, rng: random.Random) -> GroupMember:
    """Who answers: the member that the last text names most, never the same twice in a row.

    Among equals chance decides, weighted by talkativeness.
    """
    candidates = [member for member in members if member.name != previous] or list(members)
    most = max(count_mentions(member, text) for member in candidates)
    equals = [member for member in candidates if count_mentions(member, text) == most]
    # Somebody has to speak, also where nobody likes to.
    return rng.choices(equals, [max(member.talkativeness, 0.001) for member in equals])[0]
