"""Size, shape and quality of an image as the options that Poe's bots take. Pure.

The rules are the original gateway's (its table of sizes, November 2026), with what a bot declares put first: only a
declared option reaches a bot that declares any, because Poe's official API refuses all others. Everything becomes an
entry of `parameters`, never text in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from math import gcd
from typing import Any

from gateway.http.errors import invalid
from gateway.models.catalogue import Model
from lazy_dataclasses import dataclass

# What callers send when they mean "as you like".
_NO_CHOICE = frozenset({"", "auto", "default", "1024x1024"})
_ASPECT_KEYS = ("aspect_ratio", "aspect")
_RATIO = re.compile(r"(?:--(?:aspect|ar)\s+)?(\d{1,5})\s*[:xX]\s*(\d{1,5})")
_RESOLUTIONS = {"none": "", "1k": "1K", "2k": "2K", "4k": "4K"}
# A bot's nearest shape counts as the one asked for in pixels: 1792x1024 is 7:4, which some bots call 16:9.
_NEAR = 0.05
_NEUTRAL = frozenset({"auto", "standard", "medium"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWishes:
    """What a caller said about the image besides the prompt."""

    size: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The bot's own options, passed on as they are."""
    others: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of OpenAI's that a bot may know under the same name."""


def resolve(wishes: ImageWishes, bot: str, model: Model | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The bot's parameters, and the names of the fields that it can't be told.

    Raises `GatewayError` (400) for a size that is none, or that the bot does not have.
    """
    # The bot's own options come first: the caller named them as such, and `setdefault` leaves them alone.
    found = dict(wishes.parameters)
    ignored: list[str] = []
    size = (wishes.size or "").strip()
    image_size = wishes.image_size
    resolutions = _resolutions(bot, model)
    # A resolution may stand in `size`, the only such field that OpenAI's clients have.
    if image_size is None and size.lower() in resolutions:
        image_size, size = size, ""
    if image_size is not None:
        value = _resolution(image_size, resolutions)
        if value:
            found.setdefault("image_size", value)
    shape, param = (wishes.aspect_ratio, "aspect_ratio") if wishes.aspect_ratio else (size, "size")
    if shape.lower() not in _NO_CHOICE or param == "aspect_ratio":
        # A bot that declares OpenAI's own field gets it as it was written.
        if param == "size" and model is not None and _allows(model.declared("size"), size):
            found.setdefault("size", size)
        elif (key := _aspect_key(found, bot, model)) is not None:
            found.setdefault(key, _aspect(shape, param, _enum(model.declared(key)) if model else []))
        else:
            # Checked although nothing is told to the bot: nonsense is a mistake for every model.
            _ratio(shape, param)
            ignored.append(param)
    for name, value in wishes.others.items():
        if model is not None and _allows(model.declared(name), value):
            found.setdefault(name, value)
        # What means "as you like" was honoured by not being told.
        elif not (isinstance(value, str) and value in _NEUTRAL):
            ignored.append(name)
    return found, tuple(ignored)


def _resolutions(bot: str, model: Model | None) -> dict[str, str]:
    """The bot's values of `image_size`, by their lower-case names."""
    declared = model.declared("image_size") if model is not None else None
    values = _enum(declared)
    if values:
        return {"none": "", **{str(value).lower(): str(value) for value in values}}
    # The original gateway's rule: this bot takes resolutions, whether or not a list says so.
    return _RESOLUTIONS if declared is not None or "nano-banana-2" in bot.lower() else {}


def _resolution(text: str, allowed: Mapping[str, str]) -> str:
    value = allowed.get(text.strip().lower())
    if value is None:
        choices = ", ".join(allowed) if allowed else "none, as the model has no such option"
        raise invalid(f"'image_size' may be: {choices}.", param="image_size", code="invalid_value")
    return value


def _aspect(text: str, param: str, allowed: list[Any]) -> str:
    width, height = _ratio(text, param)
    return _choose(width, height, allowed, param) if allowed else f"{width}:{height}"


def _ratio(text: str, param: str) -> tuple[int, int]:
    match = _RATIO.fullmatch(text.strip())
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not width or not height:
        raise invalid(f"'{param}' must be like 1536x1024 or 3:2.", param=param, code="invalid_value")
    # 1536x1024 is 3:2 for bots that know shapes only.
    divisor = gcd(width, height)
    return width // divisor, height // divisor


def _aspect_key(found: Mapping[str, Any], bot: str, model: Model | None) -> str | None:
    """What the bot calls its shape; `None` if it is known to have no such option."""
    for key in _ASPECT_KEYS:
        if key in found:
            return key
    # Known to declare options: any other one would be refused.
    if model is not None and model.parameters is not None:
        return next((key for key in _ASPECT_KEYS if model.declared(key) is not None), None)
    # The original gateway's rule for bots of which nothing is declared.
    return "aspect_ratio" if "nano-banana" in bot.lower() else "aspect"


def _choose(width: int, height: int, allowed: list[Any], param: str) -> str:
    """The bot's own name for the shape."""
    known: dict[str, float] = {}
    # Names that are no ratio ("auto", "portrait") are no shape to compare with.
    for value in allowed:
        if isinstance(value, str) and (match := _RATIO.fullmatch(value)) and int(match[2]):
            known[value] = int(match[1]) / int(match[2])
    wanted = width / height
    if f"{width}:{height}" in known:
        return f"{width}:{height}"
    nearest = min(known, key=lambda value: abs(known[value] - wanted), default=None)
    # A square in place of a panorama would be paid for and thrown away.
    if nearest is None or (abs(known[nearest] - wanted) > _NEAR * wanted):
        choices = ", ".join(str(value) for value in allowed)
        raise invalid(f"'{param}' must be one of the model's: {choices}.", param=param, code="invalid_value")
    return nearest


def _enum(declared: Mapping[str, Any] | None) -> list[Any]:
    schema = (declared or {}).get("schema")
    values = schema.get("enum") if isinstance(schema, Mapping) else None
    return values if isinstance(values, list) else []


def _allows(declared: Mapping[str, Any] | None, value: Any) -> bool:
    if declared is None:
        return False
    values = _enum(declared)
    # Declared without a list of values: any may do.
    return not values or value in values
