"""The program that decisions about the cold start name as their measurement."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/startup.py"


def test_a_pair_is_started_and_compared():
    """That it runs; which is faster is the machine's business."""
    command = [sys.executable, str(SCRIPT), "aws", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    rows = done.stdout.splitlines()
    assert [row[:16].strip() for row in rows] == ["lean", "boto"]
    assert all("ms of processor time" in row for row in rows)


def test_what_is_started_exists():
    assert "from gateway.fastapi_app import create_application" in SCRIPT.read_text()
    assert "def create_application(" in (ROOT / "functions/gateway/fastapi_app.py").read_text()
