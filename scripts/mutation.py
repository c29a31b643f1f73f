"""Mutation testing of the pure modules: change their code in small ways, and see whether a test notices.

    make mutation [ARGS="--only reverse/official --seconds 600 --survivors"]

Each module is tested by its own test files alone, so that the score says how good those are. The work is done on a
copy in build/mutation/, in which every package lies at the top: mutmut takes a file's path for its import name. It is
bounded: what is not reached within `--seconds` is reported as not checked. `--update-docs` writes the table into
docs/testing.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build/mutation/work"
PAGE = ROOT / "docs/testing.md"
# Where the packages come from, by the name under which they are copied.
PACKAGES = {
    "lazy_dataclasses": "lazy_dataclasses",
    "http_connections": "http_connections",
    "reverse": "reverse",
    "accounts": "layers/accounts/accounts",
    "pool": "layers/pool/pool",
    "streaming_runtime": "layers/streaming_runtime/streaming_runtime",
    "gateway": "functions/gateway",
    "refresh_points": "functions/refresh_points",
    "local": "local",
}
# Modules without I/O, by import path, and the tests that are about them. Not `gateway/prompt/json_schema.py`: mutmut
# puts a frame around each call, with which its tests of depth fail.
MODULES = {
    "reverse/web/_protocol.py": ("reverse/web/test_protocol.py",),
    "reverse/web/_decoder.py": ("reverse/web/test_protocol.py",),
    "reverse/web/_signing.py": ("reverse/web/test_signing.py",),
    "reverse/web/_envelope.py": ("reverse/web/test_envelope.py",),
    "reverse/web/_mailbox.py": ("reverse/web/test_mailbox.py",),
    "reverse/web/_session.py": ("reverse/web/test_session.py",),
    "reverse/official/retry.py": ("reverse/official/test_retry.py",),
    "reverse/official/failures.py": ("reverse/official/test_failures.py",),
    "reverse/official/sse.py": ("reverse/official/test_sse.py",),
    "accounts/_transitions.py": ("accounts/test_transitions.py",),
    "accounts/_selection.py": ("accounts/test_selection.py",),
    "accounts/_keys.py": ("accounts/test_keys.py",),
    "accounts/_sigv4.py": ("accounts/test_sigv4.py",),
    "pool/settings.py": ("pool/test_settings.py",),
    "pool/outcomes.py": ("pool/test_outcomes.py",),
    "pool/status.py": ("pool/test_status.py",),
    "gateway/http/deadline.py": ("gateway/http/test_deadline.py",),
    "gateway/http/declared_body.py": ("gateway/http/test_fields.py",),
    "gateway/http/fields.py": ("gateway/http/test_fields.py",),
    "gateway/http/errors.py": ("gateway/http/test_errors.py",),
    "gateway/http/sse.py": ("gateway/http/test_sse.py",),
    "gateway/generation/plan.py": ("gateway/generation/test_plan.py",),
    "gateway/generation/rules.py": ("gateway/generation/test_plan.py",),
    "gateway/generation/shaping.py": ("gateway/generation/test_shaping.py",),
    "gateway/generation/usage.py": ("gateway/generation/test_usage.py", "gateway/generation/test_spending.py"),
    "gateway/models/capabilities.py": ("gateway/models/test_capabilities.py",),
    "gateway/models/catalogue.py": ("gateway/models/test_catalogue.py",),
    "gateway/models/model.py": ("gateway/models/test_model.py",),
    "gateway/models/model_list.py": ("gateway/models/test_model_list.py",),
    "gateway/prompt/structured_output.py": ("gateway/prompt/test_structured_output.py",),
    "gateway/prompt/tool_protocol.py": ("gateway/prompt/test_tool_protocol.py",),
    "gateway/prompt/turns.py": ("gateway/prompt/test_turns.py",),
    "gateway/surfaces/chat/encoder.py": ("gateway/surfaces/chat/test_encoder.py",),
    "gateway/surfaces/messages/encoder.py": ("gateway/surfaces/messages/test_encoder.py",),
    "gateway/surfaces/responses/encoder.py": ("gateway/surfaces/responses/test_encoder.py",),
    "streaming_runtime/http11.py": ("streaming_runtime/test_http11.py",),
    "streaming_runtime/response_head.py": ("streaming_runtime/test_response_head.py",),
    "streaming_runtime/events.py": ("streaming_runtime/test_events.py",),
    "streaming_runtime/settings.py": ("streaming_runtime/test_settings.py",),
}
# mutmut runs the tests several times in one process, which Hypothesis takes for a mistake. Few examples, the same each
# time: a mutant that only a rare one would notice counts as a survivor.
_PROPERTY_TESTS = """

import hypothesis

hypothesis.settings.register_profile(
    "mutation",
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("mutation")
"""
# What a mutant's exit code means, as mutmut has it; a hang is noticed, too.
KILLED, SURVIVED, NO_TEST, UNCHECKED = "killed", "survived", "no test", "not checked"
_STATUSES = {0: SURVIVED, 5: NO_TEST, 33: NO_TEST, 2: UNCHECKED, 34: UNCHECKED, None: UNCHECKED}


@dataclass(frozen=True)
class Score:
    """What became of a module's mutants."""

    module: str
    counts: Counter[str]
    survivors: tuple[str, ...]

    @property
    def percent(self) -> float:
        """Of those that were tried, how many a test noticed."""
        tried = self.counts.total() - self.counts[UNCHECKED]
        return 100 * self.counts[KILLED] / tried if tried else 0.0


def main() -> None:
    """Parse the arguments, run, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="modules whose path contains this")
    parser.add_argument("--seconds", type=float, default=1800, help="bound of the whole run")
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2)), help="mutants at a time")
    parser.add_argument("--survivors", action="store_true", help="show the changes that no test noticed")
    parser.add_argument("--update-docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    chosen = {module: tests for module, tests in MODULES.items() if arguments.only in module}
    if not chosen:
        sys.exit(f"no module's path contains {arguments.only!r}")
    give_up_at = time.monotonic() + arguments.seconds
    scores = []
    # One package after the other: mutmut does not begin unless all tests pass, and should say whose do not.
    for package in sorted({module.partition("/")[0] for module in chosen}):
        modules = {module: tests for module, tests in chosen.items() if module.startswith(f"{package}/")}
        prepare(modules)
        run(package, arguments.processes, max(1.0, give_up_at - time.monotonic()))
        scores += [score(module) for module in modules]
        print(f"\n{table(scores[-len(modules) :])}", flush=True)
        if arguments.survivors:
            for item in scores[-len(modules) :]:
                for name in item.survivors:
                    print(f"\n{item.module}\n{difference(name)}", flush=True)
    text = table(scores)
    print(f"\n{text}")
    if arguments.update_docs:
        day = datetime.now(UTC).date().isoformat()
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_table(page, f"Measured on {day} with `make mutation`.\n\n{text}\n"), encoding="utf-8")


def prepare(chosen: dict[str, tuple[str, ...]]) -> None:
    """A fresh copy of the packages and tests, with a configuration of its own."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    without_caches = shutil.ignore_patterns("__pycache__", "node_modules", "data.lock")
    for name, folder in (*PACKAGES.items(), ("tests", "tests"), ("events", "events")):
        shutil.copytree(ROOT / folder, WORK / name, ignore=without_caches)
    with (WORK / "tests/conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(_PROPERTY_TESTS)
    pytest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    tests = sorted({f"tests/{test}" for names in chosen.values() for test in names})
    mutmut = {
        "source_paths": sorted({module.partition("/")[0] for module in chosen}),
        "only_mutate": sorted(chosen),
        "also_copy": [*PACKAGES, "events"],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-p", "no:randomly", "-p", "no:cacheprovider"],
        "mutate_only_covered_lines": False,
    }
    text = "[tool.pytest.ini_options]\n" + _toml({**pytest, "pythonpath": ["."], "testpaths": ["tests"]})
    (WORK / "pyproject.toml").write_text(text + "\n[tool.mutmut]\n" + _toml(mutmut), encoding="utf-8")


def _toml(values: dict[str, object]) -> str:
    """Key and value pairs; JSON's texts, numbers, booleans and lists are TOML's, too."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def run(package: str, processes: int, seconds: float) -> None:
    """Let mutmut work, for as long as it may. Exits with its output if it could not begin."""
    command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", str(processes)]
    log = WORK.parent / f"{package}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=WORK, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = 0
            print(f"{package}: stopped after {seconds:.0f} s; the rest was not checked")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if status:
        last = re.split(r"[\r\n]", log.read_text(encoding="utf-8", errors="replace"))[-60:]
        sys.exit("\n".join([*last, f"mutmut could not mutate {package}; all it said is in {log.relative_to(ROOT)}"]))


def score(module: str) -> Score:
    """What mutmut noted about a module's mutants."""
    noted = WORK / "mutants" / f"{module}.meta"
    codes: dict[str, int | None] = {}
    if noted.exists():
        codes = json.loads(noted.read_text(encoding="utf-8"))["exit_code_by_key"]
    statuses = {name: _STATUSES.get(code, KILLED) for name, code in codes.items()}
    missed = tuple(name for name, status in statuses.items() if status in (SURVIVED, NO_TEST))
    return Score(module, Counter(statuses.values()), missed)


def difference(mutant: str) -> str:
    """A mutant as a change of the source."""
    command = [str(Path(sys.executable).parent / "mutmut"), "show", mutant]
    return subprocess.run(command, cwd=WORK, capture_output=True, text=True, check=False).stdout.strip()


def table(scores: list[Score]) -> str:
    """Markdown: a row for each module, and the sum."""
    lines = [
        "| module | mutants | noticed | survived | no test | not checked | score |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    total = Score("**all**", sum((item.counts for item in scores), Counter()), ())
    for item in [*sorted(scores, key=lambda item: item.module), total]:
        cells = [str(item.counts[status]) for status in (KILLED, SURVIVED, NO_TEST, UNCHECKED)]
        name = item.module if item is total else f"`{item.module}`"
        lines.append("| " + " | ".join([name, str(item.counts.total()), *cells, f"{item.percent:.0f} %"]) + " |")
    return "\n".join(lines)


def with_table(page: str, text: str) -> str:
    """The page with the table between its marks. Raises `SystemExit` if there is no place for it."""
    mark = re.compile(r"(<!-- table: mutation -->\n).*?(<!-- /table -->)", re.DOTALL)
    page, count = mark.subn(lambda match: match[1] + text + match[2], page)
    if count != 1:
        raise SystemExit("the page must have exactly one place for the table of mutation testing")
    return page


if __name__ == "__main__":
    main()
