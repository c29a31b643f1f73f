"""`POST /v1/completions`, OpenAI's older endpoint: its answers, streamed or as one object, and its description."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from accounts import AccountKind
from gateway.generation.answer import Answer, collect_answer, missing_links, native_reason, stream_answer
from gateway.generation.generation import Generation
from gateway.generation.parallel import run_all, stream_all
from gateway.generation.usage import TokenUsage
from gateway.http.bodies import read_json
from gateway.http.declared_body import describe
from gateway.http.request_log import RequestRecord
from gateway.http.schemas import (
    COUNT,
    GENERATION,
    IGNORED,
    TEXT,
    Operation,
    Schema,
    array,
    const,
    events,
    json_media,
    obj,
    optional,
    ref,
)
from gateway.http.sse import DONE, EventStream, Put, encode_text
from gateway.models.capabilities import ignored_header
from gateway.models.catalogue import require
from gateway.models.model import Model
from gateway.prompt.chat_task import IGNORED_HEADER, ModelChoice, prepare_choice
from gateway.prompt.request import GenerationRequest
from gateway.surfaces.completions.request import NAMES, CompletionBody, CompletionRequest, read_completion_request
from gateway.surfaces.context import (
    RequestContext,
    admit,
    answering,
    authenticate,
    context_of,
    event_stream,
    request_deadline,
)
from reverse.events import Event, FinishReason, TextDelta

MAX_PARALLEL = 4


async def create_completion(request: Request) -> Response | EventStream:
    """Answer each prompt `n` times: at the same time, or streamed one after the other.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services = context.services
    key = await authenticate(request)
    asked = read_completion_request(await read_json(request, max_bytes=services.settings.max_body_bytes))
    meant = await admit(request, key, asked.model, asked.answers)
    # A bot without text would answer a prompt with an address.
    require(meant.model, "text", "completions")
    async with asyncio.timeout_at(deadline):
        # All prompts are made ready before any is sent: a mistake in the last one must not come after others were paid
        # for.
        chats = [
            await prepare_choice(
                meant, partial(_same, one_prompt), key_id=key.id, services=services, has_others=asked.answers == 1
            )
            for one_prompt in asked.generation_requests()
        ]
    completion = _Completion(context, asked, chats)
    if asked.is_streamed:
        return event_stream(request, completion.stream, deadline=deadline, headers=completion.headers, names=NAMES)
    async with answering(request, deadline, NAMES):
        body = await completion.collect()
    return Response(body, media_type="application/json", headers=completion.headers())


def _same(request: GenerationRequest, _: Model | None) -> GenerationRequest:
    return request


class _Completion:
    """The answers to one request, streamed or collected."""

    def __init__(self, context: RequestContext, asked: CompletionRequest, chats: Sequence[ModelChoice]) -> None:
        self._context = context
        self._asked = asked
        # One for each prompt.
        self._chats = chats
        self._encoder = CompletionEncoder(asked, created=int(time.time()), model=chats[0].model)
        chats[0].on_change(self._encoder.rename)
        self._choices: dict[int, ChoiceEncoder] = {}
        self._started: list[Generation] = []

    def headers(self) -> dict[str, str]:
        """What is known of the answers by now."""
        # Until an account is known the likeliest kind is assumed.
        kinds: set[AccountKind | None] = {generation.kind for generation in self._started if generation.kind} or {None}
        ignored = {name for choice in self._chats for kind in kinds for name in choice.chat.ignored(kind)}
        headers = self._chats[0].headers(self._started[-1] if self._started else None)
        return {**headers, IGNORED_HEADER: ignored_header(tuple(sorted(ignored)))} if ignored else headers

    async def collect(self) -> bytes:
        """The completion object. Raises what the first failing answer raises: a gap would hide or shift another one."""
        record = self._context.record
        answers = await run_all(self._asked.answers, self._collect_choice, record=record, width=MAX_PARALLEL)
        return self._encoder.whole(answers)

    async def stream(self, put: Put) -> None:
        """Put all answers in their order, so that a stream holds one account at a time."""
        await stream_all(self._asked.answers, self._stream_choice, put, record=self._context.record, width=1)
        usage = TokenUsage.total(choice.answer.usage for choice in self._choices.values())
        if (full := put(self._encoder.end_stream(usage))) is not None:
            await full

    async def _collect_choice(self, index: int, record: RequestRecord) -> Answer:
        return await collect_answer(self._start(index, record))

    async def _stream_choice(self, index: int, record: RequestRecord, put: Put) -> None:
        encoder = self._choices[index] = self._encoder.choice(index)
        # Another model is possible for a single answer only, so the first chat speaks for all.
        self._chats[0].on_change(encoder.rename)
        await stream_answer(self._start(index, record), encoder, put)

    def _start(self, index: int, record: RequestRecord) -> Generation:
        # In OpenAI's order: all answers to the first prompt come first.
        prompt, choice = divmod(index, self._asked.count)
        task = self._chats[prompt].task(choice)
        generation = self._context.services.generations.start(task, record)
        self._started.append(generation)
        return generation


class CompletionEncoder:
    """Encodes the answers to one request; `choice` makes the encoder of one streamed answer."""

    def __init__(self, request: CompletionRequest, *, created: int, model: str) -> None:
        self.request = request
        self.head: dict[str, Any] = {
            "id": f"cmpl-{secrets.token_hex(14)}",
            "object": "text_completion",
            "created": created,
            "model": model,
        }

    def whole(self, answers: Sequence[Answer]) -> bytes:
        """The response that is not streamed."""
        choices = [
            {
                "text": (self.request.prompt_of(index) if self.request.echoes else "")
                + answer.text
                + missing_links(answer.files, answer.text),
                "index": index,
                # OpenAI's choices always have the field, null where there are none.
                "logprobs": None,
                "finish_reason": finish_reason(answer.finish_reason),
            }
            | native_reason(answer.finish_reason)
            for index, answer in enumerate(answers)
        ]
        usage = TokenUsage.total(answer.usage for answer in answers)
        return _json(self.head | {"choices": choices, "usage": usage.to_chat()})

    def rename(self, model: str) -> None:
        """Another model answers than was expected."""
        self.head["model"] = model

    def choice(self, index: int) -> ChoiceEncoder:
        """The encoder of one answer."""
        return ChoiceEncoder(self, index)

    def end_stream(self, usage: TokenUsage) -> bytes:
        """What ends a stream after its choices, given what all of them consumed."""
        if not self.request.wants_usage:
            return DONE
        return b"data: " + _json(self.head | {"choices": [], "usage": usage.to_chat()}) + b"\n\n" + DONE


class ChoiceEncoder:
    """Encodes one answer of several. Each method's result is ready to be sent."""

    def __init__(self, parent: CompletionEncoder, index: int) -> None:
        request = parent.request
        self.answer = Answer()
        self._index = index
        self._parent = parent
        # As in chat: the field is there only where usage was asked for.
        self._tail = b',"usage":null}\n\n' if request.wants_usage else b"}\n\n"
        self.rename(parent.head["model"])

    def rename(self, model: str) -> None:
        """Another model answers than was expected. To be called before anything is encoded."""
        request, head = self._parent.request, self._parent.head
        # Shared by all choices: those that begin later name the same model.
        head["model"] = model
        self._open = b"data: " + _json(head)[:-1] + b',"choices":[{"text":'
        # Held until the bot begins to answer: a failure before that is an ordinary error response.
        self._start = self._chunk(request.prompt_of(self._index)) if request.echoes else b""

    def encode(self, event: Event) -> bytes:
        """The chunk for an event; empty for events that chunks do not show."""
        # A refusal is a kind of text here: this API has no other place for it.
        if not isinstance(event, TextDelta):
            self.answer.add(event)
            return b""
        chunk, self._start = self._start + self._chunk(event.text), b""
        return chunk

    async def end(self) -> bytes:
        """All that ends the answer."""
        links = missing_links(self.answer.files, self.answer.text)
        reason = self.answer.finish_reason
        # An answer without text still has its prompt echoed, and its reason told.
        return self._start + self._chunk(links, finish_reason(reason), native_reason(reason))

    def _chunk(self, text: str, reason: str | None = None, native: Mapping[str, str] | None = None) -> bytes:
        more = b"," + _json(native)[1:-1] if native else b""
        rest = b',"index":%d,"logprobs":null,"finish_reason":%s%s}]' % (self._index, _json(reason), more)
        return self._open + encode_text(text) + rest + self._tail


def finish_reason(reason: FinishReason) -> str:
    """OpenAI's value. This endpoint has none for tool calls, which nobody can ask for here."""
    # Somebody stopped it at Poe: cut, like at a token limit.
    if reason is FinishReason.CANCELLED:
        return "length"
    return "stop" if reason is FinishReason.TOOL_CALLS else reason.value


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


SCHEMAS: dict[str, Schema] = {
    # From the fields that read the body, so that reader and description can't differ.
    "CompletionRequest": describe(CompletionBody),
    "Completion": obj(
        "id object created model choices usage",
        id=TEXT,
        object=const("text_completion"),
        created=COUNT,
        model=TEXT,
        choices=array(obj("index text finish_reason", index=COUNT, text=TEXT, finish_reason=optional(TEXT))),
        usage=ref("Usage"),
    ),
}

OPERATIONS: dict[str, Operation] = {
    "create_completion": Operation(
        summary="Answer prompts (older endpoint)",
        tag="Completions",
        description="A chat model answers a prompt; it does not go on where the prompt ends.",
        body=json_media(ref("CompletionRequest"), question={"model": "GPT-5", "prompt": "Hello"}),
        answer=json_media(ref("Completion")) | events("A chunk as JSON, at last `[DONE]`."),
        headers=IGNORED,
        situations=GENERATION,
    ),
}
