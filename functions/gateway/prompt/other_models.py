"""The models that the owner lets answer in an alias's own model's place, made ready one after the other when needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol
from urllib.parse import quote

from accounts import AccountStoreError
from gateway.generation.task import AnswerSoFar, GenerationTask
from gateway.http.errors import GatewayError
from gateway.models.catalogue import Model, Named, Resolved
from gateway.models.prices import Prices
from gateway.prompt.chat_task import ChatServices, ChatTask, prepare_chat
from gateway.prompt.request import GenerationRequest

MODEL_HEADER = "x-gateway-model"
MakeRequest = Callable[[Model | None], GenerationRequest]


def model_header(meant: Resolved) -> dict[str, str]:
    """The header that says which model an alias stands for; empty for a model's own name."""
    return {} if meant.alias is None else _header(meant.name)


def _header(name: str) -> dict[str, str]:
    # Names of bots may have any characters, headers may not.
    return {MODEL_HEADER: quote(name, safe=" !#$&'()*+,/:;=?@[]~")}


class ModelServices(ChatServices, Protocol):
    """What a request to another model needs."""

    @property
    def prices(self) -> Prices: ...


class ModelChoice:
    """One request to the model that is meant, or to one that may answer in its place. Implements `OtherTasks`."""

    def __init__(
        self,
        chat: ChatTask,
        meant: Resolved,
        others: Sequence[Named],
        make_request: MakeRequest,
        services: ModelServices,
    ) -> None:
        self.chat = chat
        """For the model that answers, or would."""
        self._is_alias = meant.alias is not None
        self.model = meant.told(chat.request.model)
        """What callers are told of the model that answers: its name for an alias, else the name as they wrote it."""
        self._others = list(others)
        self._make_request = make_request
        self._services = services
        self._on_change: list[Callable[[str], None]] = []

    @property
    def left(self) -> int:
        """How many models were not asked yet."""
        return len(self._others)

    def on_change(self, note: Callable[[str], None]) -> None:
        """Call `note` with the name of each further model, before anything of an answer is encoded."""
        self._on_change.append(note)

    def task(self, choice: int = 0) -> GenerationTask:
        """What to generate for one choice."""
        task = self.chat.generation_task(choice)
        return replace(task, others=self) if self._others else task

    def headers(self, answer: AnswerSoFar | None) -> dict[str, str]:
        """Headers that say which model answers to an alias, and what was not taken into account.

        A status line that leaves before the answer names no model as long as another one may answer.
        """
        headers = self.chat.headers(answer.kind if answer else None)
        is_settled = not self._others or (answer is not None and answer.has_begun)
        return {**headers, **_header(self.model)} if self._is_alias and is_settled else headers

    async def next(self) -> GenerationTask | None:
        """The task for the next model that can be asked this; `None` where none is left."""
        while self._others:
            named = self._others.pop(0)
            try:
                self.chat = await prepare_chat(
                    self._make_request(named.model),
                    bot=named.bot,
                    entry=named.model,
                    key_id=self.chat.key_id,
                    services=self._services,
                )
            except (GatewayError, AccountStoreError) as error:
                # Too small a window, or files that it does not take: no reason to end the request.
                code = error.code if isinstance(error, GatewayError) else type(error).__name__
                self._services.journal.event("model.unfit", model=named.bot, code=code)
                continue
            self.model = named.name
            for note in self._on_change:
                note(named.name)
            # The budget was reserved at the price of the model that was asked for; this one has its own.
            price = partial(self._services.prices.price, named.model, named.bot)
            return replace(self.task(), price=price, others=self)
        return None


async def prepare_choice(
    meant: Resolved, make_request: MakeRequest, *, key_id: str, services: ModelServices, has_others: bool = True
) -> ModelChoice:
    """Make a request ready for the model that is meant. `make_request` makes it for a model, as far as that matters.

    Without `has_others` no other model takes its place: several answers to one request come from one model.
    Raises what `prepare_chat` raises.
    """
    chat = await prepare_chat(
        make_request(meant.model), bot=meant.bot, entry=meant.model, key_id=key_id, services=services
    )
    return ModelChoice(chat, meant, meant.fallbacks if has_others else (), make_request, services)
