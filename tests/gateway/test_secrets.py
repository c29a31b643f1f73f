"""Secrets planted on every path are looked for everywhere that others read."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from accounts import AccountKind
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta
from tests.gateway.scripted import ADMIN_KEY, API_KEY, Hang, House, ask

COOKIE, FORM_KEY, PROMPT, ANSWER, UPSTREAM = (
    f"planted-{name}" for name in ("cookie", "form-key", "prompt", "answer", "upstream")
)
SECRETS = (COOKIE, FORM_KEY, PROMPT, ANSWER, UPSTREAM, API_KEY, ADMIN_KEY)


@contextmanager
def watched(house: House, root: io.StringIO, capsys: pytest.CaptureFixture[str]) -> Iterator[list[bytes]]:
    """Collects bodies; at the end nothing written anywhere has a secret in it."""
    bodies: list[bytes] = []
    yield bodies
    printed = capsys.readouterr()
    places = {"log": house.log.getvalue(), "root": root.getvalue(), "out": printed.out, "err": printed.err}
    places |= {f"body {number}": body.decode() for number, body in enumerate(bodies)}
    assert house.log.getvalue(), "something was logged"
    for place, text in places.items():
        for secret in SECRETS:
            assert secret not in text, f"{secret} in {place}"


@pytest.fixture
async def planted(house: House) -> House:
    for _ in range(3):
        await house.store.put_account(
            kind=AccountKind.WEB, label=f"l{_}", credentials={"p_b": COOKIE, "form_key": FORM_KEY}
        )
    return house


FAILURES: list[Any] = [
    *(poe_error(code, upstream_text=UPSTREAM, operation="SendMessage") for code in ErrorCode),
    RuntimeError(f"defect with {COOKIE} and {PROMPT}"),
    ValueError(f"value {COOKIE}"),
    KeyError(COOKIE),
]


# Poe's words about the request itself, cleaned and cut, are for whoever sent it. No log has them.
TOLD = frozenset(
    {
        ErrorCode.INVALID_REQUEST,
        ErrorCode.MESSAGE_TOO_LONG,
        ErrorCode.UNSUPPORTED_FILE,
        ErrorCode.FILE_TOO_LARGE,
        ErrorCode.UNSUPPORTED_FEATURE,
    }
)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: getattr(failure, "code", type(failure).__name__))
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "before"])
async def test_failures(
    planted: House,
    failure: Exception,
    stream: bool,
    begun: bool,
    capture_root_log: io.StringIO,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with watched(planted, capture_root_log, capsys) as bodies:
        for _ in range(3):
            planted.poe.enqueue(*([TextDelta("x")] if begun else []), failure)
        answer = await planted.call(body=ask(PROMPT, stream=stream, parameters={"x": PROMPT}))
        is_told = getattr(failure, "code", None) in TOLD
        bodies.append(answer.body.replace(UPSTREAM.encode(), b"") if is_told else answer.body)
        bodies.append(str(answer.headers).encode())


async def test_good_answers_and_bad_requests(
    planted: House, capture_root_log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched(planted, capture_root_log, capsys) as bodies:
        planted.poe.enqueue(TextDelta(ANSWER), Finished())
        await planted.call(body=ask(PROMPT, stream=True))
        for body in (
            ask(PROMPT, stream=PROMPT),
            ask(PROMPT, n=PROMPT),
            {"model": PROMPT * 50, "messages": PROMPT},
            ask([{"type": PROMPT}][:0], stop=[PROMPT, 1]),
            ask(PROMPT, response_format={"type": PROMPT}),
            ask([{"type": "image_url", "image_url": {"url": f"file:///{PROMPT}"}}]),
        ):
            answer = await planted.call(body=body)
            assert answer.status == 400
            bodies.append(answer.body)
        bodies.append((await planted.call(raw=f'{{"x": {PROMPT}'.encode())).body)
        bodies.append((await planted.call(body=ask(PROMPT), key=COOKIE)).body)
        bodies.append((await planted.call(f"/v1/models/{PROMPT}")).body)
        bodies.append((await planted.call(f"/nothing/{PROMPT}?key={API_KEY}")).body)
        bodies.append((await planted.call("/healthz", headers={"x-request-id": f"{API_KEY} {COOKIE}"})).body)


async def test_leaving_in_the_middle(
    planted: House, capture_root_log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched(planted, capture_root_log, capsys):
        planted.poe.enqueue(TextDelta("x"), Hang())
        gone = asyncio.Event()
        await planted.call(body=ask(PROMPT, stream=True), disconnect=gone, on_part=lambda answer, part: gone.set())


async def test_the_administration(
    planted: House, capture_root_log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched(planted, capture_root_log, capsys) as bodies:
        for path, body in (
            ("/accounts", {"kind": "web", "label": "a", "credentials": {"p_b": COOKIE, "form_key": FORM_KEY}}),
            ("/accounts", {"kind": "web", "label": "a", "credentials": {"p_b": COOKIE + "\n;", "form_key": FORM_KEY}}),
            ("/accounts", {"kind": COOKIE, "label": [COOKIE], "credentials": COOKIE}),
            ("/accounts", {"kind": "web", "label": "a", "credentials": {"p_b": [COOKIE]}}),
            ("/accounts/upsert", {"email": "b", "poe_p_b": COOKIE, "formkey": FORM_KEY}),
            ("/accounts/upsert", {"email": [COOKIE], "poe_p_b": {"x": COOKIE}}),
            ("/keys", {"name": "x", "secret": API_KEY[:10]}),
        ):
            bodies.append((await planted.admin(path, body)).body.replace(API_KEY[:10].encode(), b""))
        bodies.append((await planted.admin("/accounts")).body)


def test_reprs(house: House) -> None:
    client = house.poe.make_client(AccountKind.WEB, {"p_b": COOKIE}, None)
    values = [house.services.settings, house.services, house.services.authenticator, house.services.clients, client]
    assert not any(secret in repr(value) for value in values for secret in SECRETS)
