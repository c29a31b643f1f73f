"""The store contract on dynalite: starts it on loopback, runs the tests against it, prints what pytest prints.

python tests/conformance/dynalite/run.py NODE FOLDER_WITH_DYNALITE
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TESTS = [f"tests/accounts/test_{name}_contract.py" for name in ("store", "ledger", "budgets", "records")]


def main(node: str, folder: str) -> int:
    """Pytest's exit status."""
    options = ["--port", "0", "--host", "127.0.0.1", "--createTableMs", "0", "--deleteTableMs", "0"]
    command = [node, str(Path(folder) / "node_modules" / "dynalite" / "cli.js"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            if found is None:
                raise SystemExit("dynalite did not start")
            pytest = [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-n",
                "0",
                "-k",
                "dynalite",
                *TESTS,
            ]
            environment = os.environ | {"DYNALITE_URL": found[0]}
            return subprocess.run(pytest, cwd=ROOT, env=environment, check=False).returncode
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
