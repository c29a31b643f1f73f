"""The items of an answer while it arrives. Pure; the stream and the whole answer are told from the same items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.generation.answer_files import describe_files
from reverse.events import FileAttached, ToolCallDelta

IN_PROGRESS, COMPLETED, INCOMPLETE = "in_progress", "completed", "incomplete"


@dataclass(slots=True)
class MessageItem:
    """Words of the assistant, as one part: text, or a refusal."""

    id: str
    index: int
    is_refusal: bool = False
    status: str = IN_PROGRESS
    pieces: list[str] = field(default_factory=list, repr=False)
    annotations: list[dict[str, Any]] = field(default_factory=list)

    def part(self) -> dict[str, Any]:
        """The part so far."""
        if self.is_refusal:
            return {"type": "refusal", "refusal": "".join(self.pieces)}
        return {
            "type": "output_text",
            "text": "".join(self.pieces),
            "annotations": list(self.annotations),
            "logprobs": [],
        }

    def to_json(self) -> dict[str, Any]:
        """The item as a response shows it."""
        is_new = self.status == IN_PROGRESS and not self.pieces
        content = [] if is_new else [self.part()]
        return {"id": self.id, "type": "message", "status": self.status, "role": "assistant", "content": content}


@dataclass(slots=True)
class ReasoningItem:
    """Visible reasoning, told as a summary: what bots show is not their raw chain of thought."""

    id: str
    index: int
    status: str = IN_PROGRESS
    pieces: list[str] = field(default_factory=list, repr=False)

    def part(self) -> dict[str, Any]:
        """The summary so far."""
        return {"type": "summary_text", "text": "".join(self.pieces)}

    def to_json(self) -> dict[str, Any]:
        """The item as a response shows it."""
        return {"id": self.id, "type": "reasoning", "summary": [self.part()] if self.pieces else []}


@dataclass(slots=True)
class CallItem:
    """A call of a function."""

    id: str
    index: int
    call_id: str
    name: str
    namespace: str | None = None
    status: str = IN_PROGRESS
    pieces: list[str] = field(default_factory=list, repr=False)

    @property
    def arguments(self) -> str:
        """The arguments so far, as JSON text."""
        return "".join(self.pieces)

    def to_json(self) -> dict[str, Any]:
        """The item as a response shows it."""
        call = {"call_id": self.call_id, "name": self.name, "arguments": self.arguments}
        call |= {"namespace": self.namespace} if self.namespace else {}
        return {"id": self.id, "type": "function_call", "status": self.status} | call


OutputItem = MessageItem | ReasoningItem | CallItem


class Output:
    """The items in the order in which they began.

    Words and thoughts go to the `current` item; another kind of event ends it. Calls stay open to the end, because the
    pieces of parallel ones may come mixed.
    """

    def __init__(self, new_id: Callable[[str], str], origins: Mapping[str, tuple[str, str]] | None = None) -> None:
        """`origins`: namespace and name of functions, by the name that the model calls them."""
        self.items: list[OutputItem] = []
        self.current: MessageItem | ReasoningItem | None = None
        self.calls: dict[int, CallItem] = {}
        self._new_id = new_id
        self._origins = origins or {}

    @property
    def current_text(self) -> str:
        """The text of the message that is being written; empty if none is."""
        return "".join(self.current.pieces) if isinstance(self.current, MessageItem) else ""

    def is_writing(self, *, is_refusal: bool = False) -> bool:
        """Whether a message with that kind of part is being written."""
        return isinstance(self.current, MessageItem) and self.current.is_refusal is is_refusal

    def message(self, *, is_refusal: bool = False) -> MessageItem:
        """The message that is being written, else a new one."""
        if isinstance(self.current, MessageItem) and self.current.is_refusal is is_refusal:
            return self.current
        self.close_current(COMPLETED)
        message = self.current = MessageItem(self._new_id("msg"), len(self.items), is_refusal)
        self.items.append(message)
        return message

    def reasoning(self) -> ReasoningItem:
        """The reasoning that is being written, else a new one."""
        if isinstance(self.current, ReasoningItem):
            return self.current
        self.close_current(COMPLETED)
        reasoning = self.current = ReasoningItem(self._new_id("rs"), len(self.items))
        self.items.append(reasoning)
        return reasoning

    def call(self, event: ToolCallDelta) -> CallItem:
        """The call that the event is about, a new one if need be."""
        call = self.calls.get(event.index)
        if call is None:
            self.close_current(COMPLETED)
            item_id = self._new_id("fc")
            namespace, name = self._origins.get(event.name or "", (None, event.name or ""))
            call = CallItem(item_id, len(self.items), event.id or f"call_{item_id[3:]}", name, namespace)
            self.calls[event.index] = call
            self.items.append(call)
        return call

    def close_current(self, status: str) -> None:
        """End the item that is being written."""
        if self.current is not None:
            self.current.status = status
            self.current = None

    def close(self, status: str) -> None:
        """End all items. An answer without any gets an empty message: OpenAI's have one, and clients count on it."""
        if not self.items:
            self.message()
        self.close_current(status)
        for call in self.calls.values():
            call.status = status

    def start_over(self) -> None:
        """Forget all words: others replace them. Only for answers of which nothing was sent yet."""
        self.items = [item for item in self.items if not isinstance(item, MessageItem)]
        for index, item in enumerate(self.items):
            item.index = index
        if isinstance(self.current, MessageItem):
            self.current = None

    def to_json(self) -> list[dict[str, Any]]:
        """All items as a response shows them; those that were never finished as incomplete."""
        shown = [item.to_json() for item in self.items]
        return [item | {"status": INCOMPLETE} if item.get("status") == IN_PROGRESS else item for item in shown]


def link_files(files: Sequence[FileAttached], text: str) -> tuple[str, list[dict[str, Any]]]:
    """What to append to `text` so that it links to every file, and the annotations for the whole.

    Files that carry their content in their address are not annotated: the text has it already.
    """
    links, described = describe_files(files, text)
    citations = [annotation["url_citation"] for annotation in described.get("annotations", ())]
    return links, [
        {"type": "url_citation", **citation} for citation in citations if not citation["url"].startswith("data:")
    ]
