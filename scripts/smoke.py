"""Ask Poe one question with your own account, without the gateway, and print the answer as it streams.

    POE_P_B=… python scripts/smoke.py          # or POE_API_KEY=…

Everything comes from the environment: POE_P_B (with POE_P_LAT, POE_FORMKEY, POE_CF_CLEARANCE, POE_CF_BM, POE_USER_AGENT
where you have them) or POE_API_KEY; POE_BOT, POE_PROMPT, and POE_FILES, paths or addresses with `|` between them.
POE_SIMULATOR is the address of a simulator to ask instead of Poe. It spends points. Exit statuses: 0 answered, 1 Poe
refused or failed, 2 no credentials, 130 interrupted.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from reverse.terminal.main import main

DEFAULT_PROMPT = "Say hello in one sentence."


def arguments(environ: Mapping[str, str]) -> list[str]:
    """The command line of `python -m reverse` that asks this."""
    found = []
    if bot := environ.get("POE_BOT"):
        found += ["--bot", bot]
    for file in environ.get("POE_FILES", "").split("|"):
        if file.strip():
            found += ["--attach", file.strip()]
    if simulator := environ.get("POE_SIMULATOR"):
        found += ["--simulator", simulator]
    return [*found, "--", environ.get("POE_PROMPT") or DEFAULT_PROMPT]


if __name__ == "__main__":
    sys.exit(main(arguments(os.environ)))
