"""The files of an answer: attached ones, and addresses in its text. Pure, but for collecting them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.generation.generation import Generation
from reverse.events import FileAttached, TextDelta, TextReplaced

MAX_FILES = 20
_MAX_URL_CHARS = 4000
# `![alt](address "title")`; an address in markdown may hold balanced parentheses, or stand in angle brackets.
_TARGET = r"<(?P<bracketed>https?://[^<>\s]+)>|(?P<plain>https?://(?:[^\s()<>]|\([^\s()<>]*\))+)"
_IMAGE = re.compile(rf"!\[[^\]\n]{{0,500}}\]\(\s*(?:{_TARGET})(?:\s+[\"'(][^\n]{{0,300}}?)?\s*\)")
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\]\\]+")
_TRAILING = ".,;:!?*_~"


async def collect_files(generation: Generation) -> list[FileAttached]:
    """Run the generation to its end; its files, each once. Raises what the generation raises."""
    texts: list[str] = []
    files: list[FileAttached] = []
    async with generation:
        async for event in generation.events():
            match event:
                case FileAttached():
                    files.append(event)
                case TextDelta(text):
                    texts.append(text)
                case TextReplaced(text):
                    texts = [text]
    if not files:
        files = [FileAttached(url) for url in find_addresses("".join(texts))]
    return list({file.url: file for file in files}.values())[:MAX_FILES]


def find_addresses(text: str) -> list[str]:
    """The addresses that a text hands over: those of its markdown images, without any all that stand in it."""
    images = [match["bracketed"] or match["plain"] for match in _IMAGE.finditer(text)]
    found: Iterable[str] = images or (_trimmed(match[0]) for match in _ADDRESS.finditer(text))
    return [url for url in dict.fromkeys(found) if len(url) <= _MAX_URL_CHARS][:MAX_FILES]


def _trimmed(url: str) -> str:
    """An address without the punctuation of the sentence, or the parenthesis, that it stands in."""
    while True:
        if url[-1] in _TRAILING or (url[-1] == ")" and url.count(")") > url.count("(")):
            url = url[:-1]
        else:
            return url
