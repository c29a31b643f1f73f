"""A request made ready: files read, window checked, conversation found, and what then has to be generated.

Every surface that asks a model in words comes through here, so that tools, files, formats and sessions work the same
whatever API the caller speaks. The models that the owner lets answer in an alias's own model's place are made ready the
same way, one after the other when they are needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol
from urllib.parse import quote

from accounts import AccountKind, AccountStore, AccountStoreError
from gateway.generation.task import AnswerSoFar, GenerationTask
from gateway.http.errors import GatewayError, invalid
from gateway.http.request_log import Journal
from gateway.models.capabilities import ModelFacts, facts_of, ignored_header
from gateway.models.catalogue import Named, Resolved
from gateway.models.model import Model
from gateway.models.prices import Prices
from gateway.prompt.attachments import AttachmentReader
from gateway.prompt.chat_question import ChatQuestion, RefusedOptions
from gateway.prompt.conversations import CallExtras, Conversation, find_conversation, is_given_back, with_extras
from gateway.prompt.request import GenerationRequest
from gateway.prompt.turns import check_window, estimate_tokens, fit_window
from lazy_dataclasses import dataclass

IGNORED_HEADER = "x-gateway-ignored"
TRUNCATED_HEADER = "x-gateway-truncated"
# The answer is there; its last byte waits so long for the table at most.
_SAVE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ChatTask:
    """What to generate for one request."""

    request: GenerationRequest
    """As it will be asked: with files' bytes, without turns that were left out."""
    bot: str
    key_id: str
    left_out: int
    """How many of the oldest turns had to be left out."""
    conversation: Conversation | None
    refused: RefusedOptions
    store: AccountStore
    journal: Journal
    prompt_tokens: int
    """The estimate, made once: with many tools it takes as long as writing them out."""

    def generation_task(self, choice: int = 0) -> GenerationTask:
        """The task of one choice. The conversation goes on with the first."""
        # One chat can't go on with two answers.
        conversation = self.conversation if choice == 0 else None
        extras = CallExtras() if self.request.specs.tools else None
        is_kept = conversation is not None or extras is not None
        return GenerationTask(
            key_id=self.key_id,
            model=self.bot,
            question=ChatQuestion(self.request, self.bot, self.refused, conversation, extras),
            on_end=partial(self._end, conversation, extras) if is_kept else None,
            prompt_tokens=self.prompt_tokens,
            max_tokens=self.request.max_tokens,
            limits=self.request.limits,
            kinds=self.request.kinds,
            is_streamed=self.request.is_streamed,
            sticky_account_id=conversation.account_id if conversation else None,
            conversation=conversation.chat_name if conversation else None,
        )

    def ignored(self, kind: AccountKind | None) -> tuple[str, ...]:
        """Names of what was not taken into account; `kind` is the answering account's, if known already."""
        # Headers of a stream may leave before an account is known; the likeliest kind is told then.
        kind = kind or self.request.kinds[0]
        names = {*self.request.ignored(kind), *map(self.request.names.of, self.refused.names)}
        turns = self.request.turns
        if any(turn.thinking for turn in turns) and not is_given_back(turns, bot=self.bot, kind=kind):
            names.add(self.request.thinking_name)
        return tuple(sorted(names))

    def headers(self, kind: AccountKind | None) -> dict[str, str]:
        """Headers that say so."""
        ignored = self.ignored(kind)
        headers = {IGNORED_HEADER: ignored_header(ignored)} if ignored else {}
        if self.left_out:
            headers[TRUNCATED_HEADER] = str(self.left_out)
        return headers

    async def _end(
        self, conversation: Conversation | None, extras: CallExtras | None, answer: AnswerSoFar, went_well: bool
    ) -> None:
        kind, account_id = answer.kind, answer.account_id
        try:
            # What is saved makes the next request cheaper, and is not worth failing this one.
            async with asyncio.timeout(_SAVE_SECONDS):
                if extras is not None and went_well:
                    await extras.save(self.store, self.key_id)
                if conversation is None or kind is None or account_id is None:
                    return
                if went_well:
                    await conversation.save(self.store, account_id, kind, answer.text)
                else:
                    await conversation.abandon(self.store)
        except (AccountStoreError, TimeoutError) as error:
            self.journal.event("session.write_failed", code=type(error).__name__)


class ChatServices(Protocol):
    """What making a request ready takes."""

    @property
    def store(self) -> AccountStore: ...

    @property
    def attachments(self) -> AttachmentReader: ...

    @property
    def journal(self) -> Journal: ...


async def prepare_chat(
    request: GenerationRequest, *, bot: str, entry: object, key_id: str, services: ChatServices
) -> ChatTask:
    """Make a request ready. `entry` is the model's in the catalogue, `None` if it has none.

    Raises `GatewayError` (400) for files and lengths that can't be served. No account is touched.
    """
    facts = facts_of(entry)
    # Before the conversation is looked for: its digest covers the files' bytes.
    turns = await services.attachments.read(request.turns, facts, places=request.places, param=request.names.messages)
    kept = turns
    rules_tokens = request.rules_tokens
    # Opt-in only: leaving turns out changes the answer, which nobody would notice.
    if request.may_truncate:
        kept = fit_window(turns, facts.context_tokens, also=rules_tokens, reserve=request.max_tokens or 0)
    else:
        check_window(turns, facts.context_tokens, also=rules_tokens)
    # After the cutting: what was left out needs no read of the table.
    kept = await with_extras(
        kept, bot=bot, thinks=_thinks(request, facts), key_id=key_id, store=services.store, journal=services.journal
    )
    request = replace(request, turns=kept, facts=facts)
    # Known only now, with the model's facts. An answer without the search would look like one with it.
    if request.specs.must_search and not request.searches_the_web:
        message = (
            "'tool_choice' asks for a call, but none of 'tools' is offered here: this model does not search the web."
        )
        raise invalid(message, param="tool_choice", code="invalid_value")
    conversation = await find_conversation(
        services.store,
        services.journal,
        key_id=key_id,
        model=bot,
        turns=request.turns,
        session_id=request.session_id,
        cache_key=request.cache_key,
    )
    refused = RefusedOptions(request.options.doubtful(facts))
    left_out = len(turns) - len(kept)
    return ChatTask(
        request,
        bot,
        key_id,
        left_out,
        conversation,
        refused,
        services.store,
        services.journal,
        estimate_tokens(request.turns) + rules_tokens,
    )


def _thinks(request: GenerationRequest, facts: ModelFacts) -> bool:
    """Whether the model is asked to think by a budget, which is how those that want their thinking back are asked."""
    return bool(request.options.sent(AccountKind.OFFICIAL, facts).get("thinking_budget"))


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
