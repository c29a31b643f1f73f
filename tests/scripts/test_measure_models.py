"""The program that the decision about the list of models names as its measurement."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts/measure_models.py"


def test_each_reader_of_the_list_is_measured():
    """That it runs; how long each takes is the machine's business."""
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True, timeout=120)
    title, *rows = done.stdout.splitlines()
    assert title.startswith("362 models, ")
    assert len(rows) == 5
    assert all(row.endswith("ms of processor time") for row in rows)
