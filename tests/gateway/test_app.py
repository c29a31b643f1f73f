"""What happens around every request: envelopes, ids, limits, odd paths and headers, lifespan."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.gateway.scripted import API_KEY, Answer, House, ask


def assert_envelope(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status
    assert set(answer.json) == {"error"}
    assert set(answer.error) == {"message", "type", "param", "code"}
    assert answer.error["code"] == code
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/v1/nothing", "GET", 404, "not_found"),
        ("/nothing", "POST", 404, "not_found"),
        ("/v1/embeddings", "POST", 404, "not_found"),
        ("/v1/chat/completions", "GET", 405, "method_not_allowed"),
        ("/v1/models", "POST", 405, "method_not_allowed"),
        ("/v1/chat/completions/../../admin/keys", "GET", 404, "not_found"),
        ("/docs", "GET", 404, "not_found"),
        ("/openapi.json", "GET", 404, "not_found"),
        ("/\x00\xff", "GET", 404, "not_found"),
    ],
)
async def test_wrong_addresses_and_methods_have_the_envelope(
    house: House, path: str, method: str, status: int, code: str
) -> None:
    answer = await house.call("/", method=method, scope={"path": path})
    assert_envelope(answer, status, code)


async def test_a_wrong_method_names_the_right_one(house: House) -> None:
    answer = await house.call("/v1/chat/completions", method="GET")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'"x"', "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"model": NaN}', "invalid_json"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"a":' * 100_000, "invalid_json"),
        (b'{"n":' + b"9" * 10_000 + b"}", "invalid_json"),
        (b"{}", "missing_required_parameter"),
        (b'{"model":"x","messages":"hi"}', "invalid_type"),
    ],
)
async def test_bad_bodies_are_400_whatever_they_are(house: House, raw: bytes, code: str) -> None:
    assert_envelope(await house.call(raw=raw), 400, code)


async def test_many_flat_objects_are_not_deep(house: House) -> None:
    await house.add_account()
    messages = [{"role": "user", "content": [{"type": "text", "text": "x"}]}] * 300
    assert (await house.call(body={"model": "m", "messages": messages})).status == 200


async def test_a_body_over_the_limit_is_413(house: House) -> None:
    """Told by the announced length, and by counting when nothing is announced."""
    big = json.dumps(ask("x" * 7 * 1024 * 1024)).encode()
    assert_envelope(await house.call(raw=big), 413, "request_too_large")
    assert_envelope(await house.call(raw=big, headers={"content-length": "nonsense"}), 413, "request_too_large")
    assert_envelope(await house.call(raw=b"{}", headers={"content-length": "9" * 30}), 413, "request_too_large")


async def test_the_key_is_checked_before_the_body(house: House) -> None:
    assert_envelope(await house.call(raw=b"{", key="wrong"), 401, "invalid_api_key")
    assert_envelope(await house.call(raw=b"{" * 10_000_000, key=None), 401, "invalid_api_key")


async def test_a_sane_request_id_is_kept_and_any_other_replaced(house: House) -> None:
    kept = await house.call("/healthz", headers={"x-request-id": "trace-1.2:3_x"})
    assert kept.headers["x-request-id"] == "trace-1.2:3_x"
    for bad in ("a b", "x" * 200, 'a"b', "\xe9"):
        assert (await house.call("/healthz", headers={"x-request-id": bad})).headers["x-request-id"].startswith("req_")
    stream = await house.call(body=ask(stream=True), headers={"x-request-id": "s1"})
    assert stream.headers["x-request-id"] == "s1"


async def test_a_defect_is_a_500_that_tells_nothing(house: House) -> None:
    async def fail(*_: Any) -> Any:
        raise RuntimeError("secret in a defect")

    house.services.catalogue.resolve = fail  # type: ignore[method-assign]
    answer = await house.call(body=ask())
    assert_envelope(answer, 500, "internal_error")
    crash = house.lines("request.crashed")[0]
    assert crash["error_type"] == "RuntimeError"
    assert any("fail" in frame for frame in crash["frames"])
    assert "secret" not in house.log.getvalue() + answer.body.decode()


async def test_browsers_may_call_only_from_named_origins(environment: dict[str, str]) -> None:
    house = House(Settings.from_env(environment | {"GATEWAY_CORS_ORIGINS": "https://chat.example"}))
    preflight = {
        "origin": "https://chat.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-stainless-os",
    }
    answer = await house.call("/v1/chat/completions", method="OPTIONS", headers=preflight)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    assert "x-stainless-os" in answer.headers["access-control-allow-headers"]
    other = await house.call("/healthz", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_without_origins_no_header_of_cors_is_sent(house: House) -> None:
    answer = await house.call("/healthz", headers={"origin": "https://chat.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def run_lifespan(app: Any) -> list[dict[str, Any]]:
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": "lifespan"}, receive, send)
    return sent


async def test_the_lifespan_makes_the_services_and_closes_them(house: House) -> None:
    await house.add_account()
    await house.call(body=ask())
    sent = await run_lifespan(house.app)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert house.poe.clients[0].is_closed


async def test_wrong_settings_fail_the_start_with_their_message() -> None:
    sent = await run_lifespan(create_app(lambda: Settings.from_env({"GATEWAY_STORE": "x"})))  # type: ignore[arg-type,return-value]
    assert sent[0]["type"] == "lifespan.startup.failed"
    assert "GATEWAY_STORE" in sent[0]["message"]


async def test_a_websocket_is_refused(house: House) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await house.app({"type": "websocket", "path": "/"}, None, send)  # type: ignore[arg-type]
    assert sent[0]["type"] == "websocket.close"


async def test_one_line_is_written_per_request(house: House) -> None:
    await house.add_account("poe-secret")
    await house.call(body=ask("my prompt", stream=True), headers={"x-request-id": "r1"})
    (line,) = house.lines("request.ended")
    assert (line["request_id"], line["route"], line["status"], line["key"]) == (
        "r1",
        "create_chat_completion",
        200,
        "tests",
    )
    assert (line["model"], line["attempts"], line["stream"], line["finish"]) == ("GPT-5", 1, True, "stop")
    assert line["chunks"] == 3
    assert 0 <= line["first_byte_ms"] <= line["duration_ms"]
    assert line["account"].startswith("acct_")
    assert (line["prompt_tokens"], line["completion_tokens"], line["estimated"]) == (6, 3, True)


async def test_the_line_of_a_failed_request_has_its_code(house: House) -> None:
    await house.call(body=ask(), key="wrong")
    (line,) = house.lines("request.ended")
    assert (line["status"], line["error"]) == (401, "invalid_api_key")
    assert "key" not in line


async def test_health_needs_no_key(house: House) -> None:
    assert (await house.call("/healthz", key=None)).json == {"status": "ok"}
    assert (await house.call("/", key=None)).status == 200


async def test_ready_means_that_an_account_could_be_leased(house: House) -> None:
    answer = await house.call("/readyz", key=None)
    assert_envelope(answer, 503, "not_ready")
    await house.add_account()
    house.services.readiness._until = 0
    assert (await house.call("/v1/readyz", key=None)).json == {"status": "ready"}


async def test_readiness_is_asked_for_once_in_a_while(house: House) -> None:
    await house.add_account()
    asked = []
    count = house.store.count_eligible

    async def note(*, at_most: int) -> int:
        asked.append(at_most)
        return await count(at_most=at_most)

    house.store.count_eligible = note  # type: ignore[method-assign]
    for _ in range(5):
        assert (await house.call("/readyz", key=None)).status == 200
    assert asked == [1]
    readiness = house.services.readiness
    assert await readiness.is_ready(time.monotonic() + 59)
    assert asked == [1]
    assert await readiness.is_ready(time.monotonic() + 61)
    assert asked == [1, 1]


async def test_models(house: House) -> None:
    listing = (await house.call("/v1/models")).json
    assert listing["object"] == "list"
    ids = [model["id"] for model in listing["data"]]
    assert ids == sorted(ids, key=str.lower)
    assert len({model_id.lower() for model_id in ids}) == len(ids)
    assert all({"id", "object", "created", "owned_by"} <= set(model) for model in listing["data"])
    one = await house.call("/models/grok-4")
    assert one.json["id"] == "Grok-4"
    alias = await house.call("/v1/models/gpt4_o")
    assert alias.json["id"] == "GPT-4o"
    assert_envelope(await house.call("/v1/models/no/such"), 404, "model_not_found")
    assert_envelope(await house.call("/v1/models", key=None), 401, "invalid_api_key")


async def test_the_list_of_models_is_sent_once_until_it_changes(house: House) -> None:
    first = await house.call("/v1/models")
    tag = first.headers["etag"]
    for asked in (tag, f'"other", W/{tag}', "*"):
        again = await house.call("/v1/models", headers={"if-none-match": asked})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    await house.store.put_config("models", {"updated_at": 1.0, "models": [{"id": "vendor/New Bot"}]})
    await house.services.catalogue.reload()
    changed = await house.call("/v1/models", headers={"if-none-match": tag})
    assert changed.status == 200
    assert changed.headers["etag"] != tag
    assert (await house.call("/v1/models/VENDOR/newbot")).json["id"] == "vendor/New Bot"


async def test_a_key_sees_only_its_models(house: House) -> None:
    await house.store.create_key(name="narrow", secret=API_KEY + "-narrow", models=["gpt-4o*"])
    key = API_KEY + "-narrow"
    ids = [model["id"] for model in (await house.call("/v1/models", key=key)).json["data"]]
    assert ids == ["GPT-4o", "GPT-4o-Mini"]
    assert (await house.call("/v1/models/Grok-4", key=key)).status == 404
