"""The blocking class: a thin front whose loop, thread and sockets end with it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.poe_web import PoeWebSimulator, Scenario, SimulatedAccount
from local.poe_web.stream_faults import CutSocket
from reverse import ErrorCode, PoeApi, PoeConfig, PoeError


def _threads() -> int:
    return sum(thread.name == "poe-api" for thread in threading.enumerate())


def test_everything_goes_over_one_thread_that_ends_with_the_client(
    tokens: dict[str, str], config: PoeConfig, simulator: PoeWebSimulator
) -> None:
    with PoeApi(tokens, config=config) as api:
        assert any(request.path.startswith("/up/") for request in simulator.requests)
        assert "".join(chunk["response"] for chunk in api.send_message("Echo", "hi")) == "You said: hi"
        assert api.get_settings()["messagePointInfo"]["totalPointBalance"] == 2999
        assert _threads() == 1
    assert _threads() == 0
    api.close()
    with pytest.raises(RuntimeError, match="closed"):
        api.get_settings()


def test_a_client_that_is_dropped_is_closed(tokens: dict[str, str], config: PoeConfig) -> None:
    api = PoeApi(tokens, config=config)
    assert _threads() == 1
    del api
    gc.collect()
    assert _threads() == 0


def test_wrong_credentials_are_noticed_at_once_and_leave_nothing_behind(config: PoeConfig) -> None:
    """The original reports them as a rate limit."""
    with pytest.raises(PoeError) as raised:
        PoeApi({"p-b": "nobody's"}, config=config)
    assert raised.value.code is ErrorCode.NOT_AUTHENTICATED
    assert _threads() == 0


def test_leaving_a_stream_stops_the_answer(
    api: PoeApi, simulator: PoeWebSimulator, account: SimulatedAccount, until_idle: Callable[[], None]
) -> None:
    simulator.settings.pace_seconds = 0.01
    chunks = api.send_message("Story", "count 5000")
    next(chunks)
    chunks.close()
    until_idle()
    assert account.messages[-1].state == "cancelled"


def test_closing_the_client_ends_a_stream_in_another_thread(
    tokens: dict[str, str], config: PoeConfig, simulator: PoeWebSimulator
) -> None:
    simulator.settings.pace_seconds = 0.01
    api = PoeApi(tokens, config=config)
    started = threading.Event()

    def read() -> str:
        try:
            for _ in api.send_message("Story", "count 5000"):
                started.set()
        except RuntimeError as error:
            return str(error)
        return "it ended"

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        assert started.wait(5)
        api.close()
        assert "closed" in reading.result(5)


def test_threads_share_one_client_without_crosstalk(api: PoeApi) -> None:
    def ask(number: int) -> str:
        return [chunk["text"] for chunk in api.send_message("Echo", f"number {number}")][-1]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(16))) == [f"You said: number {number}" for number in range(16)]


def test_a_cut_connection_costs_no_text(api: PoeApi, simulator: PoeWebSimulator) -> None:
    """The original hangs after any reconnect in mid-stream."""
    simulator.enqueue(Scenario(CutSocket(10)))
    chunks = list(api.send_message("Story", "count 30"))
    assert "".join(chunk["response"] for chunk in chunks) == " ".join(f"w{n:04d}" for n in range(1, 31))


def test_the_plumbing_can_be_used(api: PoeApi, account: SimulatedAccount, config: PoeConfig) -> None:
    assert api.load_bundle() == account.form_key
    assert set(api.get_channel_settings()) == {"minSeq", "channel", "channelHash", "boxName", "baseHost"}
    api.subscribe()
    api.disconnect_ws()
    api.connect_ws()
    api.refresh_ws()
    assert list(api.send_message("Echo", "hi"))[-1]["text"] == "You said: hi"
    data = api.send_request(query_name="HandleProfilePageQuery", variables={"handle": "nobody"})
    assert set(data) == {"data"}
    with pytest.raises(ValueError, match="gql_POST"):
        api.send_request("receive_POST")


def test_one_proxy_and_a_user_agent_are_honoured(
    tokens: dict[str, str], config: PoeConfig, simulator: PoeWebSimulator
) -> None:
    """The original takes a proxy and connects past it."""
    with pytest.raises(PoeError) as raised:
        PoeApi(tokens, proxy=[{"http": "http://127.0.0.1:1", "https": "http://127.0.0.1:1"}], config=config)
    assert raised.value.code is ErrorCode.CONNECTION_FAILED
    with PoeApi(tokens, headers={"user-agent": "my-program/1"}, config=config) as api:
        assert api.get_available_categories()
    assert simulator.requests[-1].user_agent == "my-program/1"
