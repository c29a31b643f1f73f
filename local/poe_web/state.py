"""Keeping a simulator's world in a file, so that accounts, chats and channels survive a restart."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from local.files import replace_privately
from local.poe_web.accounts import Charge, Chat, KnowledgeSource, SimulatedAccount
from local.poe_web.answers import Attachment
from local.poe_web.bots import Bot
from local.poe_web.channel import Channel
from local.poe_web.operations.creation import persona
from local.poe_web.world import StoredFile, World

VERSION = 1

_CHATS = TypeAdapter(dict[int, Chat])
_KNOWLEDGE = TypeAdapter(dict[int, KnowledgeSource])
_UPLOADS = TypeAdapter(dict[str, Attachment])
_CHARGES = TypeAdapter(list[Charge])
_PLAIN = (
    "p_b",
    "points",
    "subscribed",
    "allotment",
    "addon_points",
    "next_grant",
    "handle",
    "form_key",
    "signed_out",
    "peak_concurrency",
)
_CHANNEL = ("sequence", "box", "name", "hash")
_BOT = (
    "bot_id",
    "handle",
    "cost",
    "description",
    "category",
    "model",
    "owner",
    "prompt",
    "display_name",
    "private",
    "has_suggested_replies",
    "cites",
    "knowledge_ids",
)
_COUNTERS = ("chat_ids", "message_ids", "job_ids", "file_ids", "source_ids", "charge_ids")


class UnreadableState(ValueError):
    """A state file that this version cannot read."""


def _some(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def dump(world: World) -> str:
    """The world as JSON text. Answers that are being written are kept as far as they got."""
    accounts = [
        {
            **_some(account, _PLAIN),
            "chats": _CHATS.dump_python(account.chats, mode="json"),
            "knowledge": _KNOWLEDGE.dump_python(account.knowledge, mode="json"),
            "uploads": _UPLOADS.dump_python(account.uploads, mode="json"),
            "charges": _CHARGES.dump_python(account.charges, mode="json"),
            "hidden_bots": sorted(account.hidden_bots),
            "channel": {
                **_some(account.channel, _CHANNEL),
                "subscriptions": sorted(account.channel.subscriptions),
            },
        }
        for account in world.accounts.values()
    ]
    files = {
        str(number): {"name": f.name, "mime_type": f.mime_type, "data": base64.b64encode(f.data).decode()}
        for number, f in world.files.items()
    }
    state = {
        "version": VERSION,
        "accounts": accounts,
        "created_bots": [_some(bot, _BOT) for bot in world.bots if bot.owner and not bot.deleted],
        "files": files,
        "counters": {name: getattr(world, name).following for name in _COUNTERS},
    }
    return json.dumps(state, ensure_ascii=False)


def load(world: World, text: str) -> None:
    """Put what `dump` wrote into an empty world. Raises `UnreadableState`."""
    try:
        state = json.loads(text)
        if state["version"] != VERSION:
            raise UnreadableState(f"state version {state['version']!r} is not {VERSION}")
        for saved in state["accounts"]:
            world.add_account(_account(saved))
        for fields in state["created_bots"]:
            world.bots.add(Bot(answer=persona(fields["prompt"]), **fields))
        for number, f in state["files"].items():
            world.files[int(number)] = StoredFile(f["name"], f["mime_type"], base64.b64decode(f["data"]))
        for name in _COUNTERS:
            if name in state["counters"]:  # older files lack those that came later
                getattr(world, name).following = int(state["counters"][name])
    except UnreadableState:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableState(f"not a state file: {type(error).__name__}") from error


def _account(saved: dict[str, Any]) -> SimulatedAccount:
    channel = Channel(**{name: saved["channel"][name] for name in _CHANNEL})
    channel.subscriptions.update(saved["channel"]["subscriptions"])
    account = SimulatedAccount(
        **{name: saved[name] for name in _PLAIN},
        chats=_CHATS.validate_python(saved["chats"]),
        knowledge=_KNOWLEDGE.validate_python(saved["knowledge"]),
        uploads=_UPLOADS.validate_python(saved["uploads"]),
        charges=_CHARGES.validate_python(saved.get("charges", [])),
        hidden_bots=set(saved["hidden_bots"]),
        channel=channel,
    )
    for message in account.messages:
        if message.is_open:  # nobody writes it any more
            message.state, message.cancelled_at = "cancelled", len(message.text)
    return account


def write(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only. Blocks. Raises `OSError`."""
    replace_privately(path, text.encode("utf-8", "surrogatepass"))


def read(path: Path) -> str | None:
    """What is in a file; `None` if there is none. Blocks. Raises `UnreadableState`."""
    try:
        return path.read_bytes().decode("utf-8", "surrogatepass")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableState(f"it can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UnreadableState("not a state file: it is no text") from error
