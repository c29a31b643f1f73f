"""`python -m tests.simulation 0-2000`: run histories, and say which seeds fail."""

from __future__ import annotations

import sys
import time
import traceback
import warnings

from tests.simulation.history import simulate


def main(arguments: list[str]) -> int:
    """Returns 1 if a seed failed."""
    warnings.simplefilter("ignore", ResourceWarning)
    first, _, last = (arguments[0] if arguments else "0-200").partition("-")
    seeds = range(int(first), int(last or first) + 1)
    began, failed = time.perf_counter(), []
    for seed in seeds:
        try:
            simulate(seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the seed shows it again
            failed.append(seed)
            sys.stdout.write(f"seed {seed} failed: {type(error).__name__}: {error}\n")
            if len(seeds) == 1:
                traceback.print_exc()
    seconds = time.perf_counter() - began
    sys.stdout.write(f"{len(seeds)} histories in {seconds:.0f} s, {len(failed)} failed\n")
    for seed in failed[:20]:
        sys.stdout.write(f"replay: make simulate SEEDS={seed}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
