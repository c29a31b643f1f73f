"""No function that reads input from outside is forgotten: it is measured, or it is said why it need not be."""

from __future__ import annotations

from tests.bounds.discovery import parsing_functions, reached_by
from tests.bounds.exempt import EXEMPT
from tests.bounds.registry import PARSERS, quietly


def run_all() -> None:
    for parser in PARSERS:
        for shape in parser.all_shapes():
            for size in (1, 60):
                quietly(parser.run)(shape.make(size))


def test_every_function_that_reads_input_is_measured_or_exempt() -> None:
    found = parsing_functions()
    reached = reached_by(run_all)
    forgotten = sorted(found.keys() - reached - EXEMPT.keys())
    assert not forgotten, "measure these in registry.py, or say in exempt.py why not:\n" + "\n".join(
        f"{name} ({', '.join(found[name])})" for name in forgotten
    )
    assert not sorted(EXEMPT.keys() - found.keys()), "these exist no more, or parse no more"
    assert not sorted(EXEMPT.keys() & reached), "these are measured"
