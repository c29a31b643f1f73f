"""The web client's main path, against the simulator on real sockets."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from local.poe_web import PoeWebSimulator, Scenario
from local.poe_web.request_faults import (
    DropConnection,
    GraphQLError,
    HangRequest,
    HttpError,
    MutationStatus,
    SignedOut,
    StaleFormKey,
    StaleHash,
    WrongJson,
)
from local.poe_web.stream_faults import EarlyEvents, HangStream, MessageState, Pace, PointsRunOut
from reverse.chat import ChatRequest, Message
from reverse.credentials import WebCredentials
from reverse.errors import Delivery, ErrorCode, PoeError, Scope
from reverse.events import FinishReason, SuggestedReply, TextDelta
from tests.virtual_time import now

SEND = "SendMessageMutation"
STOP = "cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation"


def names(simulator):
    """What was asked of the simulator: the operation, else the path's first part."""
    return [record.query_name or record.path for record in simulator.requests]


async def test_streams_an_answer_in_a_new_chat(connect, ask):
    async with connect() as client:
        answer = await ask(client, "one two three")
    assert answer.text == "You said: one two three"
    assert answer.reason is FinishReason.STOP
    assert answer.points == 1
    assert sum(isinstance(event, TextDelta) for event in answer.events) == 5


async def test_continues_an_existing_chat(connect, ask, account):
    async with connect() as client:
        chat = (await ask(client, "first")).chat
        answer = await ask(client, "second", chat=chat)
    assert answer.text == "You said: second"
    assert answer.chat == chat
    assert [message.author for message in account.chats[chat.chat_id].messages] == ["human", "Echo"] * 2


async def test_continues_a_chat_with_another_client(connect, ask):
    async with connect() as client:
        chat = (await ask(client, "first")).chat
        data = client.session_data()
    async with connect(session_data=data) as client:
        assert (await ask(client, "second", chat=chat)).text == "You said: second"


async def test_replaced_text_is_reported_as_replacement(connect, ask):
    async with connect() as client:
        answer = await ask(client, "why", bot="Thinker")
    assert answer.text == "Answer: why"


async def test_events_before_the_http_response_are_kept(connect, ask, simulator):
    simulator.enqueue(Scenario(EarlyEvents(), times=2))
    async with connect() as client:
        first = await ask(client, "early bird")
        assert first.text == "You said: early bird"
        assert (await ask(client, "again", chat=first.chat)).text == "You said: again"


async def test_reads_points_without_a_channel(connect, simulator, account):
    account.points, account.addon_points = 2900, 80
    async with connect() as client:
        reading = await client.points()
    assert (reading.balance, reading.subscribed, reading.allotment) == (2980, True, 3000)
    assert reading.next_grant_at is not None and abs(reading.next_grant_at - time.time()) < 40 * 86400
    assert names(simulator) == ["settingsPageQuery"]


async def test_derives_the_form_key_from_the_page(connect, ask, account):
    async with connect(credentials=WebCredentials(account.p_b)) as client:
        assert (await ask(client, "hello")).text == "You said: hello"
        assert client.session_data()["form_key"] == account.form_key


async def test_a_stale_form_key_is_renewed_and_the_message_left_to_the_caller(connect, ask, simulator, account):
    simulator.enqueue(Scenario(StaleFormKey(), operation=SEND))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "hello")
        assert (caught.value.code, caught.value.delivery) == (ErrorCode.STALE_FORM_KEY, Delivery.REFUSED)
        answer = await ask(client, "hello")
    assert answer.text == "You said: hello"
    assert [message.text for message in account.chats[answer.chat.chat_id].messages if message.author == "human"] == [
        "hello"
    ]
    assert names(simulator).count("sendMessageMutation") == 2
    assert names(simulator).count("/") == 1


async def test_a_renewed_form_key_that_is_rejected_too_is_told_by_its_status(connect, ask, simulator):
    simulator.enqueue(Scenario(HttpError(403, body="{}", content_type="application/json"), operation=SEND, times=9))
    async with connect() as client:
        codes = []
        for _ in range(2):
            with pytest.raises(PoeError) as caught:
                await ask(client, "hello")
            codes.append(caught.value.code)
            assert caught.value.delivery is Delivery.REFUSED
    assert codes == [ErrorCode.STALE_FORM_KEY, ErrorCode.BLOCKED]
    assert names(simulator).count("sendMessageMutation") == 2


@pytest.mark.virtual_time
@pytest.mark.parametrize("fault", [DropConnection(applied=True), HangRequest(applied=True)], ids=["cut", "hang"])
async def test_a_message_that_may_have_arrived_is_not_sent_again(connect, ask, simulator, fault):
    simulator.enqueue(Scenario(fault, operation=SEND, times=9))
    async with connect(request_timeout_seconds=0.3) as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "hello")
    assert caught.value.code in (ErrorCode.CONNECTION_FAILED, ErrorCode.TIMEOUT)
    assert names(simulator).count("sendMessageMutation") == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("reached_limit", ErrorCode.BOT_LIMIT_REACHED),
        ("too_many_tokens", ErrorCode.MESSAGE_TOO_LONG),
        ("no_access", ErrorCode.BOT_ACCESS_DENIED),
        ("rate_limit_exceeded", ErrorCode.RATE_LIMITED),
        ("concurrent_messages", ErrorCode.RATE_LIMITED),
        ("unsupported_file_type", ErrorCode.UNSUPPORTED_FILE),
        ("file_too_large", ErrorCode.FILE_TOO_LARGE),
        ("something_new", ErrorCode.BOT_FAILED),
    ],
)
async def test_a_status_of_the_mutation_is_a_typed_error(connect, ask, simulator, status, code):
    simulator.enqueue(Scenario(MutationStatus(status, "words of Poe"), operation=SEND))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "hello")
    assert caught.value.code is code
    assert "words of Poe" not in str(caught.value)
    assert names(simulator).count("sendMessageMutation") == 1


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("error_user_message_too_long", ErrorCode.MESSAGE_TOO_LONG),
        ("error_insufficient_fund", ErrorCode.INSUFFICIENT_POINTS),
        ("error_rate_limit_exceeded", ErrorCode.RATE_LIMITED),
        ("error_bot_deleted", ErrorCode.BOT_NOT_FOUND),
        ("error_something_new", ErrorCode.BOT_FAILED),
    ],
)
@pytest.mark.virtual_time
@pytest.mark.parametrize("at", [0, 2])
async def test_an_error_state_is_a_typed_error_at_once(connect, ask, simulator, state, code, at):
    simulator.enqueue(Scenario(MessageState(state, at=at)))
    async with connect() as client:
        started = now()
        with pytest.raises(PoeError) as caught:
            await ask(client, "one two three")
    assert caught.value.code is code
    assert now() - started < 0.5
    assert STOP not in names(simulator)


async def test_points_that_run_out_in_mid_answer_blame_the_account(connect, ask, simulator):
    simulator.enqueue(Scenario(PointsRunOut(at=2)))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "one two three")
    assert (caught.value.code, caught.value.scope) == (ErrorCode.INSUFFICIENT_POINTS, Scope.ACCOUNT)


async def test_a_consumer_that_leaves_stops_the_answer_with_one_call(connect, chat_request, simulator, account):
    simulator.enqueue(Scenario(HangStream(at=2)))
    async with connect() as client:
        async with aclosing(client.stream(chat_request("one two three"))) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        assert names(simulator).count(STOP) == 1
        (chat,) = account.chats.values()
        assert account.running == 0 or chat.messages[-1].state == "cancelled"


async def test_cancelling_the_task_stops_the_answer_and_is_not_swallowed(connect, chat_request, simulator):
    simulator.enqueue(Scenario(HangStream(at=2)))
    seen = asyncio.Event()

    async def consume():
        async with aclosing(client.stream(chat_request("one two three"))) as events:
            async for _ in events:
                seen.set()

    async with connect() as client:
        task = asyncio.create_task(consume())
        await asyncio.wait_for(seen.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert names(simulator).count(STOP) == 1


async def test_cancelling_while_the_message_is_on_its_way_stops_the_answer_too(connect, chat_request, simulator, ask):
    async with connect() as client:
        await ask(client, "warm")
        simulator.settings.latency_seconds = 0.2
        simulator.enqueue(Scenario(HangStream(at=1), operation=SEND))
        task = asyncio.create_task(anext(client.stream(chat_request("one two three"))))
        while names(simulator).count("sendMessageMutation") < 2:  # noqa: ASYNC110 - the simulator tells by its journal
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert names(simulator).count(STOP) == 1


@pytest.mark.virtual_time
async def test_the_stop_call_is_bounded(connect, chat_request, simulator):
    simulator.enqueue(Scenario(HangStream(at=2)), Scenario(HangRequest(), operation=STOP))
    async with connect(stop_timeout_seconds=0.2) as client:
        events = client.stream(chat_request("one two three"))
        await anext(events)
        started = now()
        await events.aclose()
        assert now() - started < 0.5


@pytest.mark.virtual_time
async def test_silence_ends_in_a_timeout_after_one_lookup(connect, ask, simulator):
    simulator.enqueue(Scenario(HangStream(at=2)))
    async with connect(idle_timeout_seconds=0.2) as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "one two three")
    assert caught.value.code is ErrorCode.TIMEOUT
    assert names(simulator).count("chatListPaginationQuery") == 1
    assert names(simulator).count(STOP) == 1


@pytest.mark.virtual_time
async def test_suggested_replies_come_without_seven_events(connect, ask):
    async with connect() as client:
        started = now()
        answer = await ask(client, "hello", bot="Helper", suggest_replies=True)
        assert now() - started < 0.5
    replies = [event.text for event in answer.events if isinstance(event, SuggestedReply)]
    assert replies == ["Tell me more", "Give an example", "What else?"]


@pytest.mark.virtual_time
async def test_nobody_waits_for_replies_that_were_not_asked_for(connect, ask):
    async with connect() as client:
        await ask(client, "warm")
        started = now()
        answer = await ask(client, "hello", bot="Helper")
        assert now() - started < 0.5
    assert not any(isinstance(event, SuggestedReply) for event in answer.events)


async def test_an_expired_cookie_is_told_apart(connect, ask, simulator):
    simulator.enqueue(Scenario(SignedOut(), operation="/api/settings"))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "hello")
    assert (caught.value.code, caught.value.scope) == (ErrorCode.NOT_AUTHENTICATED, Scope.ACCOUNT)


async def test_a_forgotten_hash_names_the_operation_and_the_remedy(connect, ask, simulator):
    simulator.enqueue(Scenario(StaleHash(), operation=SEND))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "hello")
    assert caught.value.code is ErrorCode.STALE_OPERATION
    assert caught.value.operation == SEND
    assert SEND in str(caught.value) and "override" in str(caught.value)


async def test_a_server_error_is_not_answered_by_sending_again(connect, ask, simulator):
    simulator.enqueue(Scenario(GraphQLError(), operation=SEND, times=5))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, "hello")
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED
    assert names(simulator).count("sendMessageMutation") == 1


async def test_entering_and_closing_do_no_network_call(connect, simulator):
    client = connect()
    async with client:
        pass
    await client.aclose()
    assert simulator.requests == []


async def test_closing_ends_running_streams_with_an_error_and_leaves_no_task(connect, chat_request, simulator):
    simulator.enqueue(Scenario(HangStream(at=2)))
    before = asyncio.all_tasks()
    client = connect()
    events = client.stream(chat_request("one two three"))
    await anext(events)
    count = len(simulator.requests)
    await client.aclose()
    await events.aclose()
    await client.aclose()
    assert len(simulator.requests) == count
    leaked = {task for task in asyncio.all_tasks() - before if task.get_name().startswith("poe-")}
    assert not leaked


async def test_a_web_account_takes_exactly_one_message(connect):
    async with connect() as client:
        request = ChatRequest("Echo", [Message("user", "a"), Message("assistant", "b"), Message("user", "c")])
        with pytest.raises(PoeError) as caught:
            await anext(client.stream(request))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_many_answers_share_one_channel_without_crosstalk(connect, ask, simulator):
    simulator.enqueue(Scenario(Pace(0.001), times=20))
    async with connect() as client:
        answers = await asyncio.gather(*(ask(client, f"number {n} " + "word " * n) for n in range(20)))
    for n, answer in enumerate(answers):
        assert answer.text.split() == f"You said: number {n} {'word ' * n}".split()
    assert sum(record.status == 101 for record in simulator.requests) == 1


class TestRoundTrips:
    """Sequential round trips before the first token, with latency on every exchange."""

    @pytest.fixture(autouse=True)
    def _latency(self, simulator: PoeWebSimulator) -> None:
        simulator.settings.latency_seconds = 0.05

    async def first_token(self, client, simulator, chat_request) -> int:
        started = time.monotonic()
        async with aclosing(client.stream(chat_request("hello"))) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    return simulator.round_trips(started)
        raise AssertionError("no token")

    async def test_one_when_the_channel_is_open(self, connect, simulator, chat_request):
        async with connect() as client:
            await self.first_token(client, simulator, chat_request)
            assert await self.first_token(client, simulator, chat_request) == 1

    async def test_two_with_cached_session_data(self, connect, simulator, chat_request, ask):
        async with connect() as client:
            await ask(client, "hello")
            data = client.session_data()
        async with connect(session_data=data) as client:
            assert await self.first_token(client, simulator, chat_request) == 2

    async def test_three_with_a_supplied_form_key(self, connect, simulator, chat_request):
        async with connect() as client:
            assert await self.first_token(client, simulator, chat_request) == 3

    async def test_four_with_nothing_but_the_cookie(self, connect, simulator, chat_request, account):
        async with connect(credentials=WebCredentials(account.p_b)) as client:
            assert await self.first_token(client, simulator, chat_request) == 4


async def test_closing_ends_a_call_that_hangs(connect, simulator):
    simulator.enqueue(Scenario(HangRequest(), operation="SettingsPageQuery"))
    client = connect(request_timeout_seconds=300)
    waiting = asyncio.create_task(client.points())
    while not simulator.requests:  # noqa: ASYNC110 - the simulator tells by its journal
        await asyncio.sleep(0.005)
    await client.aclose()
    with pytest.raises(PoeError) as caught:
        await asyncio.wait_for(waiting, 30)
    assert caught.value.code is ErrorCode.CONNECTION_FAILED


@pytest.mark.virtual_time
async def test_a_call_that_hangs_ends_in_a_timeout(connect, simulator):
    simulator.enqueue(Scenario(HangRequest(), operation="SettingsPageQuery"))
    async with connect(request_timeout_seconds=0.2) as client:
        with pytest.raises(PoeError) as caught:
            await client.points()
    assert caught.value.code is ErrorCode.TIMEOUT


async def test_a_query_is_repeated_once_when_the_connection_breaks(connect, simulator):
    simulator.enqueue(Scenario(DropConnection(), operation="SettingsPageQuery"))
    async with connect() as client:
        assert (await client.points()).balance == 3000
    assert names(simulator).count("settingsPageQuery") == 2


async def test_a_null_viewer_is_not_authenticated(connect, simulator):
    simulator.enqueue(Scenario(WrongJson('{"data":{"viewer":null}}'), operation="SettingsPageQuery"))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await client.points()
    assert caught.value.code is ErrorCode.NOT_AUTHENTICATED


@pytest.mark.parametrize(
    ("viewer", "expected"),
    [
        ('{"subscription":null,"messagePointInfo":{"messagePointBalance":7}}', (7, False, None, None)),
        ('{"messagePointInfo":{"subscriptionPointBalance":5,"addonPointBalance":null}}', (5, None, None, None)),
        ('{"messagePointInfo":{"addonPointBalance":0,"messagePointBalance":9}}', (0, None, None, None)),
        ('{"subscription":{"isActive":true},"messagePointInfo":null}', (None, True, None, None)),
        (
            '{"messagePointInfo":{"messagePointBalance":"12","messagePointResetTime":1780000000000000}}',
            (12, None, None, 1780000000.0),
        ),
    ],
)
async def test_points_are_what_poe_says_or_unknown(connect, simulator, viewer, expected):
    simulator.enqueue(Scenario(WrongJson(f'{{"data":{{"viewer":{viewer}}}}}'), operation="SettingsPageQuery"))
    async with connect() as client:
        reading = await client.points()
    assert (reading.balance, reading.subscribed, reading.allotment, reading.next_grant_at) == expected


async def test_messages_at_once_in_one_chat_get_their_own_answers(connect, ask, simulator):
    async with connect() as client:
        chat = (await ask(client, "first")).chat
        simulator.settings.pace_seconds = 0.002
        answers = await asyncio.gather(*(ask(client, f"number {n} of four", chat=chat) for n in range(4)))
    assert [answer.text for answer in answers] == [f"You said: number {n} of four" for n in range(4)]
