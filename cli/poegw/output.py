"""Writes results: data on standard output, words on standard error.

A table is drawn with rich when a person looks; into a pipe it goes as values separated by tabs, with a head line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

from poegw.errors import CommandError, Exit

FORMATS = ("table", "json", "jsonl", "csv")
# Narrower columns break words into letters.
_LEAST_COLUMN_CHARS = 8
# A spreadsheet takes text that begins like this for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Column(NamedTuple):
    """A column of a table. `show` makes the cell's text out of the row."""

    title: str
    show: Callable[[Mapping[str, Any]], str]
    is_number: bool = False


class Output:
    """Where a command writes to, and in which format."""

    def __init__(
        self,
        *,
        form: str = "table",
        fields: Sequence[str] = (),
        is_quiet: bool = False,
        has_color: bool = True,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        # Fields are the gateway's names, which a table does not have.
        self.form = "json" if fields and form == "table" else form
        self._fields = tuple(fields)
        self._is_quiet = is_quiet
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self.has_color = has_color and not os.environ.get("NO_COLOR") and self._out.isatty()

    @property
    def is_for_people(self) -> bool:
        """Whether somebody looks at a table."""
        return self.form == "table" and self._out.isatty()

    def note(self, text: str) -> None:
        """Words that are not data; nothing with `--quiet`."""
        if not self._is_quiet:
            print(text, file=self._err)

    def warn(self, text: str) -> None:
        """Words that matter even with `--quiet`."""
        print(text, file=self._err)

    def text(self, text: str, *, end: str = "\n") -> None:
        """Data that has one form only."""
        self._out.write(text + end)
        # At once: a streamed answer is read as it comes.
        self._out.flush()

    def rows(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, empty: str = "Nothing.") -> None:
        """A list. `rows` are what JSON and CSV show; the table shows `columns` of them."""
        # Line by line as they come: a long list is never held whole.
        if self.form == "jsonl":
            for row in rows:
                self.text(_json(self._chosen(row)))
            return
        rows = list(rows)
        if self.form == "json":
            self.text(_json([self._chosen(row) for row in rows], indent=2))
        elif self.form == "csv":
            self._csv([self._chosen(row) for row in rows])
        # On standard error, so that a pipe gets no words in place of data.
        elif not rows:
            self.note(empty)
        elif self._out.isatty():
            self._table(rows, columns)
        else:
            self.text("\t".join(column.title for column in columns))
            for row in rows:
                self.text("\t".join(_one_line(column.show(row)) for column in columns))

    def item(self, item: Mapping[str, Any], lines: Sequence[tuple[str, str]]) -> None:
        """One thing. `lines` are its names and values for people."""
        if self.form == "table":
            self._lines(lines)
        elif self.form == "csv":
            self._csv([self._chosen(item)])
        else:
            self.text(_json(self._chosen(item), indent=2 if self.form == "json" else None))

    def _lines(self, lines: Sequence[tuple[str, str]]) -> None:
        width = max((len(name) for name, _ in lines), default=0)
        for name, value in lines:
            self.text(f"{_one_line(name):<{width}}  {_one_line(value)}".rstrip())

    def _chosen(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._fields:
            return row
        unknown = [name for name in self._fields if name not in row]
        if unknown:
            raise CommandError(
                f"There is no field {unknown[0][:80]!r}.", hint=f"There are: {', '.join(row)}.", status=Exit.USAGE
            )
        return {name: row[name] for name in self._fields}

    def _csv(self, rows: Sequence[Mapping[str, Any]]) -> None:
        import csv

        # Rows may differ in what they have.
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(self._out, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _cell(value) for name, value in row.items()})

    def _table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
        # 60 ms that only a person's table costs.
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        console = Console(file=self._out, no_color=not self.has_color, highlight=False)
        if console.width < _LEAST_COLUMN_CHARS * len(columns):
            # Too narrow for a table: one thing below the other.
            for number, row in enumerate(rows):
                self.text("\n" if number else "", end="")
                self._lines([(column.title, column.show(row)) for column in columns])
            return
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold" if self.has_color else "")
        for column in columns:
            table.add_column(column.title, justify="right" if column.is_number else "left", overflow="fold")
        for row in rows:
            # `Text`, because names and labels may hold what rich would take for markup.
            table.add_row(*(Text(_one_line(column.show(row))) for column in columns))
        console.print(table)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)


def _cell(value: Any) -> Any:
    """A value as a spreadsheet may be given it."""
    if isinstance(value, dict | list):
        value = _json(value)
    if not isinstance(value, str):
        return value
    # Somebody may look at it with `cat`.
    value = _one_line(value, *"\n\t")
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def _one_line(text: str, *kept: str) -> str:
    """Printable, on one line but for what is kept: a label must not move the cursor of somebody's terminal."""
    return "".join(c if c.isprintable() or c in kept else "\N{REPLACEMENT CHARACTER}" for c in text)
