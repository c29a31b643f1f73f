"""Citations of an answer for which a search of the web was switched on. Pure.

Not every endpoint of Poe has a form for them: where none came in such a form, the links in the text are what it cites.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from reverse.events import Event, Finished, TextDelta, TextReplaced, UrlCited

# A link of Markdown (`[title](address)`, `[[1]](address)`; no image), or an address alone.
# Possessive throughout, and bounded in its titles: read in time proportional to the text.
_ADDRESS = r"https?://[^\s<>()\[\]\"'`]++(?:\([^\s<>()]{0,200}+\)[^\s<>()\[\]\"'`]*+)*+"
_TITLE = r"[^\[\]\n]{0,300}+"
_LINK = re.compile(
    rf"(?<!!)\[(?:\[(?P<number>{_TITLE})\]|(?P<title>{_TITLE}))\]\((?P<linked>{_ADDRESS})[^()\n]{{0,300}}+\)"
    rf"|(?P<alone>{_ADDRESS})"
)
_PUNCTUATION = ".,;:!?*_"
_MAX_LINKS = 200


def links_in(text: str) -> Iterator[UrlCited]:
    """The links of a text and their places; each address once."""
    seen: set[str] = set()
    for match in _LINK.finditer(text):
        # Punctuation at the end belongs to the sentence; inside a link's parentheses it belongs to the address.
        url = match["linked"] or match["alone"].rstrip(_PUNCTUATION)
        if url in seen or len(seen) >= _MAX_LINKS:
            continue
        seen.add(url)
        title = (match["title"] or match["number"] or "").strip()
        end = match.end() if match["linked"] else match.start() + len(url)
        yield UrlCited(url, title or None, match.start(), end)


async def with_cited_links(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The events, with the links of the text as citations before the last one, where none came."""
    texts: list[str] = []
    is_cited = False
    async with aclosing(events):
        async for event in events:
            match event:
                case TextDelta(text):
                    texts.append(text)
                case TextReplaced(text):
                    texts = [text]
                case UrlCited():
                    is_cited = True
                case Finished() if not is_cited:
                    # Before the last event: nothing may follow `Finished`. The text is complete only here.
                    for link in links_in("".join(texts)):
                        yield link
            yield event
