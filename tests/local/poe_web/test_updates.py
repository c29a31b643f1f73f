"""The realtime socket: who may listen, what is replayed, and when it is too late."""

import asyncio
import json

import pytest
import websockets


async def test_a_socket_needs_the_channel_the_hash_and_the_box(make_client):
    async with make_client(connected=False) as client:
        await client.fetch_settings()
        right = client.socket_url()
        for wrong in (
            right.replace("hash=", "hash=1"),
            right.replace("channel=", "channel=x"),
            right.replace("/up/", "/up/x"),
        ):
            with pytest.raises(websockets.InvalidStatus) as refusal:
                await websockets.connect(wrong)
            assert refusal.value.response.status_code == 403


async def test_two_origin_headers_are_accepted(make_client):
    async with make_client(connected=False) as client:
        await client.fetch_settings()
        async with websockets.connect(
            client.socket_url(), origin="http://127.0.0.1", additional_headers={"Origin": "https://poe.com"}
        ) as socket:
            await socket.send('{"type":"ping"}')
            assert json.loads(await socket.recv()) == {"type": "pong"}


async def test_every_frame_has_one_event_and_the_next_number(make_client):
    async with make_client() as client:
        await client.ask("Echo", "hello there")
        await client.until(lambda: client.events("chatTitleUpdated"))
    frames = [json.loads(frame) for frame in client.frames]
    assert {len(frame["messages"]) for frame in frames} == {1}
    first = int(client.channel["minSeq"]) + 1
    assert [frame["min_seq"] for frame in frames] == list(range(first, first + len(frames)))


async def test_a_late_socket_gets_what_came_since_its_min_seq(make_client):
    async with make_client() as client:
        await client.ask("Echo", "hello there")
        await client.until(lambda: client.events("chatTitleUpdated"))
        seen = list(client.frames)
        client.frames.clear()
        await client.open_socket()
        await client.until(lambda: len(client.frames) == len(seen))
        assert client.frames == seen
        client.frames.clear()
        await client.open_socket(json.loads(seen[2])["min_seq"])
        await client.until(lambda: len(client.frames) == len(seen) - 3)
        assert client.frames == seen[3:]


async def test_settings_fetched_later_begin_later(make_client):
    async with make_client() as client:
        await client.ask("Echo", "hello")
        await client.until(lambda: client.events("chatTitleUpdated"))
        client.frames.clear()
        await client.connect()
        await client.ask("Echo", "again")
        assert {data["text"] for data in client.bot_messages()} <= {"You ", "You said: ", "You said: again"}


async def test_too_old_a_min_seq_is_answered_by_missed_messages_and_silence(make_client, simulator):
    async with make_client() as client:
        client.account.channel.replay_frames = 3
        await client.ask("Echo", "one two three four")
        client.frames.clear()
        await client.open_socket()
        await client.until(lambda: client.frames)
        assert json.loads(client.frames[0]) == {"error": "missed_messages"}
        client.account.channel.replay_frames = 512
        async with make_client() as other:
            await other.send("Echo", "and more")
            await other.until(other.is_over)
        assert len(client.frames) == 1


async def test_events_go_only_to_who_subscribed_to_them(make_client):
    async with make_client(connected=False) as client:
        await client.fetch_settings()
        await client.open_socket()
        await client.subscribe(["messageAdded"])
        await client.ask("Echo", "hello")
        await client.send("Echo", "another", None)
        await client.until(lambda: sum(d["state"] == "complete" for d in client.bot_messages()) == 2)
    assert {name for name, _ in client.events()} == {"messageAdded"}


async def test_all_sockets_of_an_account_get_all_its_events(make_client):
    async with make_client() as client, make_client() as other_device, make_client("cookie-2") as stranger:
        await client.ask("Echo", "hello")
        await other_device.until(other_device.is_over)
        assert [d["text"] for d in other_device.bot_messages()] == [d["text"] for d in client.bot_messages()]
        assert stranger.frames == []


async def test_a_socket_that_is_not_read_is_disconnected_and_takes_nothing_with_it(make_client, simulator):
    async with make_client() as client:
        channel = client.account.channel
        socket = channel.attach(None)
        for _ in range(channel.replay_frames * 4 + 1):
            channel.publish(["{}"])
        assert socket.outgoing.qsize() == 1
        channel.detach(socket)


async def test_a_client_that_leaves_is_forgotten(make_client):
    async with make_client() as client:
        assert len(client.account.channel.sockets) == 1
        await client.close_socket()
        async with asyncio.timeout(30):
            while client.account.channel.sockets:  # noqa: ASYNC110
                await asyncio.sleep(0.005)  # the server sees the end a moment later, and tells nobody
