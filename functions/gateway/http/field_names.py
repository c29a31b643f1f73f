"""Callers' names for the fields of a chat completion, where their API has others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from gateway.http.errors import GatewayError


def rename(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    """The caller's name for a field or for a part of it: that of the first pair that has it, else the same."""
    for ours, theirs in pairs:
        if name == ours or name.startswith((f"{ours}.", f"{ours}[")):
            return theirs + name[len(ours) :]
    return name


@contextmanager
def renaming(renamed: Callable[[str], str]) -> Iterator[None]:
    """Give errors that are raised inside the caller's name for the field at fault, in the message as well."""
    try:
        yield
    except GatewayError as error:
        param = renamed(error.param or "")
        if param == (error.param or ""):
            raise
        message = error.message.replace(error.param or "", param)
        raise GatewayError(error.situation, message, param=param, code=error.code) from None
