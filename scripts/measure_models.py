"""Measures what the list of models costs: a new sandbox, a chat that names one, and whoever lists them all.

    python scripts/measure_models.py

Prints processor time in milliseconds, the median of 9 runs, for a list of the shape and size of Poe's own: read whole,
with every model made, and row by row, as the gateway does. The garbage collector is off, as in a sandbox's init.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / path) for path in ("", "functions", "layers/accounts", "layers/pool")]

from accounts._documents import pack, pack_by_row, unpack  # noqa: E402
from gateway.models.model_list import ModelList  # noqa: E402
from gateway.surfaces.kept_bodies import KeptBodies  # noqa: E402
from gateway.surfaces.models import list_all  # noqa: E402
from local.bench.model_list import entries  # noqa: E402
from refresh_points.catalogue import names_of  # noqa: E402

RUNS, REPEATS = 9, 10


def milliseconds(work: Callable[[], Any]) -> float:
    """The median processor time of several runs."""
    found = []
    for _ in range(RUNS):
        gc.collect()
        start = time.process_time()
        for _ in range(REPEATS):
            work()
        found.append((time.process_time() - start) / REPEATS)
    return statistics.median(found) * 1000


def main() -> None:
    """Measure and print."""
    rows = entries()
    document = {"updated_at": 1.0, "created": 1, "models": rows}
    whole = pack(document)
    by_row = pack_by_row(document | {"names": [names_of(row) for row in rows]})
    names = [row["id"] for row in rows]
    taken = [ModelList(unpack(by_row)) for _ in range(RUNS * REPEATS)]
    listed = ModelList(unpack(by_row)).models()
    kept = KeptBodies()
    gc.disable()
    figures = {
        "a new sandbox, list read whole": lambda: ModelList(unpack(whole)).models(),
        "a new sandbox, names read": lambda: ModelList(unpack(by_row)),
        "a chat that names a model": lambda: taken.pop().find(names[100]),
        "GET /v1/models, encoded": lambda: KeptBodies().body(listed, None, lambda: list_all(listed)),
        "GET /v1/models, kept": lambda: kept.body(listed, None, lambda: list_all(listed)),
    }
    print(f"{len(rows)} models, {len(whole):,} bytes packed whole, {len(by_row):,} by row")
    for name, work in figures.items():
        print(f"{name:<32} {milliseconds(work):8.3f} ms of processor time")


if __name__ == "__main__":
    main()
