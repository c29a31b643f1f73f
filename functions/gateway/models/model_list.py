"""A list of models, looked up by name: it costs what is asked of it.

The names are read when the list is taken; a row is read, and its `Model` made, when it is first asked for. The
scheduled job stores the names apart from the rows for that. A list without them, such as the embedded one, gives its
rows for them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gateway.models.aliases import key_of
from gateway.models.model import Model, read_model, row_names

_DATA = Path(__file__).parent / "data"
_UNREADABLE = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


class ModelList:
    """The models of one document."""

    def __init__(self, document: Mapping[str, Any], report: Callable[[Exception], None] = lambda _: None) -> None:
        """Raises `ValueError` for what is no list of models.

        `report` is told of the first row that can't be read. Such a row is left out: its names are then unknown ones.
        """
        self._report: Callable[[Exception], None] | None = report
        try:
            self._created = int(document.get("created", 0))
            self._rows: Sequence[Any] = document["models"]
            names = _stored_names(document)
            if names is None:
                self._rows = self._all_rows()
                names = [self._names_in(number) for number in range(len(self._rows))]
        except _UNREADABLE as error:
            raise ValueError("this is not a list of models") from error
        self._names = names
        if not any(self._names):
            raise ValueError("this list of models has no row that can be read")
        self._by_name = _numbers_by_name(self._names)
        self._made: dict[int, Model | None] = {}
        self._sorted: Sequence[Model] | None = None

    def find(self, name: str) -> Model | None:
        """The model with this name, alias, codename, or id with dashes for dots."""
        number = self._by_name.get(key_of(name))
        return None if number is None else self._model(number, self._rows)

    def models(self) -> Sequence[Model]:
        """All of them, sorted by id; always the same object. Reads every row."""
        if self._sorted is None:
            numbers, rows = range(len(self._names)), self._all_rows()
            found = [model for number in numbers if (model := self._model(number, rows)) is not None]
            self._sorted = sorted(found, key=lambda model: model.id.lower())
        return self._sorted

    def _all_rows(self) -> Sequence[Any]:
        try:
            return list(self._rows)
        except ValueError:
            # One by one then, so that a row that can't be read takes no other one with it.
            return self._rows

    def _model(self, number: int, rows: Sequence[Any]) -> Model | None:
        if number not in self._made:
            self._made[number] = self._read(number, rows)
        return self._made[number]

    def _read(self, number: int, rows: Sequence[Any]) -> Model | None:
        if not self._names[number]:
            return None
        name = self._names[number][0]
        try:
            model = read_model(rows[number], self._created, _codenames().get(name.lower()))
            if model.id != name:
                raise ValueError("the row is another model's")
        except _UNREADABLE as error:
            self._leave_out(error)
            return None
        return model

    def _names_in(self, number: int) -> Sequence[str]:
        try:
            return row_names(self._rows[number])
        except _UNREADABLE as error:
            self._leave_out(error)
            return ()

    def _leave_out(self, error: Exception) -> None:
        # Once is enough to know that the list is broken; it may have hundreds of such rows.
        report, self._report = self._report, None
        if report is not None:
            report(error)


def _stored_names(document: Mapping[str, Any]) -> Sequence[Sequence[str]] | None:
    """The names of each row as the document has them beside its rows; `None` where it has none that fit."""
    names = document.get("names")
    is_sound = (
        isinstance(names, list)
        and len(names) == len(document["models"])
        and all(names)
        and {type(row) for row in names} == {list}
        and {type(name) for row in names for name in row} == {str}
    )
    return names if is_sound else None


def _numbers_by_name(names: Sequence[Sequence[str]]) -> dict[str, int]:
    """The number of the row that each name means."""
    keys = {number: key_of(row[0]) for number, row in enumerate(names) if row}
    # Makers write dashes where Poe has dots (`claude-sonnet-4-5`). A model's own name wins over another's alias.
    dashed = {number: key.replace(".", "-") for number, key in keys.items()}
    times = Counter(dashed.values())
    # Later lines win: a dashed spelling gives way to an alias, and both to a model's own name. One that would be two
    # models' is left out.
    found = {key: number for number, key in dashed.items() if times[key] == 1}
    codenames = _codenames()
    for number in keys:
        name, *aliases = names[number]
        for alias in aliases:
            found[key_of(alias)] = number
        # Programs written for the original gateway ask by codename.
        if codename := codenames.get(name.lower()):
            found[key_of(codename)] = number
    found.update((key, number) for number, key in keys.items())
    return found


def embedded() -> ModelList:
    """The list that the gateway is made with."""
    return ModelList(json.loads((_DATA / "models.json").read_text(encoding="utf-8")))


def bot_by_codename(name: str) -> str | None:
    """The bot that older web clients called so (docs/reference/poe-web.md#bot-names)."""
    return _bots_by_codename().get(name.lower())


@cache
def _codenames() -> dict[str, str]:
    """Codenames by the bots' names in lower case."""
    return {name.lower(): codename for name, codename in _codename_table().items()}


@cache
def _bots_by_codename() -> dict[str, str]:
    return {codename: name for name, codename in _codename_table().items()}


@cache
def _codename_table() -> dict[str, str]:
    table: dict[str, str] = json.loads((_DATA / "codenames.json").read_text(encoding="utf-8"))["codenames"]
    return table
