"""Each fault of a request or a handshake, as a plain client sees it."""

import asyncio
import time

import httpx
import pytest
import websockets

from local.poe_web import Scenario
from local.poe_web.request_faults import (
    BotDeleted,
    ChallengePage,
    DelayResponse,
    DropConnection,
    EmptyBody,
    GraphQLError,
    HangRequest,
    HttpError,
    LoginRedirect,
    MutationStatus,
    NoPoints,
    SignedOut,
    StaleFormKey,
    StaleHash,
    WrongJson,
)
from local.poe_web.stream_faults import Pace


async def settings_under(client, simulator, *faults):
    simulator.enqueue(Scenario(faults, operation="settingsPageQuery"))
    return await client.raw("SettingsPageQuery")


@pytest.mark.parametrize("status", [403, 418, 500, 502, 503])
async def test_a_bare_status(make_client, simulator, status):
    async with make_client() as client:
        answer = await settings_under(client, simulator, HttpError(status))
        assert (answer.status_code, answer.content) == (status, b"")
        assert (await client.raw("SettingsPageQuery")).status_code == 200
    assert simulator.requests[-2].status == status


async def test_429_with_retry_after(make_client, simulator):
    async with make_client() as client:
        answer = await settings_under(client, simulator, HttpError(429, retry_after=7))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


async def test_a_challenge_page(make_client, simulator):
    async with make_client() as client:
        answer = await settings_under(client, simulator, ChallengePage())
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "<title>Just a moment...</title>" in answer.text
    assert "Enable JavaScript and cookies to continue" in answer.text


async def test_a_redirect_to_the_login_page(make_client, simulator):
    async with make_client() as client:
        answer = await settings_under(client, simulator, LoginRedirect())
        assert (answer.status_code, answer.headers["location"]) == (302, "/login?redirect_url=%2F")
        login = await client.http.get(answer.headers["location"])
    assert login.status_code == 200
    assert login.headers["content-type"].startswith("text/html")


async def test_an_empty_body(make_client, simulator):
    async with make_client() as client:
        answer = await settings_under(client, simulator, EmptyBody())
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("body", ['{"unexpected":true}', "[]", '{"data":', "<html>"])
async def test_wrong_json(make_client, simulator, body):
    async with make_client() as client:
        answer = await settings_under(client, simulator, WrongJson(body))
    assert (answer.status_code, answer.text) == (200, body)


async def test_a_graphql_error(make_client, simulator):
    async with make_client() as client:
        answer = await settings_under(client, simulator, GraphQLError())
    assert answer.status_code == 200
    assert answer.json() == {
        "data": None,
        "errors": [{"message": "Server Error"}],
        "extensions": {"is_final": True},
    }


async def test_a_stale_hash(make_client, simulator):
    async with make_client() as client:
        answer = await settings_under(client, simulator, StaleHash())
    assert answer.json()["errors"] == [{"message": "PersistedQueryNotFound"}]


async def test_a_stale_form_key_is_refused_until_the_page_is_read_again(make_client, simulator):
    async with make_client() as client:
        old = client.account.form_key
        payload = client.payload("SettingsPageQuery", {})
        headers = {"Content-Type": "application/json", **client.headers(payload)}
        simulator.enqueue(Scenario(StaleFormKey(), operation="SettingsPageQuery"))
        for _ in range(2):
            answer = await client.http.post("/api/gql_POST", content=payload, headers=headers)
            assert answer.status_code == 400
            assert answer.json()["errors"] == [{"message": "Invalid form key"}]
        assert client.account.form_key != old
        assert (await client.raw("SettingsPageQuery")).status_code == 200


async def test_a_cookie_that_expires(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(SignedOut()))
        await client.raw("SettingsPageQuery")
        assert (await client.raw("SettingsPageQuery")).status_code == 401


STATUSES = [
    "reached_limit",
    "no_access",
    "too_many_tokens",
    "rate_limit_exceeded",
    "concurrent_messages",
    "unsupported_file_type",
    "file_too_large",
    "something_new",
]


@pytest.mark.parametrize("status", STATUSES)
async def test_a_mutation_status(make_client, simulator, status):
    async with make_client() as client:
        simulator.enqueue(Scenario(MutationStatus(status, "Because."), bot="Echo"))
        edge = await client.send("Echo", "hi")
        assert edge == {"status": status, "statusMessage": "Because."}
        assert client.account.messages == []
        assert (await client.send("Echo", "hi"))["status"] == "success"


async def test_a_mutation_status_of_another_mutation(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(
            Scenario(MutationStatus("file_too_large"), operation="Knowledge_CreateKnowledgeSourceMutation")
        )
        variables = {"sourceInput": {"text_input": {"title": "t", "content": "c"}}}
        data = await client.query("Knowledge_CreateKnowledgeSourceMutation", variables)
    assert data["knowledgeSourceCreate"]["status"] == "file_too_large"


async def test_points_that_are_gone_before_an_answer(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(NoPoints(), operation="SendMessageMutation"))
        edge = await client.ask("Echo", "hi")
    assert edge["status"] == "success"
    assert client.bot_messages()[-1]["state"] == "error_insufficient_fund"


async def test_a_deleted_bot_is_nowhere(make_client, simulator):
    async with make_client() as client:
        chat_id = (await client.ask("Echo", "hi"))["chat"]["chatId"]
        simulator.enqueue(Scenario(BotDeleted(), bot="Echo"))
        assert (await client.send("Echo", "hi", chat_id))["status"] == "no_access"
        landing = (await client.raw("HandleBotLandingPageQuery", {"botHandle": "echo"})).json()
        assert landing["data"] is None
        assert landing["errors"] == [{"message": "Bot not found"}]
        listed = await client.query("AvailableBotsSelectorModalPaginationQuery", {})
    nodes = [edge["node"] for edge in listed["viewer"]["availableBotsConnection"]["edges"]]
    assert [node["deletionState"] for node in nodes if node["handle"] == "Echo"] == ["deleted"]


async def test_a_dropped_connection(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(DropConnection(), operation="SendMessageMutation"))
        with pytest.raises(httpx.TransportError):
            await client.send("Echo", "hi")
        assert client.account.messages == []
    assert simulator.requests[-1].status is None
    assert simulator.requests[-1].ended


@pytest.mark.parametrize("fault", [DropConnection(applied=True), HttpError(502, applied=True)])
async def test_an_answer_that_is_lost_although_the_work_was_done(make_client, simulator, fault):
    async with make_client() as client:
        simulator.enqueue(Scenario(fault, operation="SendMessageMutation"))
        try:
            assert (await client.raw("SendMessageMutation", client.send_variables("Echo", "hi"))).status_code == 502
        except httpx.TransportError:
            assert isinstance(fault, DropConnection)
        await client.until(client.is_over)
    assert [m.text for m in client.account.messages] == ["hi", "You said: hi"]


async def test_a_request_that_is_never_answered(make_client, simulator):
    async with make_client() as client:
        with pytest.raises(httpx.ReadTimeout):
            simulator.enqueue(Scenario(HangRequest(), operation="SettingsPageQuery"))
            payload = client.payload("SettingsPageQuery", {})
            await client.http.post("/api/gql_POST", content=payload, headers=client.headers(payload), timeout=0.1)
        assert (await client.raw("SettingsPageQuery")).status_code == 200


async def test_a_late_answer(make_client, simulator):
    async with make_client() as client:
        begin = time.monotonic()
        answer = await settings_under(client, simulator, DelayResponse(0.15))
        assert time.monotonic() - begin >= 0.15
    assert answer.json()["data"]


async def test_a_late_answer_with_a_fault_of_its_stream(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario((DelayResponse(0.05), Pace(0, characters=1))))
        await client.ask("Echo", "hi")
    assert client.bot_messages()[0]["text"] == "Y"


@pytest.mark.parametrize("operation", ["/", "/api/settings"])
async def test_pages_can_fail_too(make_client, simulator, operation):
    async with make_client(connected=False) as client:
        simulator.enqueue(Scenario(ChallengePage(), operation=operation))
        assert (await client.http.get(operation)).status_code == 403
        assert (await client.http.get(operation)).status_code == 200


@pytest.mark.parametrize("fault", [HttpError(503), ChallengePage()])
async def test_a_handshake_can_be_refused(make_client, simulator, fault):
    async with make_client(connected=False) as client:
        await client.fetch_settings()
        simulator.enqueue(Scenario(fault, operation="/up"))
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await client.open_socket()
        assert refusal.value.response.status_code == fault.status
        await client.open_socket()
    assert [r.status for r in simulator.requests if r.path.startswith("/up/")] == [fault.status, 101]


async def test_a_handshake_can_be_dropped_hang_or_be_late(make_client, simulator):
    async with make_client(connected=False) as client:
        await client.fetch_settings()
        for fault in (DropConnection(), HangRequest(), DelayResponse(0.1)):
            simulator.enqueue(Scenario(fault, operation="/up"))
        with pytest.raises((EOFError, ConnectionError, websockets.InvalidHandshake)):
            await client.open_socket()
        with pytest.raises(TimeoutError):
            await websockets.connect(client.socket_url(), open_timeout=0.1)
        begin = time.monotonic()
        await client.open_socket()
    assert time.monotonic() - begin >= 0.1


async def test_latency_is_added_to_responses_and_handshakes(make_client, simulator):
    simulator.settings.latency_seconds = 0.05
    async with make_client() as client:
        begin = time.monotonic()
        await client.query("SettingsPageQuery")
        assert time.monotonic() - begin >= 0.05
    assert all(record.ended - record.time >= 0.05 for record in simulator.requests)


async def test_overlapped_requests_are_one_round_trip(make_client, simulator):
    async with make_client(connected=False) as client:
        await client.http.get("/api/settings")
        simulator.settings.latency_seconds = 0.05
        begin = time.monotonic()
        await asyncio.gather(*(client.http.get("/api/settings") for _ in range(4)))
        assert simulator.round_trips(begin) == 1
        await client.http.get("/api/settings")
        assert simulator.round_trips(begin) == 2


async def test_a_mutation_status_passes_over_queries_about_the_same_bot(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(MutationStatus("reached_limit"), bot="Echo"))
        assert (await client.query("HandleBotLandingPageQuery", {"botHandle": "Echo"}))["bot"]
        assert (await client.send("Echo", "hi"))["status"] == "reached_limit"
