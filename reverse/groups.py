"""Group chats: several bots and one person, orchestrated here, because Poe knows nothing of them.

A group is a list of bots and a log. Each turn one bot is given what was said since it last spoke and answers in its
own Poe chat (poe-web reference 4.10, November 2026). Groups live in memory; `save` and `load` keep them in JSON files.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reverse.chat import ChatRef, ChatRequest, Message, PoeClient
from reverse.events import ChatStarted, TextDelta, TextReplaced

_NAME = re.compile(r"[\w-][\w .-]{0,63}")
# The log of a long conversation: what no bot will be told any more is dropped from the front.
_MAX_LOG = 1000
_MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class Member:
    """A bot in a group. `name` is what the others call it, `talkativeness` (0 to 1) its weight where chance decides."""

    bot: str
    name: str
    talkativeness: float = 0.5
    chat_id: int | None = None
    chat_code: str | None = None
    priority: int = 0
    """How often the last text mentioned it."""
    heard: int = 0
    """How many lines of the conversation it has been told, counted from the very first."""


@dataclass(slots=True)
class Group:
    """A group with its conversation. The log's lines are (speaker, text)."""

    name: str
    members: list[Member]
    log: list[tuple[str, str]] = field(default_factory=list, repr=False)
    dropped_lines: int = 0
    """Lines that the log has lost at its front."""
    recent_speakers: list[str] = field(default_factory=list)
    """The names of the last two bots that spoke, newest last: chance passes over them while there are others."""

    def member(self, name: str) -> Member | None:
        """The member with this name."""
        return next((member for member in self.members if member.name == name), None)

    def say(self, speaker: str, text: str) -> None:
        """Add a line to the log."""
        self.log.append((speaker, text))
        surplus = max(0, len(self.log) - _MAX_LOG)
        del self.log[:surplus]
        self.dropped_lines += surplus

    def unheard(self, member: Member) -> list[tuple[str, str]]:
        """What was said since the member was last told, its own words left out."""
        start = max(0, member.heard - self.dropped_lines)
        return [(speaker, text) for speaker, text in self.log[start:] if speaker != member.name]


@dataclass(frozen=True, slots=True)
class Spoken:
    """Text that a bot of a group adds to what it says; where the bot took its text back, the new text on a new line."""

    bot: str
    text: str


class Groups:
    """The groups of one client. `pause_seconds` are the bounds of the wait before each turn."""

    def __init__(
        self,
        client: PoeClient,
        *,
        pause_seconds: tuple[float, float] = (3.0, 5.0),
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._pause_seconds = pause_seconds
        self._rng = rng or random.Random()  # noqa: S311 - decides who speaks
        self._sleep = sleep
        self._groups: dict[str, Group] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(list(self._groups.values()))

    def create(self, members: Iterable[Member], name: str | None = None) -> Group:
        """Make a group; without a name it gets a number. Raises `ValueError` for a name that can't be used."""
        members = list(members)
        if name is None:
            name = next(n for i in range(1, len(self._groups) + 2) if (n := f"group-{i}") not in self._groups)
        if not _NAME.fullmatch(name) or name in self._groups:
            raise ValueError("a group's name is new and has up to 64 letters, digits, spaces, '.', '_' or '-'")
        if not members or len({member.name for member in members}) < len(members):
            raise ValueError("a group has at least one bot, each under a name of its own")
        self._groups[name] = group = Group(name, members)
        return group

    def get(self, name: str) -> Group:
        """Raises `KeyError`."""
        return self._groups[name]

    def delete(self, name: str) -> None:
        """Forget a group; its chats stay on Poe. Raises `KeyError`."""
        del self._groups[name]

    def most_mentioned(self, group: Group, text: str) -> Member:
        """Who is to speak after `text`: the member it names most, else one by chance.

        Never the one that spoke last, if there is another; chance also passes over the one before, and is weighted
        by talkativeness. Sets each member's `priority`.
        """
        for member in group.members:
            member.priority = _mentions(text, member)
        last = group.recent_speakers[-1:]
        able = [member for member in group.members if member.name not in last] or group.members
        mentioned = max(able, key=lambda member: member.priority)
        if mentioned.priority:
            return mentioned
        able = [member for member in able if member.name not in group.recent_speakers] or able
        weights = [max(member.talkativeness, 0.01) for member in able]
        return self._rng.choices(able, weights)[0]

    async def send(
        self, group: Group, text: str = "", *, user: str = "User", turns: int | None = None
    ) -> AsyncGenerator[Spoken, None]:
        """Say `text` as `user` and yield what the bots answer, for `turns` turns: by default n to 2n for n bots.

        Without a text the bots go on where the conversation is. Use it under `contextlib.aclosing`; what was said
        until then stays in the log. Raises `PoeError`, and `ValueError` for a group where nothing was said yet.
        """
        if text:
            group.say(user, text)
        if not group.log:
            raise ValueError("there is nothing to answer: say something first")
        size = len(group.members)
        for turn in range(self._rng.randint(size, 2 * size) if turns is None else turns):
            speaker = self.most_mentioned(group, group.log[-1][1])
            if turn:
                await self._sleep(self._rng.uniform(*self._pause_seconds))
            async with aclosing(self._turn(group, speaker)) as pieces:
                async for piece in pieces:
                    yield Spoken(speaker.name, piece)

    async def _turn(self, group: Group, speaker: Member) -> AsyncGenerator[str, None]:
        prompt = _prompt(group, speaker)
        chat = None if speaker.chat_id is None else ChatRef(speaker.chat_id, speaker.chat_code)
        told = group.dropped_lines + len(group.log)
        answer = ""
        try:
            request = ChatRequest(speaker.bot, [Message("user", prompt)], chat=chat)
            async with aclosing(self._client.stream(request)) as events:
                async for event in events:
                    match event:
                        case ChatStarted(chat_id, chat_code):
                            speaker.chat_id, speaker.chat_code = chat_id, chat_code or speaker.chat_code
                            speaker.heard = told
                        case TextDelta(more):
                            answer += more
                            yield more
                        case TextReplaced(whole):
                            answer = whole
                            yield f"\n{whole}"
        finally:
            if answer:
                group.say(speaker.name, answer)
                group.recent_speakers = [*group.recent_speakers, speaker.name][-2:]

    async def save(self, group: Group, path: Path) -> None:
        """Write a group to a file that only its owner can read, in one step. Raises `OSError`."""
        await asyncio.to_thread(_write, path, json.dumps({"version": 1, **asdict(group)}, ensure_ascii=False))

    async def load(self, path: Path) -> Group:
        """Take in a group from a file that `save` wrote, in place of one with the same name.

        Raises `OSError`, and `ValueError` for a file that is none.
        """
        group = read_group(await asyncio.to_thread(_read, path))
        self._groups[group.name] = group
        return group


def read_group(text: str) -> Group:
    """The group that is written in a file's text. Raises `ValueError`."""
    try:
        value: Mapping[str, Any] = json.loads(text)
        if value["version"] != 1 or not _NAME.fullmatch(value["name"]):
            raise ValueError("another version, or no name")
        members = [Member(**member) for member in value["members"]]
        log = [(str(speaker), str(said)) for speaker, said in value["log"]]
        recent = [str(name) for name in value["recent_speakers"]]
        return Group(value["name"], members, log, int(value["dropped_lines"]), recent)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError("the file holds no group") from error


def _mentions(text: str, member: Member) -> int:
    names = {member.name.lower(), member.bot.lower()}
    return sum(len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text.lower())) for name in names)


def _prompt(group: Group, speaker: Member) -> str:
    """What a member is told at its turn; the first time with who it is."""
    lines = "\n\n".join(f"{name}: {text}" for name, text in group.unheard(speaker))
    if speaker.chat_id is not None:
        return f"{lines}\n\n(Answer as {speaker.name}, with your own words only.)"
    others = ", ".join(member.name for member in group.members if member is not speaker) or "nobody else"
    return (
        f"You are {speaker.name} in a group conversation; the other bots in it are: {others}. Every line below begins "
        f"with the name of who speaks. Answer as {speaker.name}, in your own words only and without a name in front. "
        f"To ask somebody in particular, mention the name.\n\n{lines}"
    )


def _write(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError("the file is too large for a group")
    return data.decode("utf-8")
