"""The response object in every state, and its output items. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from gateway.generation.answer import Answer, AnswerPart, missing_links, native_reason, placed, url_citations
from gateway.generation.usage import TokenUsage
from gateway.http.errors import CONTENT_FILTER, TOO_LONG, GatewayError
from gateway.prompt.model_json import decode_tolerantly
from gateway.prompt.tool_specs import TextReader, to_text
from gateway.surfaces.responses.tools import SEAL, Origin
from lazy_dataclasses import dataclass
from reverse.events import FinishReason, TextDelta, UrlCited

_INCOMPLETE = {
    FinishReason.LENGTH: "max_output_tokens",
    FinishReason.CANCELLED: "max_output_tokens",
    FinishReason.CONTENT_FILTER: "content_filter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseObject:
    """What all states of one response have in common. Times are epoch seconds."""

    id: str
    created_at: int
    shown: Mapping[str, Any]
    """The fields that repeat the request's."""
    store: bool
    """Whether the response is meant to be stored."""

    def in_progress(self) -> dict[str, Any]:
        """The response before its first item."""
        return self._with("in_progress", [])

    def finished(self, answer: Answer, output: Sequence[Mapping[str, Any]], *, completed_at: int) -> dict[str, Any]:
        """The response that ended well, or was cut. Replies that Poe suggests are an extension, as in chat."""
        more: dict[str, Any] = {"usage": to_usage(answer.usage)}
        if answer.suggested_replies:
            more["suggested_replies"] = answer.suggested_replies
        cut = _INCOMPLETE.get(answer.finish_reason)
        if cut is not None:
            details = {"reason": cut} | native_reason(answer.finish_reason)
            return self._with("incomplete", output, incomplete_details=details, **more)
        return self._with("completed", output, completed_at=completed_at, **more)

    def failed(self, error: GatewayError, output: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The response that ended with an error."""
        # What was written before the failure stays in `output`: it was shown, and paid for.
        return self._with("failed", output, error={"code": _failure_code(error), "message": error.message})

    def _with(self, status: str, output: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "background": False,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "output": output,
            "service_tier": None,
            "store": self.store,
            "usage": None,
            # After the defaults, before what this state knows better.
            **self.shown,
            **more,
        }


def item_status(reason: FinishReason) -> str:
    """The status of the items of an answer that ended like this."""
    return "incomplete" if reason in _INCOMPLETE else "completed"


def _failure_code(error: GatewayError) -> str:
    """The word for a failure in OpenAI's closed list; the `error` event has our own, which says more."""
    if error.status == 429:  # noqa: PLR2004 - too many requests
        return "rate_limit_exceeded"
    # Strict clients know these words only.
    return "invalid_prompt" if error.situation in (CONTENT_FILTER, TOO_LONG) else "server_error"


def to_usage(usage: TokenUsage) -> dict[str, Any]:
    """OpenAI's usage object of responses; the last three are extensions, as in chat completions."""
    shown: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens,
        # Poe says nothing about writes to a cache; strict clients need the field
        # (docs/reference/openai-wire.md#streamed-responses).
        "input_tokens_details": {"cached_tokens": usage.cached_tokens or 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        # Required by strict clients as well; the chat's usage leaves out what is unknown.
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "estimated": usage.is_estimated,
    }
    return shown | usage.shown_points()


IN_PROGRESS, COMPLETED, INCOMPLETE = "in_progress", "completed", "incomplete"
_ID_PREFIXES = {"text": "msg", "refusal": "msg", "reasoning": "rs", "redacted": "rs"}
_CALL_PREFIXES = {"function": "fc", "custom": "ctc", "tool_search": "tsc"}
_PLAIN = Origin("")


@dataclass(slots=True)
class OutputItem:
    """A message with one part (text or a refusal), visible reasoning as a summary, or a call.

    Reasoning is a summary because what bots show is not their raw chain of thought.
    """

    part: AnswerPart
    id: str
    index: int
    origin: Origin = _PLAIN
    """What the called function was declared as."""
    status: str = IN_PROGRESS
    reader: TextReader = field(default_factory=TextReader, repr=False)
    """Reads the text for a custom tool while it arrives."""
    annotations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def call_id(self) -> str:
        """What the caller's result refers to."""
        # Derived from the item's id, so that every event of the call names the same one.
        return self.part.call_id or f"call_{self.id.partition('_')[2]}"

    def content_part(self, *, is_empty: bool = False) -> dict[str, Any]:
        """The one part of a message, or of a summary, so far; `is_empty`: before its first piece."""
        text = "" if is_empty else self.part.text
        match self.part.kind:
            case "reasoning":
                return {"type": "summary_text", "text": text}
            case "refusal":
                return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": list(self.annotations), "logprobs": []}

    def to_json(self, *, is_empty: bool = False) -> dict[str, Any]:
        """The item as a response shows it; `is_empty`: before its first piece."""
        content = [] if is_empty else [self.content_part()]
        match self.part.kind:
            case "tool_call":
                return self._call(is_empty=is_empty)
            case "reasoning" | "redacted":
                # Marked as ours: when it comes back, only such a seal is given to the provider.
                sealed = {"encrypted_content": SEAL + self.part.signature} if self.part.signature else {}
                summary = [] if is_sealed_only(self.part) else content
                return {"id": self.id, "type": "reasoning", "summary": summary, **sealed}
        return {"id": self.id, "type": "message", "status": self.status, "role": "assistant", "content": content}

    def _call(self, *, is_empty: bool) -> dict[str, Any]:
        text = "" if is_empty else self.part.text
        head: dict[str, Any] = {"id": self.id, "type": "function_call", "status": self.status, "call_id": self.call_id}
        if self.origin.kind == "tool_search":
            # This item's arguments are an object, and a model may write it with small mistakes.
            arguments = decode_tolerantly(text or "{}")
            found = arguments if isinstance(arguments, dict) else {}
            return {**head, "type": "tool_search_call", "execution": "client", "arguments": found}
        extras = {"namespace": self.origin.namespace, "extra_content": self.part.extra_content}
        head |= {"name": self.origin.name} | {name: value for name, value in extras.items() if value}
        if self.origin.kind == "custom":
            return {**head, "type": "custom_tool_call", "input": to_text(text)}
        return {**head, "arguments": text}


class Output:
    """The items of one answer, in order.

    A new item completes the one before it, except for calls: they stay open to the end, because the pieces of parallel
    calls may arrive interleaved.
    """

    def __init__(self, new_id: Callable[[str], str], origins: Mapping[str, Origin] | None = None) -> None:
        """`origins`: what functions were declared as, by the name that the model calls them."""
        self.answer = Answer()
        self.items: list[OutputItem] = []
        self.current: OutputItem | None = None
        """The message or reasoning that is being written."""
        self._new_id = new_id
        self._origins = origins or {}
        self._by_part: dict[AnswerPart, OutputItem] = {}

    def find(self, part: AnswerPart) -> OutputItem | None:
        """The item of a part that was added."""
        return self._by_part.get(part)

    def add(self, part: AnswerPart) -> OutputItem:
        """A new item for a part."""
        self._complete_current()
        if part.kind == "tool_call":
            origin = self._origins.get(part.name) or Origin(part.name)
            item = OutputItem(part, self._new_id(_CALL_PREFIXES[origin.kind]), len(self.items), origin)
        else:
            item = self.current = OutputItem(part, self._new_id(_ID_PREFIXES[part.kind]), len(self.items))
        self.items.append(item)
        self._by_part[part] = item
        return item

    def add_collected(self) -> None:
        """Items for all parts of the answer, which was collected, with links to its files."""
        links, annotations = link_files(self.answer)
        if links:
            self.answer.add(TextDelta(links))
        for part in self.answer.parts:
            item = self.add(part)
            # The whole text is there by now, so that every citation finds its place.
            item.annotations.extend(cited(self.answer, part, one) for one in part.citations)
        if annotations and self.current is not None:
            self.current.annotations.extend(annotations)

    def close(self, status: str) -> list[OutputItem]:
        """End all items; returns those that were open.

        An answer without any gets an empty message: OpenAI's have one, and clients count on it.
        """
        if not self.items:
            self.add(AnswerPart("text"))
        # Calls stay open to the end; see the class.
        still_open = [item for item in self.items if item is self.current or item.part.kind == "tool_call"]
        for item in still_open:
            # An answer that was cut leaves its open items incomplete; those before are whole.
            item.status = status
        self.current = None
        return still_open

    def to_json(self) -> list[dict[str, Any]]:
        """All items as a response shows them; those that were never finished as incomplete."""
        shown = [item.to_json() for item in self.items]
        return [item | {"status": INCOMPLETE} if item.get("status") == IN_PROGRESS else item for item in shown]

    def _complete_current(self) -> None:
        if self.current is not None:
            self.current.status = COMPLETED
            self.current = None


def is_sealed_only(part: AnswerPart) -> bool:
    """Whether it is reasoning of which nothing is shown."""
    return part.kind == "redacted" or (part.kind == "reasoning" and not part.pieces)


def cited(answer: Answer, part: AnswerPart, citation: UrlCited) -> dict[str, Any]:
    """The annotation of a part with text for a cited page."""
    return {"type": "url_citation", **placed(citation, part.text, answer.begin_of(part))}


def link_files(answer: Answer) -> tuple[str, list[dict[str, Any]]]:
    """What to append so that the last message links to every file, and the annotations for the whole message.

    Files that carry their content in their address are not annotated: the text has it already.
    """
    last = answer.parts[-1] if answer.parts else None
    text = last.text if last is not None and last.kind == "text" else ""
    # Only the last message is looked at: links are appended to it, or make a message of their own.
    links = missing_links(answer.files, text)
    citations = url_citations(answer.files, text + links)
    return links, [
        {"type": "url_citation", **citation} for citation in citations if not citation["url"].startswith("data:")
    ]
