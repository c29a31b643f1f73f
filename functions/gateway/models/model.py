"""One model as callers see it, and how a row of a list becomes one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazy_dataclasses import dataclass

_CHAT = "/v1/chat/completions"
_UNKNOWN_OWNER = "poe"
# What each kind of output can be asked for here, besides chat, which serves every bot.
_ENDPOINTS = {
    "text": ("/v1/responses", "/v1/messages", "/v1/completions"),
    "image": ("/v1/images/generations",),
    "audio": ("/v1/audio/speech",),
    "video": ("/v1/videos",),
}
_EDITS = "/v1/images/edits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model as callers see it. `None` means that nobody said: it may or may not be able to."""

    id: str
    bot: str
    """The name that Poe knows; usually the id."""
    owned_by: str = _UNKNOWN_OWNER
    created: int = 0
    """Epoch seconds; of the list, where the model has no time of its own."""
    aliases: tuple[str, ...] = ()
    description: str | None = None
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    """`tools`, `reasoning`, `web_search` and so on."""
    context_length: int | None = None
    max_output_tokens: int | None = None
    pricing: Mapping[str, str | None] | None = None
    """US dollars, as decimal strings: per token, per image, and per answer as `request`; null where unknown."""
    points_per_message: int | None = None
    """Points of an answer, where it has a fixed price that a web account's list told."""
    reasoning: Mapping[str, bool] | None = None
    """`required`, `supports_reasoning_effort`, `budget`: how it thinks visibly, and how it is told how much."""
    parameters: tuple[Mapping[str, Any], ...] | None = None
    """`{name, schema, default_value, description}` of each option that the bot declares."""
    upstream_endpoints: tuple[str, ...] = ()
    """Where the official API says that it answers; empty where it doesn't."""
    kinds: tuple[str, ...] | None = None
    """Kinds of account that list it."""
    alias_of: str | None = None
    """Of an entry for an alias of the owner's: the model that it stands for."""
    fallbacks: tuple[str, ...] = ()
    """Models that may answer in its place, in order."""

    @property
    def tokens(self) -> int | None:
        """The context window, by the original gateway's name."""
        return self.context_length

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it is called."""
        return (self.id, self.bot, *self.aliases)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where this gateway offers it, as far as is known."""
        # Most bots write; a list that does not say so must not hide them.
        made = ("text",) if self.output_modalities is None else self.output_modalities
        # Bots for media answer a chat, too, with links to what they made.
        found = [_CHAT, *(endpoint for kind in made for endpoint in _ENDPOINTS.get(kind, ()))]
        if "image" in made and "image" in (self.input_modalities or ()):
            found.append(_EDITS)
        return tuple(found)

    def makes(self, modality: str) -> bool:
        """Whether it may answer with `text`, `image`, `audio` or `video`; true where nobody said."""
        return self.output_modalities is None or modality in self.output_modalities

    def declared(self, name: str) -> Mapping[str, Any] | None:
        """The declaration of one parameter."""
        return next((item for item in self.parameters or () if item.get("name") == name), None)

    def to_openai(self) -> dict[str, Any]:
        """OpenAI's model object; the rest is extensions, of which the original had `tokens` and `endpoints`."""
        alias = {} if self.alias_of is None else {"alias_of": self.alias_of, "fallbacks": list(self.fallbacks)}
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": self.owned_by,
            "endpoints": list(self.endpoints),
            "tokens": self.tokens,
            "context_length": self.context_length,
            "max_output_tokens": self.max_output_tokens,
            "input_modalities": _listed(self.input_modalities),
            "output_modalities": _listed(self.output_modalities),
            "features": _listed(self.features),
            "reasoning": self.reasoning,
            "pricing": self.pricing,
            "points_per_message": self.points_per_message,
            "parameters": _listed(self.parameters),
            "description": self.description,
            "aliases": list(self.aliases),
            "kinds": _listed(self.kinds),
            **alias,
        }


def read_model(row: Mapping[str, Any], created: int, codename: str | None = None) -> Model:
    """The model of a list's row. What has an unexpected type counts as not said.

    `created` is the list's own time, `codename` what programs written for the original gateway ask by. Raises
    `AttributeError`, `KeyError` or `TypeError` for what is no row.
    """
    name = str(row["id"])
    aliases = [*row_names(row)[1:], *([codename] if codename else ())]
    return Model(
        id=name,
        bot=str(row.get("bot") or name),
        owned_by=str(row.get("owned_by") or _UNKNOWN_OWNER),
        created=_count(row.get("created")) or created,
        aliases=tuple(dict.fromkeys(aliases)),
        description=_text(row.get("description")),
        input_modalities=_texts(row.get("input_modalities")),
        output_modalities=_texts(row.get("output_modalities")),
        features=_texts(row.get("features")),
        # 0 means that nobody knows, like null.
        context_length=_count(row.get("context_length")) or _count(row.get("tokens")) or None,
        max_output_tokens=_count(row.get("max_output_tokens")),
        pricing=_object(row.get("pricing")),
        points_per_message=_count(row.get("points_per_message")),
        reasoning=_object(row.get("reasoning")),
        parameters=_objects(row.get("parameters")),
        upstream_endpoints=_texts(row.get("upstream_endpoints")) or (),
        kinds=_texts(row.get("kinds")),
    )


def row_names(row: Mapping[str, Any]) -> list[str]:
    """The id of a row and its aliases. Raises what `read_model` raises."""
    return [str(row["id"]), *(_texts(row.get("aliases")) or ())]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _object(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, dict) else None


def _texts(values: Any) -> tuple[str, ...] | None:
    return _all_of(str, values)


def _objects(values: Any) -> tuple[Mapping[str, Any], ...] | None:
    return _all_of(dict, values)


def _all_of(kind: type[Any], values: Any) -> tuple[Any, ...] | None:
    # As JSON gives them: of no class of ours.
    return tuple(values) if isinstance(values, list) and {*map(type, values)} <= {kind} else None


def _listed(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)
