"""Merges the lists of bots from both of Poe's APIs into one list of plain entries. Pure.

An entry is a JSON object that names a bot once, whoever offers it. `None` means that nobody said: a capability is never
guessed. Keys:

    id                  canonical name, in the spelling of poe.com where that is known
    aliases             other names of the same bot
    owned_by, created   as Poe says; `created` in epoch seconds
    description         cut to size
    upstream_endpoints  where the documented API says it answers; empty where it does not say
    input_modalities, output_modalities, features
    context_length, max_output_tokens
    pricing             US dollars as decimal strings: per token, per image, and per answer as `request`; null for a
                        price that is not known
    points_per_message  points of an answer, where a web account's list has a fixed price
    reasoning           {required, supports_reasoning_effort, budget}
    parameters          [{name, schema, default_value, description}] as the bot declares them
    kinds               `official`, `web`: accounts that listed it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reverse.official.catalogue import ModelInfo
    from reverse.web import BotInfo

Entry = dict[str, Any]

# More than Poe lists several times over; what comes from a stranger ends somewhere.
MAX_ENTRIES = 3000
MAX_DESCRIPTION_CHARS = 400
_MAX_NAME_CHARS = 200
_MAX_PARAMETERS = 60
_MAX_DEPTH = 12


def folded(name: str) -> str:
    """The form in which names are compared: Poe takes them in any case (docs/reference/poe-official.md#model-list)."""
    return name.lower().replace(" ", "")


def official_entry(model: ModelInfo) -> Entry:
    """The entry of a model of the documented API, whose ids are in lower case."""
    shown = model.display_name
    prices, reasoning = model.prices, model.reasoning
    return {
        # The documented API lists ids in lower case; the shown name often is the same in Poe's own spelling.
        "id": shown if folded(shown) == folded(model.id) and " " not in shown else model.id,
        "aliases": [shown] if shown and folded(shown) != folded(model.id) else [],
        "owned_by": model.owned_by or None,
        "created": int(model.created_at) if model.created_at else None,
        # Cut, because the whole list has to fit one item of the table.
        "description": model.description[:MAX_DESCRIPTION_CHARS] or None,
        "upstream_endpoints": sorted(model.endpoints),
        "input_modalities": sorted(model.input_modalities) or None,
        "output_modalities": sorted(model.output_modalities) or None,
        "features": sorted(model.features | ({"reasoning"} if reasoning else set())),
        # Of a bot that makes media the number is no window of a conversation: 150 to 2,048 in the real list.
        "context_length": None if model.makes_media else model.context_length,
        "max_output_tokens": model.max_output_tokens,
        "pricing": {name: None if price is None else f"{price:f}" for name, price in asdict(prices).items()}
        if prices
        else None,
        "reasoning": {
            "required": reasoning.required,
            "supports_reasoning_effort": reasoning.effort,
            "budget": reasoning.budget,
        }
        if reasoning
        else None,
        "parameters": [
            {
                "name": parameter.name,
                "schema": dict(parameter.schema),
                "default_value": parameter.default,
                "description": parameter.description[:MAX_DESCRIPTION_CHARS],
            }
            for parameter in model.parameters[:_MAX_PARAMETERS]
        ]
        # An entry without modalities says nothing at all; with them, an empty list means that there are none.
        if model.parameters or model.output_modalities
        else None,
        "kinds": ["official"],
    }


def web_entry(bot: BotInfo) -> Entry:
    """The entry of a bot in a web account's list. What it makes is not told there."""
    inputs = ["text"]
    if bot.accepts_images:
        inputs.append("image")
    if bot.accepts_files:
        inputs.append("file")
    shown = bot.display_name or ""
    return {
        "id": bot.handle,
        "aliases": [shown] if shown and folded(shown) != folded(bot.handle) else [],
        "description": (bot.description or "")[:MAX_DESCRIPTION_CHARS] or None,
        # Where the list does not say, text alone would be a guess that refuses images.
        "input_modalities": sorted(inputs) if bot.accepts_images is not None else None,
        "pricing": None,
        "points_per_message": bot.price_points,
        "parameters": _controls(bot.controls) if bot.controls else None,
        "kinds": ["web"],
    }


def merge(*lists: Iterable[Entry]) -> list[Entry]:
    """One list without twins, sorted by name. What an earlier list says of a bot wins over a later one.

    The spelling is the web's where it is known: the documented API lists ids in lower case.
    """
    found: dict[str, Entry] = {}
    for entry in (entry for entries in lists for entry in entries):
        name = entry.get("id")
        if not isinstance(name, str) or not name or len(name) > _MAX_NAME_CHARS:
            continue
        known = found.get(folded(name))
        if known is None:
            # Entries that are known already are still completed beyond it.
            if len(found) < MAX_ENTRIES:
                found[folded(name)] = dict(entry)
            continue
        _complete(known, entry)
    return sorted(found.values(), key=lambda entry: folded(entry["id"]))


def of_kind(entries: Sequence[Entry], kind: str) -> list[Entry]:
    """The entries that accounts of this kind listed, to stand in for a list that could not be read anew."""
    return [entry for entry in entries if kind in entry.get("kinds", ())]


def without_details(entries: Iterable[Entry]) -> list[Entry]:
    """The entries without what is only for reading, to make a list that is too large fit."""
    return [{name: value for name, value in entry.items() if name != "description"} for entry in entries]


def _complete(known: Entry, other: Entry) -> None:
    """Add to an entry what only another list knows."""
    for name, value in other.items():
        # The earlier list wins; `None` means that it did not say.
        if known.get(name) is None:
            known[name] = value
    known["kinds"] = sorted({*known.get("kinds", ()), *other.get("kinds", ())})
    known["aliases"] = sorted({*known.get("aliases", ()), *other.get("aliases", ())})
    # Only a spelling that says nothing gives way: an id with capitals is Poe's own.
    if known["id"].islower() and "web" in other.get("kinds", ()):
        known["id"] = other["id"]


def _controls(definition: Mapping[str, Any]) -> list[Entry]:
    """The parameters in the definition of a bot's controls, wherever it nests them.

    Source: docs/reference/poe-web.md#bots-and-account.
    """
    found: dict[str, Entry] = {}
    level: list[Any] = [definition]
    # Level by level and not by recursion: the definition is a stranger's JSON.
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            if isinstance(node, list):
                below.extend(node)
            elif isinstance(node, dict):
                below.extend(node.values())
                name = node.get("parameter_name")
                if isinstance(name, str) and 0 < len(name) <= _MAX_NAME_CHARS and len(found) < _MAX_PARAMETERS:
                    found.setdefault(name, _control(name, node))
        level = below
    return list(found.values())


def _control(name: str, node: Mapping[str, Any]) -> Entry:
    options = node.get("options")
    values = (
        [option.get("value") for option in options if isinstance(option, dict)] if isinstance(options, list) else []
    )
    label = node.get("label")
    return {
        "name": name,
        "schema": {"enum": values} if values else {},
        "default_value": node.get("default_value"),
        "description": label[:MAX_DESCRIPTION_CHARS] if isinstance(label, str) else "",
    }
