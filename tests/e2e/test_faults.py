"""What breaks in the middle, and what callers get wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import httpx2
import openai
import pytest

from local.ports import free_port

ROOT = Path(__file__).parents[2]
MODEL = "GPT-4o"
CHAT = "/v1/chat/completions"
QUIET_LOOKS = 25


def body(**changes: object) -> dict[str, object]:
    return {"model": MODEL, "messages": [{"role": "user", "content": "count 3"}]} | changes


@pytest.fixture
def one_slot(web_only):
    """Only one account with one slot may answer."""
    samples = [account["id"] for label, account in web_only.accounts().items() if label.startswith("sample-web")]
    web_only.simulated("accounts", p_b="e2e-single-slot")
    single = web_only.admin(
        "POST",
        "/accounts",
        json={"kind": "web", "label": "single", "credentials": {"p_b": "e2e-single-slot"}, "max_concurrency": 1},
    )
    for account in samples:
        web_only.admin("POST", f"/accounts/{account}/disable")
    yield web_only
    for account in samples:
        web_only.admin("POST", f"/accounts/{account}/enable")
    web_only.admin("DELETE", f"/accounts/{single['id']}")


def test_a_sandbox_killed_in_mid_stream(one_slot, lease_ttl_seconds):
    """The client sees an error at once, the lease frees itself when it expires, and nothing else breaks."""
    stack, client = one_slot, one_slot.openai()
    long = [{"role": "user", "content": "count 2000"}]
    stream = client.chat.completions.create(model=MODEL, messages=long, stream=True, timeout=60)
    received = [next(stream) for _ in range(5)]
    assert received
    [busy] = stack.wait_until(lambda: stack.sandboxes(frozen=False))
    killed = time.monotonic()
    os.kill(busy, signal.SIGKILL)
    with pytest.raises((httpx2.HTTPError, openai.APIError)) as ended:
        list(stream)
    assert not isinstance(ended.value, (httpx2.TimeoutException, openai.APITimeoutError)), "the client was left hanging"

    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(**body())
    assert refused.value.code == "accounts_busy"
    assert client.models.list().data, "other requests are not concerned"

    def answered() -> bool:
        try:
            return bool(client.chat.completions.create(**body()).choices)
        except openai.RateLimitError:
            return False

    stack.wait_until(answered, lease_ttl_seconds + 60)
    assert time.monotonic() - killed > lease_ttl_seconds / 2, "the lease was free before it expired"


def test_even_a_new_sandboxs_first_chat_asks_the_table_twice_and_writes_twice(one_slot):
    """The key, and the account beside the slot (goal: 2 reads, 3 writes), after two reads in the init phase.

    Those bring what is read now and then, such as the list of models, and the accounts, while the sandbox has a whole
    processor.
    """

    def end_sandboxes() -> None:
        for sandbox in one_slot.sandboxes():
            os.kill(sandbox, signal.SIGKILL)
        one_slot.wait_until(lambda: not one_slot.sandboxes())

    def calls() -> Counter[str]:
        return Counter(httpx.get(f"{one_slot.variables['AWS_ENDPOINT_URL']}/_local/calls").json())

    seen: list[Counter[str]] = []

    def is_quiet() -> bool:
        """Whether nobody has called for some looks: the first run of the job is over."""
        seen.append(calls())
        return len(seen) > QUIET_LOOKS and seen[-1] == seen[-QUIET_LOOKS]

    # A chat of the account before, so that what is counted is not the account's first.
    assert one_slot.openai().chat.completions.create(**body()).choices
    end_sandboxes()
    one_slot.wait_until(is_quiet, 60)
    before = calls()
    assert one_slot.openai().chat.completions.create(**body()).choices
    made = {name: count for name, count in (calls() - before).items() if name.startswith("dynamodb.")}
    assert made == {
        "dynamodb.BatchGetItem": 2,
        "dynamodb.Query": 1,
        "dynamodb.GetItem": 1,
        "dynamodb.PutItem": 1,
        "dynamodb.TransactWriteItems": 1,
    }


@pytest.mark.parametrize(
    ("request_", "status", "kind", "code", "param"),
    [
        pytest.param({"content": b'{"model": '}, 400, "invalid_request_error", None, None, id="malformed JSON"),
        pytest.param({"json": [1]}, 400, "invalid_request_error", None, None, id="not an object"),
        pytest.param({"json": body(messages="hi")}, 400, "invalid_request_error", None, "messages", id="wrong type"),
        pytest.param({"json": body(stream="yes")}, 400, "invalid_request_error", None, "stream", id="wrong flag"),
        pytest.param({"json": body(messages=[])}, 400, "invalid_request_error", None, "messages", id="empty messages"),
        pytest.param({"json": {"model": MODEL}}, 400, "invalid_request_error", None, "messages", id="no messages"),
        pytest.param(
            {"json": body(model="No-Such-Model")}, 404, "invalid_request_error", "model_not_found", "model", id="model"
        ),
        pytest.param(
            {"json": body(), "headers": {"Authorization": "Bearer sk-wrong"}},
            401,
            "authentication_error",
            "invalid_api_key",
            None,
            id="wrong key",
        ),
        pytest.param(
            {"json": body(), "headers": {"Authorization": ""}},
            401,
            "authentication_error",
            "invalid_api_key",
            None,
            id="no key",
        ),
        pytest.param({"method": "GET"}, 405, "invalid_request_error", None, None, id="wrong method"),
        pytest.param(
            {"path": "/v1/nothing", "json": body()}, 404, "invalid_request_error", "not_found", None, id="route"
        ),
    ],
)
def test_bad_input_gets_the_envelope(stack, request_, status, kind, code, param):
    given = {"method": "POST", "path": CHAT, "headers": {}} | request_
    headers = {"Authorization": f"Bearer {stack.api_key}", "Content-Type": "application/json"} | given.pop("headers")
    reply = httpx.request(given.pop("method"), stack.url + given.pop("path"), headers=headers, timeout=30, **given)
    error = reply.json()["error"]
    assert (reply.status_code, error["type"]) == (status, kind), error
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["param"] == param
    if code is not None:
        assert error["code"] == code
    assert reply.headers["x-request-id"]


def test_a_body_over_6_mb_is_refused_by_lambda_itself(stack):
    """The function never sees it, so the answer is Lambda's and not the envelope; the SDK makes an error of it."""
    with pytest.raises(openai.APIStatusError) as refused:
        stack.openai().chat.completions.create(**body(messages=[{"role": "user", "content": "x" * 7_000_000}]))
    assert refused.value.status_code == 413
    assert stack.openai().chat.completions.create(**body()).choices


def test_the_bare_app_under_uvicorn_refuses_it_with_the_envelope(stack):
    """`uvicorn gateway.asgi:app` beside a running stack, with nothing of Lambda around it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    roots = ["", "functions", "layers/accounts", "layers/pool", "layers/streaming_runtime"]
    environment = {**os.environ, **stack.variables, "PYTHONPATH": ":".join(str(ROOT / root) for root in roots)}
    command = [sys.executable, "-m", "uvicorn", "gateway.asgi:app", "--port", str(port)]
    headers = {"Authorization": f"Bearer {stack.api_key}", "Content-Type": "application/json"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            stack.wait_until(lambda: answers(f"{url}/healthz"), 30)
            large = json.dumps(body(messages=[{"role": "user", "content": "x" * 7_000_000}]))
            refused = httpx.post(url + CHAT, content=large, headers=headers, timeout=30)
            assert (refused.status_code, refused.json()["error"]["code"]) == (413, "request_too_large")
            assert httpx.post(url + CHAT, json=body(), headers=headers, timeout=30).status_code == 200
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False
