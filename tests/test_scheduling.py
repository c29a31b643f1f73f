"""Files stay together in a worker of pytest-xdist."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

COLLECTED = [
    "tests/e2e/test_run.py::test_a",
    "tests/e2e/test_walk.py::test_a",
    "tests/local/bench/test_bench.py::test_a",
    "tests/local/test_ports.py::TestA::test_a[x@y::z]",
    "tests/local/test_ports.py::test_b",
    "tests/pool/test_log.py::test_a",
]


class Worker:
    shutting_down = False

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.given: list[list[str]] = []

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.given.append([COLLECTED[number] for number in numbers])

    def shutdown(self) -> None:
        self.shutting_down = True


def test_a_file_stays_in_a_worker_and_many_processes_in_one(request: pytest.FixtureRequest) -> None:
    config: Any = SimpleNamespace(
        option=SimpleNamespace(loadscopereorder=False),
        getvalue=lambda name: {"tx": ["2*popen"], "dist": "loadfile"}[name],
        getoption=lambda name: {"tx": ["2*popen"], "dist": "loadfile"}[name],
    )
    scheduling = request.config.hook.pytest_xdist_make_scheduler(config=config, log=None)
    workers: list[Any] = [Worker("one"), Worker("two")]
    for worker in workers:
        scheduling.add_node(worker)
        scheduling.add_node_collection(worker, COLLECTED)
    scheduling.schedule()
    assert workers[0].given[0] == COLLECTED[:3]
    assert workers[1].given == [COLLECTED[3:5], COLLECTED[5:]]
