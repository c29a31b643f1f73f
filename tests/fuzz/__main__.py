"""`python -m tests.fuzz 9000`, or `17-18` for one seed: send changed bodies, and say which seeds fail."""

from __future__ import annotations

import asyncio
import sys
import time
import warnings

from tests.fuzz.run import Findings, fuzz

_PART = 500


def main(arguments: list[str]) -> int:
    """Returns 1 if a seed failed."""
    warnings.simplefilter("ignore", ResourceWarning)
    first, dash, last = (arguments[0] if arguments else "3000").partition("-")
    seeds = range(int(first), int(last)) if dash else range(int(first))
    began, total = time.process_time(), Findings()
    # A new gateway for each part, so that none grows.
    for at in range(0, len(seeds), _PART):
        found = asyncio.run(fuzz(seeds[at : at + _PART]))
        total.statuses += found.statuses
        total.failed += found.failed
    seconds = time.process_time() - began
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(total.statuses.items()))
    version = ".".join(map(str, sys.version_info[:3]))
    sys.stdout.write(f"Python {version}: {total.sent} bodies in {seconds:.0f} s of processor time\n{statuses}\n")
    sys.stdout.write("".join(f"{failure}\n" for failure in total.failed[:50]))
    sys.stdout.write(f"{len(total.failed)} failed\n")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
