"""The checks of a diagnosis and its report, without secrets."""

from __future__ import annotations

import platform
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, field
from typing import Any, Literal

from lazy_dataclasses import dataclass
from reverse.config import PoeConfig
from reverse.doctor._advice import advice_for
from reverse.errors import PoeError

Status = Literal["ok", "failed", "skipped"]
_SIGNS: dict[Status, str] = {"ok": "ok     ", "failed": "FAILED ", "skipped": "skipped"}
# Shorter values would blacken words that only happen to contain them.
_MIN_SECRET_CHARS = 6


@dataclass(frozen=True, slots=True)
class Check:
    """One step. `detail` says what was found, or which error; `advice` what to try where it failed."""

    name: str
    status: Status
    seconds: float | None = None
    detail: str = ""
    advice: str | None = None

    def to_text(self) -> str:
        """The check in a line or two."""
        taken = "" if self.seconds is None else f"{self.seconds * 1000:6.0f} ms"
        line = f"{_SIGNS[self.status]}  {self.name:<17} {taken:<9}  {self.detail}".rstrip()
        return f"{line}\n         -> {self.advice}" if self.advice else line


@dataclass(slots=True)
class Report:
    """What the checks found, in their order."""

    kind: str
    surroundings: dict[str, str]
    checks: list[Check] = field(default_factory=list)

    @property
    def is_healthy(self) -> bool:
        """Whether nothing failed."""
        return all(check.status != "failed" for check in self.checks)

    def conclusion(self) -> str:
        """The last line."""
        failed = [check.name for check in self.checks if check.status == "failed"]
        return f"\nFailed: {', '.join(failed)}." if failed else "\nEverything that was checked works."

    def to_text(self) -> str:
        """The whole report for people."""
        return "\n".join([self.heading(), *(check.to_text() for check in self.checks), self.conclusion()])

    def heading(self) -> str:
        """What was examined, and where it runs."""
        surroundings = ", ".join(f"{name} {value}" for name, value in self.surroundings.items())
        return f"Poe, {self.kind} account; {surroundings}\n"

    def to_json(self) -> dict[str, Any]:
        """The whole report for programs."""
        return {
            "version": 1,
            "kind": self.kind,
            "healthy": self.is_healthy,
            "surroundings": self.surroundings,
            "checks": [asdict(check) for check in self.checks],
        }


class Skipped(Exception):
    """Raised by a step that has nothing to do; the text says why."""


class Examination:
    """Runs steps one after the other and keeps the report.

    What a step says about itself is made of numbers and fixed words. As a second line of defence the values in
    `secrets`, which grow as more are learnt, are blackened wherever they would show.
    """

    def __init__(
        self,
        kind: str,
        config: PoeConfig,
        secrets: Iterable[str],
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self._secrets: set[str] = set()
        self._progress = progress or (lambda _line: None)
        self.learn(*secrets)
        if config.proxy:
            self.learn(config.proxy)
        surroundings = {
            "python": platform.python_version(),
            "system": platform.system(),
            "operations": config.operation_generation,
            "overrides": str(len(config.operation_hashes) + len(config.subscription_hashes)),
            "proxy": "yes" if config.proxy else "no",
        }
        self.report = Report(kind, surroundings)
        self._progress(self.report.heading())

    def learn(self, *secrets: str | None) -> None:
        """Add values that must not show."""
        self._secrets |= {secret for secret in secrets if secret and len(secret) >= _MIN_SECRET_CHARS}

    async def step(self, name: str, run: Callable[[], Awaitable[str]], *, needs: Iterable[str] = ()) -> bool:
        """Run one step, which returns what it found; skipped where a step it `needs` has not succeeded.

        Says whether it succeeded. Errors of the network become part of the report; others are defects and pass.
        """
        succeeded = {check.name for check in self.report.checks if check.status == "ok"}
        missing = [need for need in needs if need not in succeeded]
        if missing:
            return self._add(Check(name, "skipped", detail=f"needs: {', '.join(missing)}"))
        began = time.perf_counter()

        def taken() -> float:
            return round(time.perf_counter() - began, 4)

        try:
            detail = await run()
        except Skipped as reason:
            return self._add(Check(name, "skipped", detail=str(reason)))
        except PoeError as error:
            where = f" in {error.operation}" if error.operation else ""
            status = f", status {error.status}" if error.status else ""
            # Only the code and our own words: what Poe wrote may quote anything.
            detail = f"{error.code}{where}{status}: {error}"
            return self._add(Check(name, "failed", taken(), detail, advice_for(error.code, error.operation, name)))
        except OSError as error:
            detail = error.strerror or type(error).__name__
            return self._add(Check(name, "failed", taken(), detail, advice_for(None, None, name)))
        return self._add(Check(name, "ok", taken(), detail))

    def _add(self, check: Check) -> bool:
        check = Check(check.name, check.status, check.seconds, self._blackened(check.detail), check.advice)
        self.report.checks.append(check)
        self._progress(check.to_text())
        return check.status == "ok"

    def _blackened(self, text: str) -> str:
        # The longest first: a shorter one may be part of it, and would leave its rest readable.
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "[secret]")
        return text
