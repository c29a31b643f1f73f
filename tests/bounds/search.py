"""Searches for inputs that make a parser slow, and keeps the worst: `python -m tests.bounds.search [EXAMPLES] [NAME]`.

Hypothesis puts texts together and is told the processor time of each as its target, so that it changes the slow ones
further. The worst of each parser are added to `corpus.json`, which the growth test runs with every time.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis import strategies as st

from tests.bounds.measure import seconds_of
from tests.bounds.registry import CALL, OPEN, PARSERS, Parser, quietly
from tests.bounds.shapes import COMMON, Shape

CORPUS = Path(__file__).with_name("corpus.json")
# Of each parser so many are kept.
KEPT = 3
_SIZE = 2048
_WORDS = sorted(
    {part for shape in COMMON for part in (shape.unit, shape.prefix, shape.suffix) if part and len(part) < 20}
)


def texts(parser: Parser, most: int) -> st.SearchStrategy[str]:
    """Pieces that mean something to some parser, this one's own among them, and single characters."""
    own = {part for shape in parser.shapes for part in (shape.unit, shape.prefix, shape.suffix) if part}
    words = [*_WORDS, *sorted(own), *filter(None, parser.wrap), OPEN, CALL]
    return st.lists(st.sampled_from(words) | st.characters(), max_size=most).map("".join)


def search(parser: Parser, examples: int) -> list[tuple[float, Shape]]:
    """The shapes that took longest, with the seconds of the fastest of two runs."""
    run = quietly(parser.run)
    found: dict[Shape, float] = {}

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.target],
        suppress_health_check=list(HealthCheck),
    )
    @given(texts(parser, 4).filter(bool), texts(parser, 2), texts(parser, 2), texts(parser, 1))
    def slowest(unit: str, prefix: str, suffix: str, closing: str) -> None:
        shape = Shape(unit, prefix, suffix, closing)
        text = shape.make(_SIZE)
        seconds = min(seconds_of(run, text) for _ in range(2)) / max(len(text), _SIZE) * _SIZE
        target(seconds)
        found[shape] = seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slowest()
    worst = sorted(found.items(), key=lambda item: -item[1])[:KEPT]
    return [(seconds, shape) for shape, seconds in worst]


def main(examples: int, wanted: str) -> None:
    """Search, and keep what was found beside what is kept already."""
    corpus = json.loads(CORPUS.read_text(encoding="utf-8"))
    for parser in PARSERS:
        if wanted not in parser.name:
            continue
        worst = search(parser, examples)
        run = quietly(parser.run)
        before = [Shape(*parts) for parts in corpus.get(parser.name, [])]
        timed = [(min(seconds_of(run, shape.make(_SIZE)) for _ in range(3)), shape) for shape in before]
        ranked = sorted([*worst, *timed], key=lambda item: -item[0])
        kept = list(dict.fromkeys(shape for _, shape in ranked))[:KEPT]
        corpus[parser.name] = [[shape.unit, shape.prefix, shape.suffix, shape.closing] for shape in kept]
        sys.stdout.write(f"{parser.name}: {worst[0][0] * 1e3:.2f} ms for {_SIZE} characters of {kept[0]!r}\n")
        CORPUS.write_text(json.dumps(corpus, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 500, sys.argv[2] if len(sys.argv) > 2 else "")
