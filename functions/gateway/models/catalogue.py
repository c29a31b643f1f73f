"""Which models there are: an embedded list, so that a fresh deployment answers at once, and a newer one in the table.

The scheduled job reads the newer one from Poe. Names are matched without regard to case, by alias, and with dashes for
dots. A name that nobody lists is passed to Poe as it is: Poe has more bots than any list, and says itself when there is
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accounts import AccountKind
from gateway.http.errors import GatewayError, invalid
from gateway.models.aliases import NO_ALIASES, Alias, AliasTable, key_of, read_aliases
from gateway.models.capabilities import best_first
from gateway.models.live_config import Document, LiveConfig
from gateway.models.model import Model
from gateway.models.model_list import ModelList, bot_by_codename, embedded
from lazy_dataclasses import dataclass
from pool.config_names import ALIASES, MODELS

REFRESH_SECONDS = 300.0
ALIASES_REFRESH_SECONDS = 60.0
# A new deployment has no stored list until the scheduled job has run for the first time.
ABSENT_REFRESH_SECONDS = 5.0


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


@dataclass(frozen=True, slots=True)
class _Entries:
    """What was made of a list and of aliases."""

    models: Sequence[Model]
    aliases: AliasTable
    merged: Sequence[Model]


class Catalogue:
    """The models, looked up by name. The embedded list is read when first needed."""

    def __init__(self, live: LiveConfig) -> None:
        self.updated_at: float | None = None
        """When the list was read from Poe; `None` for the embedded one."""
        self._live = live
        self._list: ModelList | None = None
        live.watch(
            MODELS,
            self._take_stored,
            every_seconds=REFRESH_SECONDS,
            # Otherwise a new deployment would answer from the embedded list for minutes after the job has stored the
            # real one.
            every_seconds_if_absent=ABSENT_REFRESH_SECONDS,
        )
        self._aliases: AliasTable = NO_ALIASES
        self._alias_document: Document | None = None
        self._entries: _Entries | None = None
        live.watch(ALIASES, self._take_aliases, every_seconds=ALIASES_REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read the list and the aliases if they are due, so that names can be looked up. No model is made."""
        await self._live.refresh()
        self._models()

    async def refresh_early(self) -> None:
        """`refresh` before there is a request. What can't be read is due with the first one."""
        await self._live.refresh_early()
        self._models()

    async def models(self) -> Sequence[Model]:
        """All models, sorted by id. The same object until there is another list."""
        await self._live.refresh()
        return self._models().models()

    async def find(self, name: str) -> Model | None:
        """The model with this name or alias."""
        await self._live.refresh()
        return self.known(name)

    def known(self, name: str) -> Model | None:
        """The model with this name or alias in the list at hand, without looking for a newer one."""
        return self._models().find(name)

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
        return Named(found, (bot_by_codename(name) or name) if found is None else found.bot)

    async def entry(self, name: str) -> Model | None:
        """What the list of models has under a name: a model, or an alias; `None` for what nobody lists."""
        meant = await self.resolve(name)
        if meant.alias is None or (meant.model is None and meant.alias.is_pattern):
            return meant.model
        return _alias_entry(name, meant)

    async def entries(self) -> Sequence[Model]:
        """All models and exact aliases, sorted by id. An alias hides the model of its name.

        The same object until there is another list, or there are other aliases.
        """
        models = await self.models()
        made = self._entries
        if made is None or made.models is not models or made.aliases is not self._aliases:
            made = self._entries = _Entries(models, self._aliases, self._merged(models))
        return made.merged

    def _merged(self, models: Sequence[Model]) -> Sequence[Model]:
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
        return self._models().models()

    def _take_aliases(self, document: Document | None) -> None:
        # The same ones, read again: what was made of them stays good.
        if document != self._alias_document:
            self._aliases = read_aliases(document) if document else NO_ALIASES
            self._alias_document = document

    def _models(self) -> ModelList:
        if self._list is None:
            self._list = embedded()
        return self._list

    def _take_stored(self, document: Document | None) -> None:
        # An empty list is a failed reading, not a Poe without models: the last good one stays.
        if not document or not document.get("models"):
            return
        updated_at = document.get("updated_at")
        # The same list, read again: what was made of it stays good.
        if self._list is None or updated_at is None or updated_at != self.updated_at:
            self._list = ModelList(document, self._report)
            self.updated_at = updated_at

    def _report(self, error: Exception) -> None:
        self._live.report(MODELS, error)


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
