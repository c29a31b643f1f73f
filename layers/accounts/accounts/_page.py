"""Part of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from lazy_dataclasses import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; `cursor` asks for the next part and is `None` at the end."""

    items: Sequence[T]
    cursor: str | None = None
