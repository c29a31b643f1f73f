"""Answers as a chat completion: as one object, and as the chunks of a stream. Pure.

Order of chunks (docs/reference/openai-wire.md#streamed-chat): the role once, deltas, the finish reason once, usage in a
chunk without choices if it was asked for, `[DONE]`. Everything around a piece of text is serialised once per answer,
not once per chunk.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gateway.generation.answer import (
    Answer,
    AnswerPart,
    distinct_files,
    file_name,
    missing_links,
    native_reason,
    placed,
    url_citations,
)
from gateway.generation.usage import TokenUsage
from gateway.http.sse import DONE, encode_text
from gateway.prompt.tool_specs import NO_TOOLS, TextReader, ToolSpecs, to_text
from reverse.events import (
    Event,
    FileAttached,
    FinishReason,
    ReasoningDelta,
    ReasoningSigned,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    UrlCited,
)


def new_completion_id() -> str:
    """An id as OpenAI's look."""
    return f"chatcmpl-{secrets.token_hex(14)}"


def encode_completion(
    answers: Sequence[Answer], *, completion_id: str, created: int, model: str, specs: ToolSpecs = NO_TOOLS
) -> bytes:
    """The completion as JSON, one choice per answer. `specs` tells as what calls are written."""
    body = {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [to_choice(answer, index, specs) for index, answer in enumerate(answers)],
        # One sum for all choices, as OpenAI has it; the prompt counts for each, because each is paid for.
        "usage": TokenUsage.total(answer.usage for answer in answers).to_chat(),
    }
    return json.dumps(body, separators=(",", ":")).encode()


def to_choice(answer: Answer, index: int, specs: ToolSpecs = NO_TOOLS) -> dict[str, Any]:
    """OpenAI's choice object."""
    reason = finish_reason(answer.finish_reason, is_legacy=specs.is_legacy)
    # OpenAI's choices always have `logprobs`, null where there are none.
    choice = {"index": index, "message": _message(answer, specs), "logprobs": None, "finish_reason": reason}
    return choice | native_reason(answer.finish_reason)


def finish_reason(reason: FinishReason, *, is_legacy: bool = False) -> str:
    """OpenAI's value. An answer that somebody stopped at Poe was cut, like one at its token limit."""
    # Callers with `functions` do not know `tool_calls`, and would wait for text.
    if is_legacy and reason is FinishReason.TOOL_CALLS:
        return "function_call"
    return "length" if reason is FinishReason.CANCELLED else reason.value


def describe_files(
    files: Sequence[FileAttached], text: str, cited: Sequence[UrlCited] = ()
) -> tuple[str, dict[str, Any]]:
    """What to append to `text`, and the fields of the message that describe files and cited pages; none without any.

    `annotations` has OpenAI's form for addresses in a text; `attachments` is an extension with the rest.
    """
    if not files and not cited:
        return "", {}
    # Programs that know no `attachments` show the text only, so each file has to be linked there.
    links = missing_links(files, text)
    citations = [*(placed(one, text) for one in cited), *url_citations(files, text + links)]
    annotations = [{"type": "url_citation", "url_citation": citation} for citation in citations]
    attachments = {"attachments": [_attachment(file) for file in distinct_files(files)]} if files else {}
    return links, {"annotations": annotations, **attachments}


def _attachment(file: FileAttached) -> dict[str, Any]:
    described = {"url": file.url, "name": file_name(file), "content_type": file.content_type}
    return {name: value for name, value in described.items() if value is not None}


def _message(answer: Answer, specs: ToolSpecs) -> dict[str, Any]:
    """The assistant's message. Content is null only where calls or a refusal come without text."""
    links, described = describe_files(answer.files, answer.text, answer.citations)
    text, refusal, calls = answer.text + links, answer.joined("refusal"), answer.tool_calls
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if calls or refusal else ""),
        "refusal": refusal or None,
    }
    # Poe's own name for it, which clients that show reasoning look for
    # (docs/reference/poe-official.md#chat-parameters).
    if reasoning := answer.joined("reasoning"):
        message["reasoning_content"] = reasoning
    if thinking := answer.thinking:
        message["thinking_blocks"] = [thinking_block(part) for part in thinking]
    # The predecessor has room for one call.
    if calls and specs.is_legacy:
        message["function_call"] = _function(calls[0])
    elif calls:
        message["tool_calls"] = [_call(call, index, specs.free_form) for index, call in enumerate(calls)]
    if answer.suggested_replies:
        message["suggested_replies"] = answer.suggested_replies
    return message | described


def thinking_block(part: AnswerPart) -> dict[str, str]:
    """Sealed reasoning, as an extension: the form in which LiteLLM's clients send it back."""
    if part.kind == "redacted":
        return {"type": "redacted_thinking", "data": part.signature}
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _call(call: AnswerPart, index: int, free_form: Collection[str]) -> dict[str, Any]:
    # Results name their call by its id, so that it must not be missing.
    head = {"id": call.call_id or f"call_{index}"}
    extra = {"extra_content": call.extra_content} if call.extra_content else {}
    if call.name in free_form:
        return {**head, "type": "custom", "custom": {"name": call.name, "input": to_text(call.text)}, **extra}
    return {**head, "type": "function", "function": _function(call), **extra}


def _function(call: AnswerPart) -> dict[str, str]:
    return {"name": call.name, "arguments": call.text}


class ChunkEncoder:
    """Encodes one answer. Each method's result is ready to be sent.

    `choice` is its number among several answers to one request: then `end` ends only the choice, and `end_stream` the
    stream. `specs` tells as what calls are written: legacy callers get a `function_call`, of which there is only one.
    """

    def __init__(
        self,
        *,
        completion_id: str,
        created: int,
        model: str,
        wants_usage: bool,
        choice: int | None = None,
        specs: ToolSpecs = NO_TOOLS,
    ) -> None:
        self.answer = Answer()
        self._head = {"id": completion_id, "object": "chat.completion.chunk", "created": created}
        self._index = choice or 0
        # OpenAI's chunks have the field only where usage was asked for (docs/reference/openai-wire.md#streamed-chat).
        self._close = b',"usage":null}\n\n' if wants_usage else b"}\n\n"
        self._wants_usage = wants_usage
        self._is_one_of_many = choice is not None
        self._is_legacy = specs.is_legacy
        self._free_form = specs.free_form
        # Of calls of tools that take plain text, by index.
        self._readers: dict[int, TextReader] = {}
        self._after_delta = b'},"finish_reason":null}]' + self._close
        self.rename(model)

    def rename(self, model: str) -> None:
        """Another model answers than was expected. To be called before anything is encoded."""
        self._open = b"data: " + _json({**self._head, "model": model})[:-1]
        # Everything around a piece is the same for the whole answer.
        self._before_delta = self._open + b',"choices":[{"index":%d,"delta":{' % self._index
        self._before_text = self._before_delta + b'"content":'
        # The chunk with the role goes out with the first one that follows it.
        self._start = self._delta(b'"role":"assistant","content":""')

    def encode(self, event: Event) -> bytes:
        """The chunk for an event; empty for events that chunks do not show."""
        # Text is nearly everything there is. The generation keeps it, so it is not kept here again.
        if type(event) is TextDelta:
            # Bytes put together, not a dictionary made into JSON: the fixed parts are most of a chunk.
            chunk = self._before_text + encode_text(event.text) + self._after_delta
        else:
            self.answer.add(event)
            chunk = self._encode_other(event)
        # Not before: as long as nothing was sent, another account can still answer.
        if chunk and self._start:
            chunk, self._start = self._start + chunk, b""
        return chunk

    def _encode_other(self, event: Event) -> bytes:
        match event:
            case ReasoningDelta(text):
                return self._delta(b'"reasoning_content":' + encode_text(text))
            case RefusalDelta(text):
                return self._delta(b'"refusal":' + encode_text(text))
            case ReasoningSigned():
                return self._delta(b'"thinking_blocks":' + _json([thinking_block(self.answer.thinking[-1])]))
            case ToolCallDelta() if self._is_legacy:
                piece = tool_call_delta(event)["function"]
                return b"" if event.index else self._delta(b'"function_call":' + _json(piece))
            case ToolCallDelta():
                return self._call_piece(event)
        return b""

    def _call_piece(self, event: ToolCallDelta) -> bytes:
        # Only the first piece of a call has its name.
        if event.name in self._free_form:
            self._readers[event.index] = TextReader()
        reader = self._readers.get(event.index)
        if reader is None:
            return self._calls(tool_call_delta(event))
        text = reader.feed(event.arguments)
        # Sent even without text: it opens the call.
        if event.id is not None:
            piece = {"index": event.index, "id": event.id, "type": "custom"}
            extra = {"extra_content": event.extra_content} if event.extra_content else {}
            return self._calls({**piece, "custom": {"name": event.name or "", "input": text}, **extra})
        return self._calls({"index": event.index, "custom": {"input": text}}) if text else b""

    def _calls(self, piece: dict[str, Any]) -> bytes:
        return self._delta(b'"tool_calls":[' + _json(piece) + b"]")

    async def end(self) -> bytes:
        """All that ends the answer: links to files with their description, suggested replies, the finish reason."""
        answer = self.answer
        links, described = describe_files(answer.files, answer.text, answer.citations)
        # One chunk for all that is only known at the end.
        delta: dict[str, Any] = ({"content": links} if links else {}) | described
        if answer.suggested_replies:
            delta["suggested_replies"] = answer.suggested_replies
        # What a reader held back, such as half of an escaped character.
        rests = [(index, reader.finish()) for index, reader in self._readers.items()]
        extras = b"".join(self._calls({"index": index, "custom": {"input": rest}}) for index, rest in rests if rest)
        extras += self._delta(_json(delta)[1:-1]) if delta else b""
        reason = _json(finish_reason(answer.finish_reason, is_legacy=self._is_legacy))
        reason += b"".join(b',"%s":"%s"' % pair for pair in _encoded(native_reason(answer.finish_reason)))
        # An answer without any content still begins with the role.
        end = self._start + extras + self._before_delta + b'},"finish_reason":' + reason + b"}]" + self._close
        return end if self._is_one_of_many else end + self.end_stream(answer.usage)

    def end_stream(self, usage: TokenUsage) -> bytes:
        """What ends a stream after its choices, given what all of them consumed."""
        if not self._wants_usage:
            return DONE
        return self._open + b',"choices":[],"usage":' + _json(usage.to_chat()) + b"}\n\n" + DONE

    def _delta(self, fields: bytes) -> bytes:
        return self._before_delta + fields + self._after_delta


def tool_call_delta(event: ToolCallDelta) -> dict[str, Any]:
    """A tool call's piece: the first of an index has id, type and name, later ones only arguments.

    `extra_content` is as Poe's own API has it: what the provider wants back with the call.
    """
    extra = {"extra_content": dict(event.extra_content)} if event.extra_content else {}
    if event.id is None:
        return {"index": event.index, "function": {"arguments": event.arguments}} | extra
    function = {"name": event.name or "", "arguments": event.arguments}
    return {"index": event.index, "id": event.id, "type": "function", "function": function} | extra


def _encoded(fields: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in fields.items()]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
