"""Versions of the gateway beside each other."""

from __future__ import annotations

from pathlib import Path

from local.bench.surroundings import surroundings
from local.bench.versions import Figures, measure_versions, to_text
from local.settings import ROOT


async def test_pieces_are_timed_in_a_sandbox_of_the_checkout(tmp_path: Path) -> None:
    async with surroundings(tmp_path) as around:
        [figures] = (await measure_versions(around, [ROOT], rounds=2)).values()
    assert len(figures.under_way) == len(figures.cpu) == 2
    assert all(value > 0 for value in [*figures.under_way, *figures.cpu])


def test_ratios_are_those_of_the_rounds() -> None:
    # The machine was twice as slow in the second round, for both.
    here = Figures(under_way=[100.0, 200.0, 100.0], cpu=[200.0, 400.0, 200.0])
    there = Figures(under_way=[110.0, 220.0, 120.0], cpu=[210.0, 420.0, 240.0])
    assert to_text({"here": here, "there": there}).splitlines() == [
        "   100 µs (1.000) under way,    200 µs (1.000) of processor time per piece: here",
        "   120 µs (1.100) under way,    240 µs (1.050) of processor time per piece: there",
    ]
