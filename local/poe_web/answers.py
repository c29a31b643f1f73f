"""The answers of the simulated bots, as lists of snapshots. Pure: the same prompt gives the same answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from local.poe_web.channel import Json


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file at a message. `url` is where it can be fetched without cookies."""

    attachment_id: int
    name: str
    mime_type: str
    url: str
    size: int
    width: int | None = None
    height: int | None = None

    def wire(self) -> Json:
        """The shape that messages carry (docs/reference/poe-web.md#message-events)."""
        return {
            "id": f"TWVzc2FnZUF0dGFjaG1lbnQ6{self.attachment_id}",
            "attachmentId": self.attachment_id,
            "name": self.name,
            "isInline": False,
            "url": self.url,
            "file": {
                "id": f"RmlsZTo{self.attachment_id}",
                "url": self.url,
                "mimeType": self.mime_type,
                "width": self.width,
                "height": self.height,
                "size": self.size,
                "thumbnailUrl": None,
            },
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A bot message at one moment: the first `end` characters of `base`, the whole text so far and never a delta."""

    base: str
    end: int
    state: str = "incomplete"
    state_text: str | None = None
    attachments: tuple[Attachment, ...] = ()
    replies: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The message text."""
        return self.base[: self.end]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a bot is asked. `store` keeps a made file and gives it an address: `store(name, mime type, bytes)`."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    store: Callable[[str, str, bytes], Attachment] | None = field(default=None, compare=False)


Answer = Callable[[Prompt], list[Snapshot]]


def growing(text: str, attachments: tuple[Attachment, ...] = ()) -> list[Snapshot]:
    """`text` word by word, then the same text as complete."""
    ends = [match.end() for match in re.finditer(r"\S+\s*", text)] or [len(text)]
    return [Snapshot(text, end) for end in ends] + [Snapshot(text, len(text), "complete", attachments=attachments)]


_SAY = "[[say:"


def said(prompt_text: str) -> str | None:
    """The text between the last `[[say:` of a prompt and the `]]` that closes it (brackets balanced), or None."""
    start = prompt_text.rfind(_SAY)
    if start < 0:
        return None
    body = prompt_text[start + len(_SAY) :]
    depth = 0
    for i, character in enumerate(body):
        if character == "[":
            depth += 1
        elif character == "]":
            if depth == 0 and body[i : i + 2] == "]]":
                return body[:i].strip()
            depth = max(0, depth - 1)
    closing = body.find("]]")
    return body[:closing].strip() if closing >= 0 else None


def echo(prompt: Prompt) -> list[Snapshot]:
    """Says what it was told, and names the files it was given."""
    files = "".join(f"\n{a.name} ({a.mime_type}, {a.size} bytes)" for a in prompt.attachments)
    return growing(f"You said: {prompt.text}{files}")


def story(prompt: Prompt) -> list[Snapshot]:
    """Numbered words, `w0001 w0002 …`; 40 of them, or as many as the prompt says in "count 200" (at most 20,000).

    Like `puppet`, it says what stands in `[[say: … ]]` if the prompt has that.
    """
    text = said(prompt.text)
    if text is not None:
        return growing(text)
    asked = re.findall(r"\bcount (\d{1,5})\b", prompt.text)
    count = min(int(asked[-1]), 20_000) if asked else 40
    return growing(" ".join(f"w{n:04d}" for n in range(1, count + 1)))


def thinker(prompt: Prompt) -> list[Snapshot]:
    """Shows a progress text that the answer then replaces; the answer starts shorter than what it replaces."""
    waits = [f"Thinking... ({seconds}s elapsed)" for seconds in (1, 2)]
    return [Snapshot(wait, len(wait)) for wait in waits] + growing(f"Answer: {prompt.text}")


def puppet(prompt: Prompt) -> list[Snapshot]:
    """Says what the prompt puts between `[[say: … ]]`, whatever protocol surrounds it; without that, it echoes."""
    text = said(prompt.text)
    return echo(prompt) if text is None else growing(text)


def helper(prompt: Prompt) -> list[Snapshot]:
    """Completes, and then adds suggested replies one by one over seven further `complete` events."""
    first = growing(f"You said: {prompt.text}")
    last = first[-1]
    replies = ("Tell me more", "Give an example", "What else?")
    steps: Sequence[int] = (1, 2, 3, 3, 3, 3, 3)
    return first + [Snapshot(last.base, last.end, "complete", replies=replies[:n]) for n in steps]
