"""Each fault of the stream, as a plain client sees it."""

import json
from itertools import pairwise

import httpx
import pytest
import websockets

from local.poe_web import Scenario
from local.poe_web.answers import growing
from local.poe_web.foreign_frames import GarbageFrames, UnknownEvents
from local.poe_web.plan import Plan
from local.poe_web.stream_faults import (
    STREAM_FAULTS,
    BatchEvents,
    ChatBreakDuring,
    CutSocket,
    DelayEvents,
    DropEvents,
    DuplicateEvents,
    EarlyEvents,
    HangStream,
    MessageState,
    MissedMessages,
    Pace,
    PointsRunOut,
    RefetchChannel,
    ReorderEvents,
    TitleFirst,
)

WORDS = ["w0001 ", "w0001 w0002 ", "w0001 w0002 w0003 ", "w0001 w0002 w0003 w0004"]
FULL = [*WORDS, WORDS[-1]]  # the last one is complete


async def tell(client, simulator, *faults, prompt="count 4"):
    """Ask for four words under faults; returns the texts in the order in which they arrived."""
    simulator.enqueue(Scenario(faults, bot="Story"))
    await client.send("Story", prompt)
    await client.until(lambda: client.events("jobUpdated"))
    return [data["text"] for data in client.bot_messages()]


async def test_without_a_fault_every_growth_is_an_event(make_client, simulator):
    async with make_client() as client:
        assert await tell(client, simulator) == FULL


async def test_dropped_events_leave_a_gap_in_texts_and_numbers(make_client, simulator):
    async with make_client() as client:
        assert await tell(client, simulator, DropEvents(at=1, count=2)) == [FULL[0], *FULL[3:]]
    numbers = [json.loads(frame)["min_seq"] for frame in client.frames]
    assert max(b - a for a, b in pairwise(numbers)) == 3


async def test_duplicated_events_come_twice(make_client, simulator):
    async with make_client() as client:
        texts = await tell(client, simulator, DuplicateEvents(at=1, count=2))
    assert texts == [FULL[0], FULL[1], FULL[1], FULL[2], FULL[2], *FULL[3:]]


async def test_reordered_events_show_longer_texts_first(make_client, simulator):
    async with make_client() as client:
        texts = await tell(client, simulator, ReorderEvents(at=1, window=2))
        states = [data["state"] for data in client.bot_messages()]
    assert texts == [FULL[0], FULL[2], FULL[1], FULL[4], FULL[3]]
    assert states[-2:] == ["complete", "incomplete"]
    assert client.account.messages[-1].state == "complete"
    assert client.account.messages[-1].text == FULL[-1]


async def test_batched_events_share_frames(make_client, simulator):
    async with make_client() as client:
        assert await tell(client, simulator, BatchEvents(3)) == FULL
    sizes = [len(json.loads(frame)["messages"]) for frame in client.frames]
    assert 3 in sizes
    assert 2 in sizes


async def test_a_delay_shows_in_the_send_times(make_client, simulator):
    async with make_client() as client:
        await tell(client, simulator, DelayEvents(at=2, seconds=0.2))
    times = [record.time for record in simulator.sent if record.name == "messageAdded"][1:]
    gaps = [b - a for a, b in pairwise(times)]
    assert gaps[1] >= 0.2
    assert gaps[1] == max(gaps)


async def test_the_pace_can_be_split_into_characters(make_client, simulator):
    async with make_client() as client:
        texts = await tell(client, simulator, Pace(0, characters=4))
    assert texts[:4] == ["w000", "w0001 ", "w0001 w000", "w0001 w0002 "]
    assert texts[-1] == FULL[-1]


async def test_the_pace_sets_the_time_between_events(make_client, simulator):
    async with make_client() as client:
        await tell(client, simulator, Pace(0.05))
    times = [record.time for record in simulator.sent if record.name == "messageAdded"][1:]
    assert all(b - a >= 0.045 for a, b in pairwise(times))


async def test_a_cut_socket_ends_without_a_close_frame_and_the_rest_is_replayed(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(CutSocket(at=2, refuse=1)))
        await client.send("Story", "count 4")
        await client.until(lambda: client.frames and not isinstance(client.frames[-1], str))
        end = client.frames.pop()
        assert isinstance(end, websockets.ConnectionClosedError)
        assert end.rcvd is None
        assert [data["text"] for data in client.bot_messages()] == FULL[:2]
        seen = json.loads(client.frames[-1])["min_seq"]
        with pytest.raises(websockets.InvalidStatus):
            await client.open_socket(seen)
        await client.open_socket(seen)
        await client.until(client.is_over)
    assert [data["text"] for data in client.bot_messages()] == FULL


async def test_a_socket_can_also_be_closed_properly(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(CutSocket(at=2, how="close")))
        await client.send("Story", "count 4")
        await client.until(lambda: client.frames[-1:] == [None])
    assert len(client.bot_messages()) == 2


async def test_refetch_channel_kills_the_channel_and_the_history_has_the_answer(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(RefetchChannel(at=2)))
        edge = await client.send("Story", "count 4")
        await client.until(lambda: client.frames and "refetchChannel" in client.frames[-1])
        assert [data["text"] for data in client.bot_messages()] == FULL[:2]
        with pytest.raises(websockets.InvalidStatus):
            await client.open_socket()
        old = client.channel["channel"]
        await client.connect()
        assert client.channel["channel"] != old
        await simulator.idle()
        variables = {"count": 100, "cursor": None, "id": edge["chat"]["id"]}
        page = (await client.query("ChatListPaginationQuery", variables))["node"]["messagesConnection"]["edges"]
    assert (page[-1]["node"]["text"], page[-1]["node"]["state"]) == (FULL[-1], "complete")


async def test_missed_messages_silences_the_socket_and_spoils_the_replay(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(MissedMessages(at=2)))
        await client.send("Story", "count 4")
        await client.until(lambda: client.frames and "missed_messages" in client.frames[-1])
        await simulator.idle()
        assert [data["text"] for data in client.bot_messages()] == FULL[:2]
        client.frames.clear()
        await client.open_socket()  # with the old number
        await client.until(lambda: client.frames)
        assert json.loads(client.frames[0]) == {"error": "missed_messages"}
        await client.fetch_settings()
        await client.open_socket()
        client.frames.clear()
        await client.ask("Echo", "works again")


@pytest.mark.parametrize(("count", "expected"), [(2, FULL[:2]), (-1, FULL)])
async def test_early_events_are_there_before_the_mutation_is_answered(make_client, simulator, count, expected):
    async with make_client() as client:
        simulator.enqueue(Scenario(EarlyEvents(count)))
        edge = await client.send("Story", "count 4")
        answered = next(r for r in simulator.requests if r.query_name == "SendMessageMutation").ended
        early = [r for r in simulator.sent if r.name == "messageAdded" and r.time <= answered][1:]
        assert [r.text_length for r in early] == [len(text) for text in expected]
        await client.until(lambda: client.events("jobUpdated"))
    assert edge["status"] == "success"
    assert [data["text"] for data in client.bot_messages()] == FULL


async def test_an_error_state_ends_the_answer(make_client, simulator):
    async with make_client() as client:
        fault = MessageState("error_user_message_too_long", at=1, text="Too long.")
        assert await tell(client, simulator, fault) == [FULL[0], FULL[0]]
    last = client.bot_messages()[-1]
    assert (last["state"], last["messageStateText"]) == ("error_user_message_too_long", "Too long.")


@pytest.mark.parametrize(("at", "expected"), [(0, [""]), (2, [*FULL[:2], FULL[1]])])
async def test_points_run_out_before_or_during_an_answer(make_client, simulator, at, expected):
    async with make_client() as client:
        assert await tell(client, simulator, PointsRunOut(at)) == expected
        info = (await client.query("SettingsPageQuery"))["viewer"]["messagePointInfo"]
    assert client.bot_messages()[-1]["state"] == "error_insufficient_fund"
    assert info["messagePointBalance"] == 0
    assert client.events("jobCostUpdated") == []


async def test_a_hanging_stream_sends_nothing_more_until_it_is_cancelled(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(HangStream(at=2)))
        edge = await client.send("Story", "count 4")
        await client.until(lambda: len(client.bot_messages()) == 2)
        await client.ask("Echo", "meanwhile")  # the rest of the account works
        assert client.account.running >= 1
        assert [d["text"] for d in client.bot_messages() if d["author"] == "Story"] == FULL[:2]
        variables = {"chatId": edge["chat"]["chatId"]}
        await client.query("cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation", variables)
        await client.until(lambda: client.events("messageCancelled"))


async def test_the_title_can_come_first(make_client, simulator):
    async with make_client() as client:
        await tell(client, simulator, TitleFirst())
        await client.until(lambda: client.events("jobCostUpdated"))
    bots = [n for n, d in client.events() if n == "chatTitleUpdated" or d.get("author") == "Story"]
    assert bots[0] == "chatTitleUpdated"
    assert bots.count("chatTitleUpdated") == 1


async def test_a_chat_break_can_come_in_mid_stream(make_client, simulator):
    async with make_client() as client:
        await tell(client, simulator, ChatBreakDuring(at=2))
    authors = [data["author"] for data in client.events("messageAdded")]
    assert authors == ["human", "Story", "Story", "chat_break", "Story", "Story", "Story"]


async def test_unknown_events_and_frames_come_in_between(make_client, simulator):
    async with make_client() as client:
        assert await tell(client, simulator, UnknownEvents(at=1)) == FULL
    names = [json.loads(text).get("message_type") for f in client.frames for text in json.loads(f).get("messages", [])]
    assert "somethingNew" in names
    assert any(json.loads(frame).get("type") == "hello" for frame in client.frames)


async def test_garbage_frames_come_in_between(make_client, simulator):
    async with make_client() as client:
        assert await tell(client, simulator, GarbageFrames(at=1)) == FULL
    assert "not json" in client.frames
    assert b"\x00\xff\xfe" in client.frames
    assert "" in client.frames


async def test_stray_bytes_break_the_websocket_protocol(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(GarbageFrames(at=1, stray=True)))
        await client.send("Story", "count 4")
        await client.until(lambda: client.frames and isinstance(client.frames[-1], websockets.ConnectionClosedError))
        assert client.frames[-1].sent.code == 1002


async def test_faults_can_be_combined(make_client, simulator):
    async with make_client() as client:
        texts = await tell(client, simulator, DuplicateEvents(at=0, count=1), ReorderEvents(), UnknownEvents(at=2))
    assert sorted(set(texts)) == sorted(set(FULL))
    assert len(texts) == 6


@pytest.mark.parametrize("kind", STREAM_FAULTS)
@pytest.mark.parametrize("at", [0, 1, 5, 99])
def test_every_fault_makes_a_plan_of_any_plan_and_place(kind, at):
    names = kind.__dataclass_fields__
    fields = ({"at": at} if "at" in names else {}) | ({"state": "error_x"} if "state" in names else {})
    plan = kind(**fields).shape(Plan.of(growing("a b c")))
    assert plan.actions
    assert kind(**fields).shape(Plan(())).actions is not None


async def test_an_answer_that_runs_when_the_simulator_stops_is_stopped(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(HangStream(at=1)))
        await client.send("Story", "count 4")
        await client.until(client.bot_messages)
        await simulator.aclose()
        assert client.account.running == 0
        with pytest.raises(httpx.TransportError):
            await client.raw("SettingsPageQuery")
