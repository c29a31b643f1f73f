"""Which models there are: an embedded list, so that a fresh deployment answers at once, and a newer one in the table.

The scheduled job reads the newer one from Poe. Names are matched without regard to case, by alias, and with dashes for
dots. A name that nobody lists is passed to Poe as it is: Poe has more bots than any list, and says itself when there is
none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from accounts import AccountKind
from gateway.http.errors import GatewayError, invalid
from gateway.models.aliases import NO_ALIASES, Alias, AliasTable, key_of, read_aliases
from gateway.models.capabilities import best_first
from gateway.models.live_config import Document, LiveConfig
from lazy_dataclasses import dataclass
from pool.config_names import ALIASES, MODELS

REFRESH_SECONDS = 300.0
ALIASES_REFRESH_SECONDS = 60.0
# A new deployment has no stored list until the scheduled job has run for the first time.
ABSENT_REFRESH_SECONDS = 5.0
CHAT_ENDPOINT = "/v1/chat/completions"
_DATA = Path(__file__).parent / "data"
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
        found = [CHAT_ENDPOINT, *(endpoint for kind in made for endpoint in _ENDPOINTS.get(kind, ()))]
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


@dataclass(frozen=True, slots=True)
class Named:
    """A model that is meant: its entry, if it is listed, and the name to ask Poe for."""

    model: Model | None
    bot: str

    @property
    def name(self) -> str:
        """What callers are told."""
        return self.bot if self.model is None else self.model.id

    @property
    def names(self) -> tuple[str, ...]:
        """What lists of allowed models may call it."""
        return (self.bot,) if self.model is None else (self.model.id, self.bot)


@dataclass(frozen=True, slots=True)
class Resolved(Named):
    """What a caller's name means. `alias` is the owner's alias that said so, with models that may take its place."""

    alias: Alias | None = None
    fallbacks: tuple[Named, ...] = ()

    def told(self, asked: str) -> str:
        """What an answer names as its model: what an alias stands for, else the name as it was asked for."""
        return asked if self.alias is None else self.name


class Catalogue:
    """The models, looked up by name. The embedded list is read when first needed."""

    def __init__(self, live: LiveConfig) -> None:
        self.updated_at: float | None = None
        """When the list was read from Poe; `None` for the embedded one."""
        self._live = live
        self._models: Sequence[Model] = ()
        self._by_name: dict[str, Model] = {}
        live.watch(
            MODELS,
            self._take_stored,
            every_seconds=REFRESH_SECONDS,
            # Otherwise a new deployment would answer from the embedded list for minutes after the job has stored the
            # real one.
            every_seconds_if_absent=ABSENT_REFRESH_SECONDS,
        )
        self._aliases: AliasTable = NO_ALIASES
        live.watch(ALIASES, self._take_aliases, every_seconds=ALIASES_REFRESH_SECONDS)

    async def models(self) -> Sequence[Model]:
        """All models, sorted by id. The same object until there is another list."""
        await self._live.refresh()
        self._embedded()
        return self._models

    async def find(self, name: str) -> Model | None:
        """The model with this name or alias."""
        await self._live.refresh()
        return self.known(name)

    def known(self, name: str) -> Model | None:
        """The model with this name or alias in the list at hand, without looking for a newer one."""
        return self._embedded().get(key_of(name))

    async def resolve(self, name: str) -> Resolved:
        """What is meant by a caller's name: an alias of the owner's, a listed model, or what only Poe knows."""
        await self._live.refresh()
        # The owner's word comes first, even before a model's own name; a pattern only where nobody has that name.
        alias = self._aliases.exact(name)
        found = self.known(name) if alias is None else None
        if alias is None and found is None:
            alias = self._aliases.matching(name)
        meant = self.named(name if alias is None else alias.model)
        fallbacks = tuple(map(self.named, alias.fallbacks)) if alias is not None else ()
        return Resolved(meant.model, meant.bot, alias, fallbacks)

    def named(self, name: str) -> Named:
        """The model that Poe, or the list, has under this name."""
        found = self.known(name)
        # Programs for the original still use old codenames.
        return Named(found, _bots_by_codename().get(name.lower(), name) if found is None else found.bot)

    async def entry(self, name: str) -> Model | None:
        """What the list of models has under a name: a model, or an alias; `None` for what nobody lists."""
        meant = await self.resolve(name)
        if meant.alias is None or (meant.model is None and meant.alias.is_pattern):
            return meant.model
        return _alias_entry(name, meant)

    async def entries(self) -> Sequence[Model]:
        """All models and exact aliases, sorted by id. An alias hides the model of its name."""
        models = await self.models()
        aliases = [alias for alias in self._aliases.aliases if not alias.is_pattern]
        if not aliases:
            return models
        shown = {key_of(model.id): model for model in models}
        for alias in aliases:
            meant = self.named(alias.model)
            entry = Resolved(meant.model, meant.bot, alias, tuple(map(self.named, alias.fallbacks)))
            shown[key_of(alias.name)] = _alias_entry(alias.name, entry)
        # An alias may have the name of a model, whose entry it then replaces.
        return sorted(shown.values(), key=lambda model: model.id.lower())

    def forget_aliases(self) -> None:
        """Read them again with the next request: they were changed here."""
        self._live.forget(ALIASES)

    async def reload(self) -> Sequence[Model]:
        """The list in the table, now. Raises `AccountStoreError`; the last good list stays."""
        await self._live.reload(MODELS)
        self._embedded()
        return self._models

    def _take_aliases(self, document: Document | None) -> None:
        self._aliases = read_aliases(document) if document else NO_ALIASES

    def _embedded(self) -> dict[str, Model]:
        if not self._by_name:
            self._take(json.loads((_DATA / "models.json").read_text(encoding="utf-8")))
        return self._by_name

    def _take_stored(self, document: Document | None) -> None:
        # An empty list is a failed reading, not a Poe without models: the last good one stays.
        if document and document.get("models"):
            try:
                self._take(document)
            except (AttributeError, KeyError, TypeError) as error:
                raise ValueError("this is not a list of models") from error

    def _take(self, document: Document) -> None:
        # The same list, read again: several hundred entries need not be parsed anew.
        if self._by_name and document.get("updated_at") is not None and document["updated_at"] == self.updated_at:
            return
        created = int(document.get("created", 0))
        models = [_model(item, created) for item in document["models"]]
        self._models = sorted(models, key=lambda model: model.id.lower())
        # Makers write dashes where Poe has dots (`claude-sonnet-4-5`). A model's own name wins over another's alias.
        dashed = [key_of(model.id).replace(".", "-") for model in models]
        times = Counter(dashed)
        # Later lines win: a dashed spelling gives way to an alias, and both to a model's own name. One that would be
        # two models' is left out.
        self._by_name = {name: model for name, model in zip(dashed, models, strict=True) if times[name] == 1}
        self._by_name |= {key_of(alias): model for model in models for alias in model.aliases}
        self._by_name |= {key_of(model.id): model for model in models}
        self.updated_at = document.get("updated_at")


def _alias_entry(name: str, meant: Resolved) -> Model:
    # The target may be a bot that no list has.
    entry = meant.model or Model(id=meant.bot, bot=meant.bot)
    return replace(
        entry, id=name, aliases=(), alias_of=meant.name, fallbacks=tuple(other.name for other in meant.fallbacks)
    )


def kinds_for(model: Model | None) -> tuple[AccountKind, ...]:
    """Kinds of account to ask for the model, best first."""
    return best_first((model.kinds if model is not None else None) or ())


def require(model: Model | None, modality: str, what: str) -> None:
    """Raise `GatewayError` (400) if it is known that the model can't make `modality`. `what` it is for, in words."""
    if model is not None and not model.makes(modality):
        made = ", ".join(model.output_modalities or ())
        raise unsupported_model(f"The model '{model.id}' can't be used for {what}: it makes {made}.")


def unsupported_model(message: str) -> GatewayError:
    """The model exists and can't do what is asked for."""
    return invalid(message, param="model", code="unsupported_endpoint")


def _model(item: Mapping[str, Any], created: int) -> Model:
    name = str(item["id"])
    # Programs written for the original gateway ask by codename.
    codename = _codenames().get(name.lower())
    return Model(
        id=name,
        bot=str(item.get("bot") or name),
        owned_by=str(item.get("owned_by") or _UNKNOWN_OWNER),
        created=int(item.get("created") or created),
        aliases=tuple(dict.fromkeys([*item.get("aliases", ()), *([codename] if codename else ())])),
        description=item.get("description"),
        input_modalities=_texts(item.get("input_modalities")),
        output_modalities=_texts(item.get("output_modalities")),
        features=_texts(item.get("features")),
        # 0 means that nobody knows, like null.
        context_length=item.get("context_length") or item.get("tokens"),
        max_output_tokens=item.get("max_output_tokens"),
        pricing=item.get("pricing"),
        points_per_message=item.get("points_per_message"),
        reasoning=item.get("reasoning"),
        parameters=_texts(item.get("parameters")),
        upstream_endpoints=_texts(item.get("upstream_endpoints")) or (),
        kinds=_texts(item.get("kinds")),
    )


def _texts(values: Iterable[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)


def _listed(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)


@cache
def _codenames() -> dict[str, str]:
    """Codenames of older web clients by the bots' names in lower case (docs/reference/poe-web.md#bot-names)."""
    document = json.loads((_DATA / "codenames.json").read_text(encoding="utf-8"))
    return {name.lower(): codename for name, codename in document["codenames"].items()}


@cache
def _bots_by_codename() -> dict[str, str]:
    document = json.loads((_DATA / "codenames.json").read_text(encoding="utf-8"))
    return {codename: name for name, codename in document["codenames"].items()}
