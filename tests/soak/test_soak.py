"""The books agree with real processes as well: a small soak. `make soak` runs 2,000 requests."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from local.poe_official.scenarios import scenario_from_json as official_scenario
from local.poe_web.scenarios import scenario_from_json as web_scenario
from tests.soak import callers
from tests.soak.asked import ID, SURFACES, Asked, draw, official_fault, web_fault

ROOT = Path(__file__).parents[2]
# To end a hang; a soak of this size takes some seconds.
SECONDS = 300


def test_after_kills_and_faults_the_books_agree_with_what_poe_charged(tmp_path: Path) -> None:
    """A process of its own: what kills leave open there is no leak of a test."""
    command = [sys.executable, "-m", "tests.soak", "--requests", "32", "--kills", "3", "--no-hangs"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [*command, "--keep", str(tmp_path / "state")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holds: booked = charged for each account" in done.stdout


def test_every_prompt_names_its_request_and_every_surface_is_asked() -> None:
    rng = random.Random(1)
    asked = [draw(rng, number) for number in range(200)]
    assert len({one.surface for one in asked[: len(SURFACES)]}) == len(SURFACES)
    for one in asked:
        assert set(ID.findall(str(one.body))) == {one.id}


def test_the_stand_ins_know_every_fault_that_is_drawn() -> None:
    rng = random.Random(1)
    for _ in range(400):
        official_scenario({"faults": [official_fault(rng, may_hang=True)]})
        web_scenario({"faults": [web_fault(rng, may_hang=True)]})


def reply(text: str, *, status: int = 200, kind: str = "text/event-stream") -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, text=text, headers={"content-type": kind}))


ASKED = Asked(id="soak-000001", surface="chat", path="/v1/chat/completions", body={"stream": True})


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ('data: {"choices": []}\n\ndata: [DONE]\n\n', "answered"),
        ('data: {"choices": []}\n\n', callers.CUT),
        ("", callers.CUT),
        ('data: {"error": {"code": "upstream_error"}}\n\ndata: [DONE]\n\n', "in the stream: upstream_error"),
        ('event: response.completed\ndata: {"type": "response.completed"}\n\n', "answered"),
        (
            'event: response.failed\ndata: {"type": "response.failed", "response": {"error": {"code": "x"}}}\n\n'
            'event: error\ndata: {"type": "error", "code": "x"}\n\n',
            "in the stream: x",
        ),
        ('event: error\ndata: {"type": "error", "error": {"type": "api_error"}}\n\n', "in the stream: api_error"),
    ],
)
async def test_a_stream_has_the_outcome_that_its_caller_saw(text: str, end: str) -> None:
    async with httpx.AsyncClient(transport=reply(text), base_url="http://gateway") as http:
        assert await callers.call(http, ASKED) == end


async def test_a_stream_that_goes_on_after_its_end_is_found() -> None:
    text = 'data: {"error": {"code": "upstream_error"}}\n\ndata: {"choices": []}\n\n'
    async with httpx.AsyncClient(transport=reply(text), base_url="http://gateway") as http:
        with pytest.raises(callers.Unheard, match="went on after its end"):
            await callers.call(http, ASKED)


async def test_what_lambda_says_itself_is_told_from_what_the_gateway_says() -> None:
    own = reply('{"message":"Internal Server Error"}', status=502, kind="application/json")
    async with httpx.AsyncClient(transport=own, base_url="http://gateway") as http:
        assert await callers.call(http, ASKED) == callers.CUT
    ours = reply('{"error":{"code":"upstream_error","type":"server_error"}}', status=502, kind="application/json")
    async with httpx.AsyncClient(transport=ours, base_url="http://gateway") as http:
        assert await callers.call(http, ASKED) == "502 upstream_error"
