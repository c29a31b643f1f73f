"""`python -m tests.soak --requests 2000 --seed 1`: run a soak, print what happened and what holds."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from accounts import AccountKind
from tests.simulation.equations import Violated
from tests.soak.run import Report, soak


def main(argv: list[str]) -> int:
    """Returns 1 if an equation does not hold."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, help="SIGKILLs of sandboxes; one for 25 requests unless given")
    parser.add_argument("--store-faults", default="", help="as for `make run STORE_FAULTS=...`")
    parser.add_argument("--no-hangs", action="store_true", help="leave out faults that last until a deadline")
    parser.add_argument("--keep", type=Path, help="a folder for the state and the logs, which stays")
    options = parser.parse_args(argv)
    kills = options.requests // 25 if options.kills is None else options.kills
    with tempfile.TemporaryDirectory() as made:
        try:
            report = asyncio.run(
                soak(
                    options.keep or Path(made) / "state",
                    requests=options.requests,
                    seed=options.seed,
                    kills=kills,
                    may_hang=not options.no_hangs,
                    store_faults=options.store_faults,
                    tell=_say,
                )
            )
        except Violated as violated:
            _say(f"seed {options.seed}: {violated}")
            return 1
    _show(report)
    return 0


def _show(report: Report) -> None:
    _say(f"\n{report.requests} requests in {report.seconds:.0f} s, {report.requests / report.seconds:.1f} per second")
    _table("requests", report.ends)
    _table("what happened", report.happened)
    _table("ledger entries", Counter(entry.outcome for entry in report.entries))
    _table("settled by", Counter(str(entry.settled_by and entry.settled_by.value) for entry in report.entries))
    for kind in AccountKind:
        ids = {row.account_id for row in report.charged if row.kind is kind}
        booked = sum(entry.settled or 0 for entry in report.entries if entry.account_id in ids)
        charged = sum(row.ours for row in report.charged if row.kind is kind)
        _say(f"{kind.value}: {len(ids)} accounts, {charged} points charged, {booked} booked")
    _say(
        "holds: booked = charged for each account; sums = entries; no slot is held; no budget is overrun beyond the "
        "error of its estimates; no message was paid for twice; each request had one outcome"
    )


def _table(title: str, counts: Counter[str]) -> None:
    _say(f"{title} ({counts.total()}): " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
