"""Versions of the gateway beside each other."""

from __future__ import annotations

from pathlib import Path

from local.bench.surroundings import surroundings
from local.bench.versions import Figures, measure_versions, to_text
from local.settings import ROOT


async def test_pieces_are_timed_in_sandboxes_of_the_checkout(tmp_path: Path) -> None:
    async with surroundings(tmp_path) as around:
        [figures] = (await measure_versions(around, [ROOT], sandboxes=2, rounds=1)).values()
    for values in (figures.under_way, figures.cpu):
        assert [len(rounds) for rounds in values] == [1, 1]
        assert all(value > 0 for rounds in values for value in rounds)


def test_ratios_are_those_of_sandboxes_that_ran_at_the_same_time() -> None:
    # The machine was twice as slow while the second ones ran, for both versions.
    here = Figures(under_way=[[100.0, 101.0, 99.0], [200.0]], cpu=[[200.0], [400.0]])
    there = Figures(under_way=[[110.0, 111.1, 99.0], [240.0]], cpu=[[210.0], [420.0]])
    assert to_text({"here": here, "there": there}).splitlines() == [
        "   100 µs (1.000 ± 0.000) under way,    300 µs (1.000 ± 0.000) of processor time per piece: here",
        "   111 µs (1.150 ± 0.050) under way,    315 µs (1.050 ± 0.000) of processor time per piece: there",
    ]
