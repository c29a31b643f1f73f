"""What a reading of the scheduled job costs, and that the template's memory is chosen by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from local import functions
from local.template import Template
from scripts.measure_readings import MEMORIES_MB, cost_of

ROOT = Path(__file__).parents[2]
# As measured (docs/decisions.md), the highest of several runs.
CPU_SECONDS = 0.0029


def cost(memory_mb: int, cpu_seconds: float = CPU_SECONDS, concurrency: int = 25):
    return cost_of(memory_mb, cpu_seconds, latency_seconds=0.15, concurrency=concurrency)


def test_the_templates_memory_reads_10_000_accounts_in_time_for_the_least_price() -> None:
    functions_ = Template.load(ROOT / "template.yaml").resources("AWS::Serverless::Function")
    memory = int(functions_[functions.REFRESH_POINTS]["MemorySize"])
    assert cost(memory, 2 * CPU_SECONDS).seconds < 300, "on a core that is half as fast"
    assert cost(memory).dollars == pytest.approx(min(cost(size).dollars for size in MEMORIES_MB))


def test_more_memory_makes_it_faster_until_the_waits_decide_and_dearer_from_then_on() -> None:
    assert cost(512).seconds == pytest.approx(cost(256).seconds / 2)
    assert cost(512).dollars == pytest.approx(cost(256).dollars)
    assert cost(1_769).seconds == cost(1_024).seconds == pytest.approx(10_000 * 0.17 / 25)
    assert cost(1_769).dollars > cost(1_024).dollars


def test_it_is_measured_in_a_process_of_its_own() -> None:
    command = [sys.executable, "scripts/measure_readings.py", "--readings", "20", "--rounds", "1", "--latency-ms", "1"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300).stdout
    assert "20 readings, 25 at once" in printed
    assert "| 384 MB | 0.22 |" in printed
