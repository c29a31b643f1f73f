"""Files that a bot attached to its answer, as callers see them: addresses in the text, and annotations. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.surfaces.chat.encoder import missing_links
from reverse.events import FileAttached


def describe_files(files: Sequence[FileAttached], text: str) -> tuple[str, dict[str, Any]]:
    """What to append to `text`, and the fields of the message that describe the files; none without files.

    `annotations` has OpenAI's form for addresses in a text (`url_citation`), `attachments` is an extension with what
    that form has no place for.
    """
    if not files:
        return "", {}
    links = missing_links(list(files), text)
    whole = text + links
    by_url = {file.url: file for file in reversed(files)}
    ordered = [by_url[url] for url in dict.fromkeys(file.url for file in files)]
    return links, {
        "annotations": [_annotation(file, whole) for file in ordered],
        "attachments": [_attachment(file) for file in ordered],
    }


def _annotation(file: FileAttached, text: str) -> dict[str, Any]:
    start = max(0, text.find(file.url))
    citation = {
        "url": file.url,
        "title": file.name or _name(file.url),
        "start_index": start,
        "end_index": start + len(file.url),
    }
    return {"type": "url_citation", "url_citation": citation}


def _attachment(file: FileAttached) -> dict[str, Any]:
    described = {"url": file.url, "name": file.name or _name(file.url), "content_type": file.content_type}
    return {name: value for name, value in described.items() if value is not None}


def _name(url: str) -> str:
    try:
        path = urlsplit(url).path
    except ValueError:
        return "file"
    return unquote(path.rsplit("/", 1)[-1]) or "file"
