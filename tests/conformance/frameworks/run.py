"""Runs the sample applications, each in its framework's newest version, on the streaming runtime, and prints a table.

    python tests/conformance/frameworks/run.py [--only NAME ...] [--update-readme]

The frameworks live in an environment of their own; the emulator of the Function URL runs here. Every application is
asked the same through three doors: a Function URL that streams, one that buffers, and a REST API that streams. That a
part is there before the next is made is checked by a file, not by a clock: the application waits for it, and the reader
makes it once it has the part. The pages of `examples/runtime/` are asked as well.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import re
import sys
import tempfile
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT), str(HERE.parent)]

import httpx  # noqa: E402
from environments import NotInstalled, PythonEnvironment  # noqa: E402

from local.function_url import Door, Function, FunctionUrl, InvokeMode  # noqa: E402

LAYER = ROOT / "layers" / "streaming_runtime"
README = LAYER / "README.md"
NOT_INSTALLED = 2
DOORS = {
    "streamed": {"invoke_mode": InvokeMode.RESPONSE_STREAM},
    "buffered": {"invoke_mode": InvokeMode.BUFFERED},
    "REST, streamed": {"invoke_mode": InvokeMode.RESPONSE_STREAM, "door": Door.REST_API},
}
VARIABLES = {
    "streamed": {},
    "buffered": {"STREAMING_RUNTIME_RESPONSE_FORM": "buffered"},
    "REST, streamed": {"STREAMING_RUNTIME_REST_FORM": "streaming"},
}
Check = Callable[[httpx.AsyncClient, "RequestMode"], Awaitable[None]]


@dataclass(frozen=True)
class Framework:
    """A sample application. `lacks` are the routes that the framework, or what it is wrapped in, has no word for."""

    name: str
    package: str
    handler: str
    lacks: tuple[str, ...] = ()
    folder: Path = HERE / "apps"
    has: tuple[str, ...] = ()
    loop: str = "auto"


@dataclass(frozen=True)
class RequestMode:
    """How a check asks."""

    gates: Path
    is_streamed: bool


@dataclass
class Results:
    """Of one framework: checks that passed and failed, by door."""

    passed: dict[str, int] = field(default_factory=dict)
    failed: dict[str, list[str]] = field(default_factory=dict)


NO_LIFESPAN = ("lifespan", "background work ends first")
SSE = ("sse-starlette", "gzip", "ranges")
FRAMEWORKS = (
    Framework("FastAPI", "fastapi", "fastapi_app.app"),
    Framework("FastAPI on asyncio's loop", "fastapi", "fastapi_app.app", loop="asyncio"),
    Framework("Starlette, sse-starlette", "starlette", "starlette_app.app", has=SSE),
    Framework("Litestar", "litestar", "litestar_app.app"),
    Framework("Quart", "quart", "quart_app.app", lacks=("background work ends first",)),
    Framework("Django", "django", "django_app.app", lacks=NO_LIFESPAN),
    Framework("Flask, a2wsgi", "flask", "flask_app.app", lacks=NO_LIFESPAN),
)
PAGES = ROOT / "examples" / "runtime"
EXAMPLES = (
    Framework("example: FastAPI", "fastapi", "main.app", folder=PAGES / "fastapi" / "app"),
    Framework("example: Django", "django", "site_app.app", folder=PAGES / "django" / "app"),
    Framework("example: Flask", "flask", "main.app", folder=PAGES / "flask" / "app"),
)


async def read_parts(client: httpx.AsyncClient, mode: RequestMode, path: str, mark: bytes) -> bytes:
    """Read a stream whose application waits after its first part until the reader has it."""
    gate = uuid.uuid4().hex
    if not mode.is_streamed:
        (mode.gates / gate).touch()
    received = b""
    async with client.stream("GET", path, params={"gate": gate}) as response:
        assert response.status_code == 200, response.status_code
        assert response.headers["content-type"].startswith("text/event-stream")
        async for part in response.aiter_raw():
            received += part
            if mark in received:
                (mode.gates / gate).touch()
    return received


async def check_text(client: httpx.AsyncClient, _: RequestMode) -> None:
    answer = await client.get("/text/caf%C3%A9", params={"q": "a b&c"})
    assert answer.text == "hello café a b&c", answer.text


async def check_head(client: httpx.AsyncClient, _: RequestMode) -> None:
    answer = await client.head("/text/x")
    # Litestar's routes answer HEAD only where they say so.
    assert answer.status_code in (200, 405) and not answer.content


async def check_stream(client: httpx.AsyncClient, mode: RequestMode) -> None:
    received = await read_parts(client, mode, "/stream", b"data: 0\n\n")
    assert received == b"data: 0\n\ndata: 1\n\ndata: 2\n\n", received


async def check_sse(client: httpx.AsyncClient, mode: RequestMode) -> None:
    received = await read_parts(client, mode, "/sse", b"data: 0")
    assert re.findall(rb"data: (\d)", received) == [b"0", b"1", b"2"], received


async def check_echo(client: httpx.AsyncClient, _: RequestMode) -> None:
    value = {"text": "é", "list": list(range(1000))}
    assert (await client.post("/echo", json=value)).json() == value


async def check_upload(client: httpx.AsyncClient, _: RequestMode) -> None:
    files = {"file": ("a.bin", bytes(range(256)) * 100, "application/octet-stream")}
    answer = (await client.post("/upload", files=files, data={"field": "value"})).json()
    assert answer == {"name": "a.bin", "size": 25_600, "field": "value"}, answer


async def check_large(client: httpx.AsyncClient, _: RequestMode) -> None:
    answer = await client.get("/large", headers={"accept-encoding": "identity"})
    assert hashlib.sha256(answer.content).hexdigest() == answer.headers["x-digest"]


async def check_cookies(client: httpx.AsyncClient, _: RequestMode) -> None:
    answer = await client.get("/cookies", headers={"cookie": "theme=dark; session=s1"})
    assert answer.json() == {"theme": "dark", "session": "s1"}, answer.text
    assert [cookie.partition(";")[0] for cookie in answer.headers.get_list("set-cookie")] == ["a=1", "b=2"]
    client.cookies.clear()


async def check_context(client: httpx.AsyncClient, _: RequestMode) -> None:
    assert (await client.get("/context")).text == "middleware"


async def check_failure(client: httpx.AsyncClient, _: RequestMode) -> None:
    answer = await client.get("/fail")
    assert answer.status_code == 500 and "meant" not in answer.text
    assert (await client.get("/text/x")).status_code == 200


async def check_missing(client: httpx.AsyncClient, _: RequestMode) -> None:
    assert (await client.get("/no/such/path")).status_code == 404


async def check_state(client: httpx.AsyncClient, _: RequestMode) -> None:
    assert (await client.get("/state")).text == "started"


async def check_background(client: httpx.AsyncClient, _: RequestMode) -> None:
    first, second = [int((await client.get("/background")).text) for _ in range(2)]
    assert second == first + 1


async def check_gzip(client: httpx.AsyncClient, _: RequestMode) -> None:
    async with client.stream("GET", "/large", headers={"accept-encoding": "gzip"}) as answer:
        packed = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == answer.headers["x-digest"]


async def check_range(client: httpx.AsyncClient, _: RequestMode) -> None:
    answer = await client.get("/file", headers={"range": "bytes=256-511", "accept-encoding": "identity"})
    assert answer.status_code == 206 and answer.content == bytes(range(256))


async def check_page(client: httpx.AsyncClient, _: RequestMode) -> None:
    page = await client.get("/")
    assert page.headers["content-type"].startswith("text/html") and page.text.count("<p>part") == 5
    assert (await client.get("/hello/you")).json() == {"hello": "you"}


CHECKS: dict[str, Check] = {
    "text and query": check_text,
    "HEAD": check_head,
    "stream, part by part": check_stream,
    "JSON": check_echo,
    "multipart": check_upload,
    "1 MB that is no text": check_large,
    "cookies": check_cookies,
    "context variables": check_context,
    "failure": check_failure,
    "unknown path": check_missing,
    "lifespan": check_state,
    "background work ends first": check_background,
}
MORE_CHECKS: dict[str, Check] = {"sse-starlette": check_sse, "gzip": check_gzip, "ranges": check_range}


def checks_of(framework: Framework) -> dict[str, Check]:
    """What a framework is asked."""
    asked = {name: check for name, check in CHECKS.items() if name not in framework.lacks}
    return asked | {name: MORE_CHECKS[name] for name in framework.has}


async def ask(
    python: Path, framework: Framework, door: str, checks: dict[str, Check], folder: Path
) -> list[str | None]:
    """Serve an application through one door and ask it everything; the errors, in the order of the checks."""
    function = Function(
        name="conformance",
        handler=framework.handler,
        command=(str(LAYER / "streaming-runtime"), str(python), "/var/runtime/bootstrap.py"),
        task_root=framework.folder,
        environment={"GATES": str(folder), "STREAMING_RUNTIME_LOOP": framework.loop, **VARIABLES[door]},
        timeout_seconds=60,
        init_timeout_seconds=60,
        log=folder / f"{framework.name}-{door}.log",
        **DOORS[door],  # type: ignore[arg-type]
    )
    mode = RequestMode(folder, door != "buffered")
    errors: list[str | None] = []
    async with FunctionUrl(function, sandboxes=1) as url:
        async with httpx.AsyncClient(base_url=url.url, trust_env=False, timeout=60) as client:
            for check in checks.values():
                try:
                    await check(client, mode)
                    errors.append(None)
                except Exception as error:  # noqa: BLE001 - every failure is a row
                    errors.append(f"{type(error).__name__}: {error}"[:200] or "failed")
    return errors


async def run(python: Path, frameworks: list[Framework]) -> dict[str, Results]:
    """All of them; a line for every check."""
    outcomes: dict[str, Results] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for framework in frameworks:
            outcome = outcomes[framework.name] = Results()
            checks = checks_of(framework)
            for door in DOORS:
                errors = await ask(python, framework, door, checks, folder)
                outcome.passed[door] = errors.count(None)
                outcome.failed[door] = [check for check, error in zip(checks, errors, strict=True) if error]
                for check, error in zip(checks, errors, strict=True):
                    print(f"{framework.name:28} {door:15} {check:28} {'ok' if error is None else f'FAILED {error}'}")
        for example in EXAMPLES:
            for door in DOORS:
                (error,) = await ask(python, example, door, {"page": check_page}, folder)
                print(f"{example.name:28} {door:15} {'page':28} {'ok' if error is None else f'FAILED {error}'}")
                if error is not None:
                    outcomes.setdefault(example.name, Results()).failed.setdefault(door, []).append("page")
    return outcomes


def table(outcomes: dict[str, Results]) -> str:
    """For the README."""
    lock = (HERE / "requirements.txt").read_text()
    lines = ["| framework | version | " + " | ".join(DOORS) + " |", "|---|---|" + "---|" * len(DOORS)]
    for framework in FRAMEWORKS:
        if (outcome := outcomes.get(framework.name)) is None:
            continue
        # Of two versions in the lock, the one for this interpreter.
        versions = re.findall(rf"^{re.escape(framework.package)}==([^ \n;]+)(?: ; ([^\\\n]+))?", lock, re.MULTILINE)
        version = next((version for version, marker in versions if _applies(marker)), "?")
        cells = [f"{outcome.passed[door]} of {outcome.passed[door] + len(outcome.failed[door])}" for door in DOORS]
        lines.append(f"| {framework.name} | {version} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _applies(marker: str) -> bool:
    """Whether a lock's line is for this interpreter; only versions of Python are told apart."""
    found = re.search(r"python_full_version ([<>]=?) '(\d+)\.(\d+)'", marker)
    if found is None:
        return True
    other = (int(found[2]), int(found[3]))
    mine = sys.version_info[:2]
    return {"<": mine < other, "<=": mine <= other, ">": mine > other, ">=": mine >= other}[found[1]]


def main() -> int:
    """Returns 0, or 1 if a check failed, 2 if there is no environment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted({framework.package for framework in FRAMEWORKS}))
    parser.add_argument("--update-readme", action="store_true", help="write the table into the layer's README")
    options = parser.parse_args()
    try:
        python = PythonEnvironment("frameworks").python()
    except NotInstalled as reason:
        print(f"not installed: {reason}")
        return NOT_INSTALLED
    chosen = [framework for framework in FRAMEWORKS if not options.only or framework.package in options.only]
    outcomes = asyncio.run(run(python, chosen))
    print("\n" + table(outcomes))
    if options.update_readme:
        text = README.read_text(encoding="utf-8")
        mark = re.compile(r"(<!-- table: frameworks -->\n).*?(<!-- /table -->)", re.DOTALL)
        README.write_text(mark.sub(lambda match: match[1] + table(outcomes) + match[2], text), encoding="utf-8")
    return int(any(names for outcome in outcomes.values() for names in outcome.failed.values()))


if __name__ == "__main__":
    sys.exit(main())
