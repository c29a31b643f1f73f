"""The comparison of readers, which needs no library beside the gateway's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure_readers.py"


def test_the_gateways_own_readers_name_every_wrong_field_with_its_code() -> None:
    printed = subprocess.run([sys.executable, str(SCRIPT)], check=True, capture_output=True, text=True).stdout
    (own,) = [line for line in printed.splitlines() if line.startswith("| own fields")]
    assert own.endswith("| 15 and 15 of 15 |")
