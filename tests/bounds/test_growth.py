"""The work of everything that reads input from outside grows no faster than the input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bounds.measure import growth_of
from tests.bounds.registry import PARSERS, Parser, quietly
from tests.bounds.search import search
from tests.bounds.shapes import Shape

CORPUS = Path(__file__).with_name("corpus.json")
_TRIES = 3


def worst_shapes() -> dict[str, list[Shape]]:
    """What the search has found to be slowest, by the parser's name."""
    found: dict[str, list[list[str]]] = json.loads(CORPUS.read_text(encoding="utf-8"))
    return {name: [Shape(*parts) for parts in shapes] for name, shapes in found.items()}


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_twice_the_input_is_twice_the_work(parser: Parser) -> None:
    run = quietly(parser.run)
    slow = []
    for shape in [*parser.all_shapes(), *worst_shapes().get(parser.name, [])]:
        # A machine that is busy may disturb a measurement; work that grows too fast does so every time.
        growths = [growth_of(run, shape.make, parser.size)]
        while not growths[-1].is_linear and len(growths) < _TRIES:
            growths.append(growth_of(run, shape.make, parser.size))
        if not growths[-1].is_linear:
            slow.append(f"{shape}: {growths[-1]}")
    assert not slow, "\n".join(slow)


def test_a_quadratic_function_is_found() -> None:
    """Or the other test could not fail."""

    def quadratic(text: str) -> int:
        return sum(text[:at].count("a") for at in range(len(text)))

    assert not growth_of(quadratic, Shape("a").make).is_linear
    assert growth_of(lambda text: text.count("a"), Shape("a").make).is_linear


def test_the_corpus_names_parsers() -> None:
    assert set(worst_shapes()) <= {parser.name for parser in PARSERS}


def test_the_search_goes_for_what_is_slow() -> None:
    """A function that is slow for one text only: the search, told of the time, gets nearer to it than chance."""

    def slow(text: str) -> int:
        return sum(text.count(mark) for mark in text if mark == "{")

    worst = search(Parser("slow", slow), 150)
    assert "{" in worst[0][1].make(64)
    assert worst[0][0] >= worst[-1][0] > 0
