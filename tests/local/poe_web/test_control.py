"""The simulator's own addresses."""

import time

import httpx
import pytest


@pytest.fixture
async def control(simulator):
    async with httpx.AsyncClient(base_url=simulator.base_url) as http:
        yield http


async def test_an_account_is_put_in_and_changed(control, simulator):
    created = await control.post("/_sim/accounts", json={"p_b": "cookie-9", "points": 7, "subscribed": False})
    assert created.status_code == 201
    assert simulator.account("cookie-9").points == 7
    await control.post("/_sim/accounts", json={"p_b": "cookie-9", "points": 8})
    assert (simulator.account("cookie-9").points, simulator.account("cookie-9").subscribed) == (8, False)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"p_b":7}', b'{"p_b":"x","points":"7"}', b'{"p_b":"x","y":1}'])
async def test_a_wrong_account_is_refused_with_the_reason(control, body):
    answer = await control.post("/_sim/accounts", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_the_state_and_the_logs_show_what_happened(control, make_client):
    async with make_client() as client:
        begin = time.monotonic()
        await client.ask("Echo", "hi")
    state = (await control.get("/_sim/state")).json()
    assert state["accounts"][0]["chats"][0]["bot"] == "Echo"
    assert {bot["handle"] for bot in state["bots"]} >= {"Echo", "GPT-4o"}
    requests = (await control.get("/_sim/requests", params={"since": begin})).json()
    assert [r["query_name"] for r in requests] == ["SendMessageMutation"]
    sent = (await control.get("/_sim/sent", params={"since": begin})).json()
    assert [r["text_length"] for r in sent if r["name"] == "messageAdded"] == [2, 4, 10, 12, 12]
    trips = (await control.get("/_sim/round_trips", params={"since": begin, "until": time.monotonic()})).json()
    assert trips == {"round_trips": 1}
    assert (await control.get("/_sim/requests", params={"since": "nonsense"})).status_code == 200


async def test_a_scenario_is_queued_by_json(control, make_client):
    async with make_client() as client:
        body = {"faults": [{"type": "mutation_status", "status": "reached_limit"}], "bot": "Echo"}
        assert (await control.post("/_sim/scenarios", json=body)).status_code == 201
        assert (await control.get("/_sim/state")).json()["scenarios"][0]["bot"] == "Echo"
        assert (await client.send("Echo", "hi"))["status"] == "reached_limit"
    refused = await control.post("/_sim/scenarios", json={"faults": ["nonsense"]})
    assert refused.status_code == 400
    assert "no such fault" in refused.json()["error"]


async def test_settings_are_changed_at_run_time(control, simulator):
    answer = await control.post("/_sim/settings", json={"latency_seconds": 0.01, "pace_seconds": 1})
    assert answer.json()["latency_seconds"] == 0.01
    assert (simulator.settings.latency_seconds, simulator.settings.pace_seconds) == (0.01, 1)
    assert (await control.post("/_sim/settings", json={"base_host": 7})).status_code == 400


async def test_reset_forgets_logs_and_scenarios_and_if_asked_accounts(control, simulator, make_client):
    async with make_client() as client:
        await control.post("/_sim/scenarios", json={"faults": ["hang_stream"]})
        await client.send("Echo", "hi")
        await client.until(client.bot_messages)
        await control.post("/_sim/reset")
        assert simulator.requests == []
        assert simulator.accounts == [client.account]
        await control.post("/_sim/reset", json={"accounts": True})
        assert simulator.accounts == []
        await client.until(lambda: client.frames[-1] is None)
        assert client.account.running == 0


async def test_the_faults_are_described(control):
    faults = (await control.get("/_sim/faults")).json()
    assert faults["cut_socket"]["fields"] == {"at": 3, "how": "abrupt", "refuse": 0}
    assert all(fault["about"].endswith((".", ":")) for fault in faults.values())


async def test_there_is_a_page_and_its_requests_are_not_logged(control, simulator):
    page = await control.get("/_sim/")
    assert page.headers["content-type"].startswith("text/html")
    assert "Poe web simulator" in page.text
    assert simulator.requests == []


@pytest.mark.parametrize("how", ["abrupt", "close"])
async def test_sockets_are_cut_on_request(control, make_client, how):
    async with make_client() as client:
        answer = await control.post("/_sim/disconnect", json={"p_b": "cookie-1", "how": how})
        assert answer.json() == {"disconnected": 1}
        await client.until(lambda: client.frames)
        assert (client.frames[-1] is None) == (how == "close")
    assert (await control.post("/_sim/disconnect", json={"p_b": "nobody"})).status_code == 400
    assert (await control.post("/_sim/disconnect", json={"p_b": "cookie-1", "how": "x"})).status_code == 400


async def test_a_file_that_does_not_exist(control):
    assert (await control.get("/_sim/files/7/x.png")).status_code == 404
