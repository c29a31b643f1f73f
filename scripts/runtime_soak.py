"""A soak of the streaming runtime: thousands of invocations in one process, most of which go wrong in some way.

    python scripts/runtime_soak.py [--invocations 2000] [--seed 1] [--loop asyncio|uvloop]

Under the emulator of the Function URL, which freezes the sandbox between invocations: applications that raise before,
between and after the parts, return early or hang until the deadline; readers that leave, or stop reading; SIGSTOP and
SIGCONT in the middle; SIGTERM at the end of each life of the process, of which a soak has four. Each answer is checked.
After a warm-up, neither objects nor descriptors nor tasks may grow, and memory not by more than `MOST_KILOBYTES`.
The order of what happens is the seed's.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "tests" / "streaming_runtime"
sys.path[:0] = [str(ROOT)]

import httpx  # noqa: E402

from local.function_url import Function, FunctionUrl  # noqa: E402

LIVES = 4
TIMEOUT_SECONDS = 6.0
"""A busy machine must not make the emulator kill what only is slow: a third of it is the runtime's margin."""
# How often each thing happens, of a thousand.
KINDS = {
    "ordinary": 410,
    "fail-before": 120,
    "fail-between": 120,
    "incomplete": 60,
    "after": 80,
    "large": 80,
    "leave": 60,
    "stall": 5,
    "freeze": 60,
    "hang": 5,
}
BUSY = 429
RETRY_SECONDS = 0.02
WARM_UP = 100
"""Invocations of each life before anything is counted."""
MOST_KILOBYTES = 4096
MOST_OBJECTS = 200
ORDINARY = b"".join(b"data: %d\n\n" % number for number in range(10))


@dataclass
class Life:
    """One process: what was counted in it, and what went wrong."""

    first: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def growth(self) -> dict[str, int]:
        """Since the warm-up."""
        return {name: self.last[name] - self.first[name] for name in self.last if name != "pid"}

    def judge(self) -> None:
        """Note what has grown."""
        grown = self.growth()
        limits = {"kilobytes": MOST_KILOBYTES, "objects": MOST_OBJECTS, "descriptors": 0, "tasks": 0}
        self.errors += [f"{name} grew by {grown[name]}" for name, most in limits.items() if grown[name] > most]


class Soak:
    """Asks one emulated function for everything, in the seed's order."""

    def __init__(self, url: FunctionUrl, client: Patient, chance: random.Random) -> None:
        self._url = url
        self._client = client
        self._chance = chance

    async def live(self, invocations: int) -> Life:
        """One life of the process."""
        life = Life()
        warm_up = min(WARM_UP, invocations // 4)
        await self._census()  # there must be a process to stop
        kinds = self._chance.choices(list(KINDS), list(KINDS.values()), k=invocations)
        for number, kind in enumerate(kinds):
            if number == warm_up:
                life.first = await self._census()
            try:
                await getattr(self, "_" + kind.replace("-", "_"))()
            except (AssertionError, httpx.HTTPError) as error:
                life.errors.append(f"{number} {kind}: {type(error).__name__} {error}"[:300])
        life.last = await self._census()
        if life.last["pid"] != life.first["pid"]:
            life.errors.append("the process was replaced")
        life.judge()
        return life

    async def _census(self) -> dict[str, int]:
        counted: dict[str, int] = (await self._client.get("/census")).json()
        return counted

    async def _ordinary(self) -> None:
        answer = await self._client.get("/ordinary")
        assert answer.status_code == 200 and answer.content == ORDINARY, answer.content[:100]

    async def _fail_before(self) -> None:
        answer = await self._client.get("/fail-before")
        assert answer.status_code == 500 and answer.json()["error"]["code"] == "internal_error"

    async def _fail_between(self) -> None:
        await self._is_cut("/fail-between", b"first\n\nevent: error\n")

    async def _incomplete(self) -> None:
        await self._is_cut("/incomplete", b"first\n\nevent: error\n")

    async def _hang(self) -> None:
        await self._is_cut("/hang", b"first\n\nevent: error\n")

    async def _is_cut(self, path: str, beginning: bytes) -> None:
        """The emulator cuts what ends with an error, as Lambda does; what was sent before has arrived."""
        received = b""
        with suppress(httpx.RemoteProtocolError):
            async with self._client.stream("GET", path) as answer:
                async for data in answer.aiter_raw():
                    received += data
        assert received.startswith(beginning), received[:100]

    async def _after(self) -> None:
        assert (await self._client.get("/after")).content == b"all"

    async def _large(self) -> None:
        assert len((await self._client.get("/large")).content) == 1_000_000

    async def _leave(self) -> None:
        """The reader goes; the emulator drains the rest, so the application runs into its deadline or ends."""
        async with self._client.stream("GET", "/large") as answer:
            async for _ in answer.aiter_raw():
                break

    async def _stall(self) -> None:
        """The reader stops reading for the whole of the function's time."""
        async with self._client.stream("GET", "/flood") as answer:
            async for _ in answer.aiter_raw():
                break
            await self._until(lambda: not self._is_working())

    async def _freeze(self) -> None:
        """Stopped and continued in the middle, as a machine that suspends does it."""
        assert self._url.sandboxes, "the process has gone"
        sandbox = self._url.sandboxes[0]
        async with self._client.stream("GET", "/large") as answer:
            received = 0
            async for data in answer.aiter_raw():
                if not received:
                    os.kill(sandbox.pid, signal.SIGSTOP)
                    await asyncio.sleep(0.001)
                    os.kill(sandbox.pid, signal.SIGCONT)
                received += len(data)
        assert received == 1_000_000, received

    def _is_working(self) -> bool:
        return any(not sandbox.is_frozen for sandbox in self._url.sandboxes)

    async def _until(self, condition: Any) -> None:
        async with asyncio.timeout(10 * TIMEOUT_SECONDS):
            while not condition():  # noqa: ASYNC110 - another process's condition
                await asyncio.sleep(0.01)


async def soak(invocations: int, seed: int, loop: str, folder: Path) -> list[Life]:
    """All lives, one after the other."""
    chance = random.Random(seed)
    lives = []
    for number in range(LIVES):
        function = Function(
            name="soak",
            handler="soak_app.app",
            command=(str(ROOT / "layers/streaming_runtime/streaming-runtime"), sys.executable, "bootstrap"),
            task_root=APP,
            environment={
                "SHUTDOWNS": str(folder),
                "STREAMING_RUNTIME_LOOP": loop,
                "STREAMING_RUNTIME_DEADLINE_MARGIN_MS": "2000",
            },
            timeout_seconds=TIMEOUT_SECONDS,
            init_timeout_seconds=60,
            log=folder / f"life-{number}.log",
        )
        async with FunctionUrl(function, sandboxes=1) as url:
            async with httpx.AsyncClient(base_url=url.url, trust_env=False, timeout=60) as client:
                life = await Soak(url, Patient(client), chance).live(invocations // LIVES)
        # Leaving has sent SIGTERM and waited.
        if not (folder / str(life.last["pid"])).exists():
            life.errors.append("SIGTERM did not run the lifespan's shutdown")
        lives.append(life)
        print(f"life {number + 1}: {life.last['kilobytes']} kB, grown by {life.growth()}", flush=True)
        for error in life.errors:
            print(f"    FAILED {error}", flush=True)
    return lives


class Patient:
    """A client that asks again while the only sandbox is busy with what the last reader left behind."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str) -> httpx.Response:
        while (answer := await self._client.get(path)).status_code == BUSY:  # noqa: ASYNC110
            await asyncio.sleep(RETRY_SECONDS)
        return answer

    def stream(self, method: str, path: str) -> _Streaming:
        return _Streaming(self._client, method, path)


class _Streaming:
    def __init__(self, client: httpx.AsyncClient, method: str, path: str) -> None:
        self._client, self._request = client, client.build_request(method, path)
        self._answer: httpx.Response | None = None

    async def __aenter__(self) -> httpx.Response:
        while True:
            # It is another process that is waited for.
            self._answer = await self._client.send(self._request, stream=True)
            if self._answer.status_code != BUSY:
                return self._answer
            await self._answer.aclose()
            await asyncio.sleep(RETRY_SECONDS)

    async def __aexit__(self, *_: object) -> None:
        if self._answer is not None:
            await self._answer.aclose()


def main() -> int:
    """Returns 1 if anything went wrong."""
    logging.disable(logging.WARNING)  # the emulator remarks on every failure, and here most are meant
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--invocations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loop", choices=["auto", "asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lives = asyncio.run(soak(options.invocations, options.seed, options.loop, Path(folder)))
    errors = sum(len(life.errors) for life in lives)
    print(f"{options.invocations} invocations, seed {options.seed}, loop {options.loop}: {errors} errors")
    return int(bool(errors))


if __name__ == "__main__":
    sys.exit(main())
