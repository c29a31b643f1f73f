"""Have the balances of all accounts, or of those in some states, read from Poe.

    python scripts/refresh_all_points.py --dry-run
    python scripts/refresh_all_points.py --statuses depleted cooldown

Nothing goes on in Lambda after an answer, so the request marks the accounts, and the scheduled job reads them with its
next run. The exit status is 1 on any failure.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.gateway_access import (
    ADMIN_NAMES,
    URL_NAMES,
    add_arguments,
    answer_of,
    connect,
    first_of,
    read_variables,
    run,
)

PATH = "/admin/accounts/refresh-all"
STATUSES = ("active", "cooldown", "depleted", "invalid")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser, timeout=120)
    parser.add_argument("--statuses", nargs="+", choices=STATUSES, default=["depleted", "cooldown", "invalid"])
    parser.add_argument("--concurrency", type=int, default=10, help="accounts marked at once, 1 to 50")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be sent")
    parser.add_argument("--raw", action="store_true", help="print the gateway's answers as JSON")
    options = parser.parse_args(argv)
    return run(lambda environ: refresh(options, environ))


def refresh(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Send the request, and the ones that continue it. Raises `AccessError`."""
    variables = read_variables(options.env_file, environ)
    url = first_of(variables, URL_NAMES, options.base_url).rstrip("/").removesuffix("/v1")
    body: dict[str, Any] = {"statuses": options.statuses, "concurrency": min(50, max(1, options.concurrency))}
    print(f"POST {url}{PATH}")
    if options.dry_run:
        print(json.dumps(body, indent=2))
        return 0
    counts = {"total": 0, "scheduled": 0, "skipped": 0}
    with connect(url, first_of(variables, ADMIN_NAMES, options.admin_api_key), options.timeout) as gateway:
        while True:
            answer = answer_of(gateway.post(PATH, json=body))
            if options.raw:
                print(json.dumps(answer, indent=2))
            counts = {name: number + answer[name] for name, number in counts.items()}
            if not answer["next_cursor"]:
                break
            body["cursor"] = answer["next_cursor"]
    print(" ".join(f"{name}={number}" for name, number in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
