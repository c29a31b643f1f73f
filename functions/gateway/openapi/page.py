"""The description as a page to read: plain HTML, without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any


def render_page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
    yield f"<h1>{escape(info['title'])}</h1><p>{escape(info['summary'])}</p>"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _operation(method, path, operation)
    yield "<h2>Schemas</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary>{escape(name)}</summary>{_source(schema)}</details>'
    yield "</html>"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3><code>{method.upper()} {escape(path)}</code></h3><p>{escape(operation.get('summary', ''))}</p>"
    if text := operation.get("description"):
        yield f"<p>{escape(text)}</p>"
    for title in ("parameters", "requestBody"):
        if found := operation.get(title):
            yield f"<details><summary>{title}</summary>{_source(found)}</details>"
    for status, response in operation["responses"].items():
        text = f"{escape(status)} {escape(response['description'])}"
        yield f"<details><summary>{text}</summary>{_source(response.get('content', {}))}</details>"


def _source(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
