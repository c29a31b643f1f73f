"""Group chats as the published package has them: a register of groups, and their files."""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from reverse.compat._connection import Connection
from reverse.compat._patience import within
from reverse.web import Group, GroupMember, choose_speaker, count_mentions

_TIMEOUT = 60
# A group's name is part of the default file's name.
_NAME = re.compile(r"[\w-][\w .-]{0,63}")
_MAX_FILE_BYTES = 16 * 1024 * 1024


class GroupMethods(Connection):
    """Groups of bots. A group or a file that can't be used raises `ValueError`."""

    async def create_group(self, group_name: str | None = None, bots: Sequence[Mapping[str, Any]] = ()) -> str:
        """Make a group of bots, each `{"bot", "name"?, "talkativeness"?}`; returns its name."""
        if group_name is None:
            group_name = next(
                name for n in range(1, len(self._groups) + 2) if (name := f"group-{n}") not in self._groups
            )
        if not _NAME.fullmatch(group_name) or group_name in self._groups:
            raise ValueError("a group's name is new and has up to 64 letters, digits, spaces, '.', '_' or '-'")
        members = (
            GroupMember(bot["bot"], bot.get("name") or bot["bot"], None, float(bot.get("talkativeness", 0.5)))
            for bot in bots
        )
        self._groups[group_name] = Group(group_name, tuple(members))
        return group_name

    async def delete_group(self, group_name: str) -> None:
        """Forget a group; its chats stay on Poe."""
        del self._groups[self._group(group_name).name]

    async def get_group(self, group_name: str) -> dict[str, Any]:
        """A group's bots, its conversation, who spoke last, and who the two last speakers were."""
        return _data(self._group(group_name))

    async def get_available_groups(self) -> dict[str, dict[str, Any]]:
        """All groups by name."""
        return {name: _data(group) for name, group in self._groups.items()}

    async def save_group_history(self, group_name: str, file_path: str | Path | None = None) -> str:
        """Write a group to a file, by default `<group name>.json` in the current directory; returns its path.

        The file is replaced in one step and readable by its owner only. Raises `OSError`.
        """
        group = self._group(group_name)
        path = Path(file_path or f"{group.name}.json")
        await asyncio.to_thread(_write, path, json.dumps(group.to_json(), ensure_ascii=False))
        return str(path)

    async def load_group_history(self, file_path: str | Path) -> dict[str, Any]:
        """Take in a group from a file, in place of one with the same name; returns `{"group_name", "group_data"}`."""
        group = Group.from_json(await asyncio.to_thread(_read, Path(file_path)))
        if not _NAME.fullmatch(group.name):
            raise ValueError("the file's group has a name that can't be used")
        self._groups[group.name] = group
        return {"group_name": group.name, "group_data": _data(group)}

    async def get_most_mentioned(self, group_name: str, message: str) -> dict[str, Any]:
        """The bot that would answer a message: the one that it names most, else one by chance."""
        group = self._group(group_name)
        return _record(group, choose_speaker(group.members, message, group.previous, self._rng), message)

    async def send_message_to_group(  # noqa: PLR0917 - the original's signature
        self,
        group_name: str,
        message: str = "",
        timeout: float = _TIMEOUT,
        user: str = "User",
        autosave: bool = False,
        autoplay: bool = False,
        preset_history: str = "",
    ) -> AsyncGenerator[dict[str, str], None]:
        """Say something to a group and yield what the bots answer: `{"bot", "response"}`, piece by piece.

        `preset_history` is a file to load the group from first. With `autosave` the group is written in the end, to
        that file or the default one. With `autoplay` the bots talk on until the caller stops: every turn costs
        points. For `timeout` see `send_message`; the pauses between turns count too.
        """
        if preset_history:
            group_name = (await self.load_group_history(preset_history))["group_name"]
        group = self._group(group_name)
        try:
            while True:
                said = group.say(
                    self.client, message, user=user, pause_seconds=self._group_pause_seconds, rng=self._rng
                )
                async with aclosing(within(said, None if timeout == _TIMEOUT else timeout)) as deltas:
                    async for delta in deltas:
                        response = f"\n{delta.text}" if delta.replaces else delta.text
                        yield {"bot": delta.speaker, "response": response}
                if not autoplay:
                    return
                # From here on the bots answer each other.
                message = ""
                await asyncio.sleep(self._rng.uniform(*self._group_pause_seconds))
        finally:
            # Also where the caller stops or a bot fails: what was said has been paid for.
            if autosave:
                await self.save_group_history(group.name, preset_history or None)

    def _group(self, name: str) -> Group:
        group = self._groups.get(name)
        if group is None:
            raise ValueError(f"there is no group {name!r}")
        return group


def _data(group: Group) -> dict[str, Any]:
    names = {member.name for member in group.members}
    speakers = [line.speaker for line in group.log if line.speaker in names]
    last_text = group.log[-1].text if group.log else ""
    return {
        "bots": [_record(group, member, last_text) for member in group.members],
        "conversation_log": [f"{line.speaker}: {line.text}" for line in group.log],
        "previous_bot": group.previous or "",
        "dual_lock": speakers[-2:],
    }


def _record(group: Group, member: GroupMember, text: str) -> dict[str, Any]:
    current = next(known for known in group.members if known.name == member.name)
    return {
        "bot": member.bot,
        "name": member.name,
        "chatId": current.chat.chat_id if current.chat else None,
        "chatCode": current.chat.chat_code if current.chat else None,
        "priority": count_mentions(member, text),
        "bot_log": [line.text for line in group.log if line.speaker == member.name],
        "talkativeness": member.talkativeness,
    }


def _write(path: Path, text: str) -> None:
    # In the same folder: a file can be replaced in one step only on its own file system.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError("the file is too large for a group")
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("the file holds no group") from error
