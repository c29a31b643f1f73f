"""The files of an answer: attached ones, and addresses in its text. Pure, but for collecting them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.generation.answer import collect_answer
from gateway.generation.generation import Generation
from reverse.events import FileAttached

MAX_FILES = 20
_MAX_URL_CHARS = 4000
# `![alt](address "title")`; an address in markdown may hold balanced parentheses, or stand in angle brackets.
_TARGET = r"<(?P<bracketed>https?://[^<>\s]++)>|(?P<plain>https?://(?:[^\s()<>]++|\([^\s()<>]*+\))++)"
_TITLE = r"\"[^\"\n]{0,300}+\"|'[^'\n]{0,300}+'|\([^()\n]{0,300}+\)"
_IMAGE = re.compile(rf"!\[[^\[\]\n]{{0,500}}+\]\(\s*+(?:{_TARGET})\s*+(?:{_TITLE})?\s*+\)")
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\]\\]+")
_TRAILING = ".,;:!?*_~"


async def collect_files(generation: Generation) -> list[FileAttached]:
    """Run the generation to its end; its files, each once. Raises what the generation raises."""
    answer = await collect_answer(generation)
    files = answer.files or [FileAttached(url) for url in find_addresses(answer.text)]
    return list({file.url: file for file in files}.values())[:MAX_FILES]


def find_addresses(text: str) -> list[str]:
    """The addresses that a text hands over: those of its markdown images, without any all that stand in it."""
    images = [match["bracketed"] or match["plain"] for match in _IMAGE.finditer(text)]
    found: Iterable[str] = images or (_trimmed(match[0]) for match in _ADDRESS.finditer(text))
    return [url for url in dict.fromkeys(found) if len(url) <= _MAX_URL_CHARS][:MAX_FILES]


def _trimmed(url: str) -> str:
    """An address without the punctuation of the sentence, or the parenthesis, that it stands in."""
    end = len(url)
    unopened = url.count(")") - url.count("(")
    while url[end - 1] in _TRAILING or (url[end - 1] == ")" and unopened > 0):
        unopened -= url[end - 1] == ")"
        end -= 1
    return url[:end]
