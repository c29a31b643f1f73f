"""The channel: freezes, age, reconnecting, cancellation, closing."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from local.poe_web import Scenario
from local.poe_web.channel import REFETCH_EVENT
from local.poe_web.channel import Channel as SimulatedChannel
from local.poe_web.request_faults import ChallengePage, DelayResponse, HttpError, LoginRedirect
from local.poe_web.stream_faults import CutSocket, HangStream
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.web._channel import reconnect_delay
from reverse.web._mailbox import Signal
from reverse.web._mailboxes import _MAX_EARLY_CHATS
from reverse.web._protocol import Frame, MessageUpdate

pytestmark = pytest.mark.virtual_time


class Relay:
    """A TCP relay that can go silent without closing anything, as a connection does that died during a freeze."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.is_silent = False
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def to(self, port: int) -> AsyncIterator[Relay]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            # Only connections that exist when the relay falls silent are dead; new ones work.
            number = self.connections
            out_reader, out_writer = await asyncio.open_connection("127.0.0.1", port)
            self._writers |= {writer, out_writer}
            await asyncio.gather(self._pump(reader, out_writer, number), self._pump(out_reader, writer, number))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
            for writer in self._writers:
                with suppress(OSError):
                    await writer.wait_closed()

    def silence(self) -> None:
        self.is_silent = True
        self._dead_up_to = self.connections

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.is_silent and number <= self._dead_up_to:
                    continue
                writer.write(data)
            writer.close()


@pytest.fixture
async def relay(simulator) -> AsyncIterator[Relay]:
    async with Relay().to(urlsplit(simulator.base_url).port) as relay:
        yield relay


def count(simulator, name: str) -> int:
    return sum(name in (record.query_name, record.path) for record in simulator.requests)


def sockets(simulator) -> int:
    return sum(record.status == 101 for record in simulator.requests)


async def test_a_new_chat_whose_early_events_found_no_room_is_looked_up(connect):
    """Other chats of the account may be many; what was dropped of ours must not be taken for nothing."""
    async with connect() as client:
        channel = client._channel
        mailbox = channel.mailboxes.listen(None)
        others = [MessageUpdate(chat, 1, "bot", "x", "incomplete") for chat in range(_MAX_EARLY_CHATS)]
        channel._deliver(Frame(tuple(others)))
        channel._deliver(Frame((MessageUpdate(9000, 1, "bot", "ours", "complete"),)))
        channel.mailboxes.bind(mailbox, 9000)
        assert await mailbox.get(1) is Signal.RESYNC


async def test_a_defect_ends_the_wait_and_shows_nothing_of_its_text(connect, monkeypatch, caplog):
    """Nobody awaits the channel's task: asyncio would write the whole traceback when the task is forgotten."""

    async def fail() -> None:
        raise KeyError("private")

    caplog.set_level(logging.DEBUG)
    async with connect() as client:
        monkeypatch.setattr(client._channel, "_serve", fail)
        for _ in range(2):
            with pytest.raises(PoeError) as caught:
                await asyncio.wait_for(client._channel.ensure(), 30)
            assert caught.value.code is ErrorCode.PROTOCOL and "KeyError" in str(caught.value)
            gc.collect()
    shown = caplog.text + "".join(traceback.format_exception(caught.value))
    assert "channel.failed" in shown and "private" not in shown


class Clock:
    """A wall clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("passed", [60, -60], ids=["silent for long", "clock set back"])
async def test_a_socket_that_died_in_a_freeze_is_noticed_and_replaced(connect, ask, simulator, relay, passed):
    clock = Clock()
    async with connect(
        wall_clock=clock, channel_url=f"ws://127.0.0.1:{relay.port}", channel_ping_timeout_seconds=0.1
    ) as client:
        await ask(client, "before")
        relay.silence()
        clock.now += passed
        assert (await asyncio.wait_for(ask(client, "after"), 30)).text == "You said: after"
    assert sockets(simulator) == 2


async def test_a_socket_that_survived_a_freeze_is_pinged_and_kept(connect, ask, simulator, relay):
    clock = Clock()
    async with connect(wall_clock=clock, channel_url=f"ws://127.0.0.1:{relay.port}") as client:
        await ask(client, "before")
        clock.now += 60
        assert (await ask(client, "after")).text == "You said: after"
    assert sockets(simulator) == 1


async def test_what_came_during_a_freeze_does_not_prove_a_socket_alive(connect, ask, simulator, account, relay):
    clock = Clock()
    async with connect(
        wall_clock=clock, channel_url=f"ws://127.0.0.1:{relay.port}", channel_ping_timeout_seconds=0.1
    ) as client:
        await ask(client, "before")
        seen = client.session_data()
        clock.now += 60
        account.channel.publish([REFETCH_EVENT.replace("refetchChannel", "unknown")])
        while client.session_data() == seen:  # noqa: ASYNC110 (what is awaited has no event)
            await asyncio.sleep(0.001)
        relay.silence()
        assert (await asyncio.wait_for(ask(client, "after"), 30)).text == "You said: after"
    assert sockets(simulator) == 2


@pytest.mark.parametrize("passed", [60, -60], ids=["idle for long", "clock set back"])
async def test_an_http_connection_is_not_reused_after_a_freeze(connect, ask, simulator, relay, passed):
    """What is written to a dead connection can't be sent again, because nobody knows whether it arrived."""
    clock = Clock()
    async with connect(
        wall_clock=clock, web_base_url=f"http://127.0.0.1:{relay.port}", request_timeout_seconds=1.0
    ) as client:
        await ask(client, "before")
        relay.silence()
        clock.now += passed
        assert (await asyncio.wait_for(ask(client, "after"), 30)).text == "You said: after"
    assert count(simulator, "sendMessageMutation") == 2


async def test_an_old_idle_channel_is_reopened_with_new_settings(connect, ask, simulator):
    clock = Clock()
    async with connect(wall_clock=clock) as client:
        await ask(client, "before")
        clock.now += 1300
        assert (await ask(client, "after")).text == "You said: after"
    assert (sockets(simulator), count(simulator, "/api/settings")) == (2, 2)


async def test_an_old_channel_is_reopened_even_if_it_was_heard_of_just_now(connect, ask, simulator):
    clock = Clock()
    async with connect(wall_clock=clock, channel_max_age_seconds=25) as client:
        for _ in range(4):
            await ask(client, "hello")
            clock.now += 10
    assert sockets(simulator) == 2


async def test_old_session_data_is_not_believed(connect, ask, simulator):
    clock = Clock()
    async with connect(wall_clock=clock) as client:
        await ask(client, "before")
        data = client.session_data()
    clock.now += 1300
    async with connect(wall_clock=clock, session_data=data) as client:
        await ask(client, "after")
    assert count(simulator, "/api/settings") == 2


async def test_session_data_of_a_channel_that_is_gone_costs_a_retry_only(connect, ask, simulator, account):
    async with connect() as client:
        await ask(client, "before")
        data = client.session_data()
    account.channel.rename()
    async with connect(session_data=data) as client:
        assert (await ask(client, "after")).text == "You said: after"
    assert count(simulator, "sendMessageMutation") == 2


async def test_a_channel_closed_between_messages_is_reopened(connect, ask, account, simulator):
    async with connect() as client:
        await ask(client, "before")
        account.channel.cut("close")
        await asyncio.sleep(0.05)
        assert (await ask(client, "after")).text == "You said: after"
    assert sockets(simulator) == 2


async def test_who_awaits_an_answer_learns_at_once_that_the_connection_was_another(connect, account, simulator):
    """Otherwise what was pushed in between would only be missed after the longest silence that is allowed."""
    async with connect() as client:
        channel = client._channel
        await channel.ensure()
        mailbox = channel.mailboxes.listen(1000)
        account.channel.cut("abrupt")
        assert await mailbox.get(5) is Signal.RESYNC
    assert sockets(simulator) == 2


async def test_nothing_reconnects_while_nobody_waits(connect, ask, account, simulator):
    async with connect() as client:
        await ask(client, "before")
        requests = len(simulator.requests)
        account.channel.cut("abrupt")
        await asyncio.sleep(0.1)
        assert len(simulator.requests) == requests


async def test_min_seq_advances_and_is_kept_in_the_session(connect, ask, account):
    async with connect() as client:
        await ask(client, "hello")
        first = int(client.session_data()["channel"]["minSeq"])
        await ask(client, "hello")
        assert int(client.session_data()["channel"]["minSeq"]) > first
        assert first > 4_800_000_000


async def test_a_refused_handshake_is_tried_again_with_new_settings(connect, ask, simulator):
    simulator.enqueue(Scenario(HttpError(503), operation="/up"))
    async with connect() as client:
        assert (await ask(client, "hello")).text == "You said: hello"
    assert count(simulator, "/api/settings") == 2


@pytest.mark.parametrize(
    ("fault", "operation", "code"),
    [
        (ChallengePage(), "/api/settings", ErrorCode.CHALLENGE),
        (LoginRedirect(), "/api/settings", ErrorCode.NOT_AUTHENTICATED),
        (HttpError(403, body="no"), "/api/settings", ErrorCode.BLOCKED),
        (HttpError(429, retry_after=7), "SubscriptionsMutation", ErrorCode.RATE_LIMITED),
        (HttpError(500), "/api/settings", ErrorCode.UPSTREAM_FAILED),
        (HttpError(403), "/up", ErrorCode.CONNECTION_FAILED),
    ],
)
async def test_the_true_cause_is_reported(connect, ask, simulator, fault, operation, code):
    """The published client calls every one of these a rate limit."""
    simulator.enqueue(Scenario(fault, operation=operation, times=9))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "hello")
    assert caught.value.code is code
    assert count(simulator, "sendMessageMutation") == 0


async def test_settings_come_from_the_page_where_their_own_address_is_gone(connect, ask, simulator):
    simulator.enqueue(Scenario(HttpError(404), operation="/api/settings", times=9))
    async with connect() as client:
        assert (await ask(client, "hello")).text == "You said: hello"
    assert count(simulator, "/") == 1


async def test_a_failed_channel_is_tried_again_by_the_next_message(connect, ask, simulator):
    simulator.enqueue(Scenario(ChallengePage(), operation="/api/settings"))
    async with connect() as client:
        with pytest.raises(PoeError):
            await ask(client, "hello")
        assert (await ask(client, "hello")).text == "You said: hello"


async def test_concurrent_first_messages_share_one_connection(connect, ask, simulator):
    simulator.settings.latency_seconds = 0.02
    async with connect() as client:
        await asyncio.gather(*(ask(client, str(n)) for n in range(5)))
    assert (sockets(simulator), count(simulator, "/api/settings"), count(simulator, "subscriptionsMutation")) == (
        1,
        1,
        1,
    )


async def test_a_caller_that_gives_up_does_not_disturb_the_others(connect, ask, simulator):
    simulator.settings.latency_seconds = 0.05
    async with connect() as client:
        impatient = asyncio.create_task(ask(client, "impatient"))
        patient = asyncio.create_task(ask(client, "patient"))
        await asyncio.sleep(0.02)
        impatient.cancel()
        assert (await patient).text == "You said: patient"
        with pytest.raises(asyncio.CancelledError):
            await impatient


async def test_closing_while_connecting_ends_the_wait(connect, ask, simulator):
    simulator.enqueue(Scenario(DelayResponse(300), operation="/api/settings"))
    client = connect(request_timeout_seconds=300)
    waiting = asyncio.create_task(ask(client, "hello"))
    while not simulator.requests:  # noqa: ASYNC110 - only a journal
        await asyncio.sleep(0.005)
    await asyncio.wait_for(client.aclose(), 30)
    with pytest.raises(PoeError) as caught:
        await asyncio.wait_for(waiting, 30)
    assert caught.value.code is ErrorCode.CONNECTION_FAILED
    with pytest.raises(RuntimeError):
        await ask(client, "again")


async def test_a_channel_that_keeps_sending_us_away_is_given_up(connect, chat_request, simulator, account, monkeypatch):
    """Every connection is told to refetch at once: that must not become an endless loop."""
    simulator.enqueue(Scenario(HangStream(at=1)))
    attach = SimulatedChannel.attach

    def attach_and_send_away(self, min_seq):
        socket = attach(self, min_seq)
        socket.push(json.dumps({"messages": [REFETCH_EVENT]}))
        return socket

    async with connect() as client:
        events = client.stream(chat_request("hello"))
        await anext(events)
        monkeypatch.setattr(SimulatedChannel, "attach", attach_and_send_away)
        account.channel.cut("abrupt")
        with pytest.raises(PoeError) as caught:
            async with asyncio.timeout(15):
                _ = [event async for event in events]
    assert caught.value.code is ErrorCode.CONNECTION_FAILED
    assert sockets(simulator) <= 8


async def test_no_secret_reaches_a_log_record(connect, ask, simulator, account, caplog):
    caplog.set_level(logging.DEBUG)
    simulator.enqueue(Scenario(CutSocket(at=2)))
    async with connect() as client:
        await ask(client, "a very private question")
        hash_ = client.session_data()["channel"]["channelHash"]
    text = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("reverse", "websockets"))
    )
    for secret in (account.p_b, account.form_key, hash_, "private question"):
        assert secret not in text


class TestReconnectPolicy:
    """One pure function decides whether and when to try again."""

    def test_the_first_repetition_is_immediate_and_the_delays_grow_to_a_bound(self):
        delays = [reconnect_delay(None, n, in_answer=True, jitter=1.0) for n in range(7)]
        assert delays == [0.0, 0.0, 0.25, 0.5, 1.0, 2.0, None]

    def test_jitter_at_most_halves(self):
        rng = random.Random(1)
        for _ in range(100):
            assert 0.5 <= reconnect_delay(None, 4, in_answer=True, jitter=rng.random()) <= 1.0

    def test_before_sending_one_repetition_is_enough(self):
        error = poe_error(ErrorCode.CONNECTION_FAILED)
        assert reconnect_delay(error, 1, in_answer=False, jitter=0) == 0.0
        assert reconnect_delay(error, 2, in_answer=False, jitter=0) is None

    @pytest.mark.parametrize("code", [ErrorCode.NOT_AUTHENTICATED, ErrorCode.CHALLENGE, ErrorCode.BLOCKED])
    def test_what_repeating_cannot_cure_is_not_repeated(self, code):
        assert reconnect_delay(poe_error(code), 1, in_answer=True, jitter=0) is None
