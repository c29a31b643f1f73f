"""Group chats, in the original's words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from reverse.compat._connection import Connection
from reverse.compat._patience import within
from reverse.groups import Group, Member

_TIMEOUT = 60


class GroupMethods(Connection):
    """Groups of bots. An unknown group raises `ValueError`."""

    async def create_group(self, group_name: str | None = None, bots: Sequence[Mapping[str, Any]] = ()) -> str:
        """Make a group of bots, each `{"bot", "name"?, "talkativeness"?}`; returns its name."""
        members = [
            Member(bot["bot"], bot.get("name") or bot["bot"], float(bot.get("talkativeness", 0.5))) for bot in bots
        ]
        return self.groups.create(members, group_name).name

    async def delete_group(self, group_name: str) -> None:
        """Forget a group; its chats stay on Poe."""
        self.groups.delete(self._group(group_name).name)

    async def get_group(self, group_name: str) -> dict[str, Any]:
        """A group's bots, log, last speaker and the two that spoke last."""
        return _data(self._group(group_name))

    async def get_available_groups(self) -> dict[str, dict[str, Any]]:
        """All groups by name."""
        return {group.name: _data(group) for group in self.groups}

    async def save_group_history(self, group_name: str, file_path: str | Path | None = None) -> str:
        """Write a group to a file, by default `<group name>.json` in the current directory; returns its path."""
        group = self._group(group_name)
        path = Path(file_path or f"{group.name}.json")
        await self.groups.save(group, path)
        return str(path)

    async def load_group_history(self, file_path: str | Path) -> dict[str, Any]:
        """Take in a group from a file; returns `{"group_name", "group_data"}`."""
        group = await self.groups.load(Path(file_path))
        return {"group_name": group.name, "group_data": _data(group)}

    async def get_most_mentioned(self, group_name: str, message: str) -> dict[str, Any]:
        """The bot that is to answer a message."""
        group = self._group(group_name)
        return _record(group, self.groups.most_mentioned(group, message))

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

        `preset_history` is a file to load the group from first; with `autosave` it is written back in the end, else
        to the default file. With `autoplay` the bots talk on until the caller stops: every turn costs points. For
        `timeout` see `send_message`.
        """
        group = await self.groups.load(Path(preset_history)) if preset_history else self._group(group_name)
        try:
            while True:
                spoken = within(self.groups.send(group, message, user=user), None if timeout == _TIMEOUT else timeout)
                async with aclosing(spoken) as pieces:
                    async for piece in pieces:
                        yield {"bot": piece.bot, "response": piece.text}
                message = ""
                if not autoplay:
                    return
        finally:
            if autosave:
                await self.groups.save(group, Path(preset_history or f"{group.name}.json"))

    def _group(self, name: str) -> Group:
        try:
            return self.groups.get(name)
        except KeyError:
            raise ValueError(f"there is no group {name!r}") from None


def _data(group: Group) -> dict[str, Any]:
    return {
        "bots": [_record(group, member) for member in group.members],
        "conversation_log": [f"{speaker}: {text}" for speaker, text in group.log],
        "previous_bot": group.recent_speakers[-1] if group.recent_speakers else "",
        "dual_lock": [*group.recent_speakers, "", ""][:2],
    }


def _record(group: Group, member: Member) -> dict[str, Any]:
    return {
        "bot": member.bot,
        "name": member.name,
        "chatId": member.chat_id,
        "chatCode": member.chat_code,
        "priority": member.priority,
        "bot_log": [f"{speaker}: {text}" for speaker, text in group.unheard(member)],
        "talkativeness": member.talkativeness,
    }
