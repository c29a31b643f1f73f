"""What survives a restart."""

import pytest

from local.poe_web import PoeWebSimulator
from local.poe_web.state import UnreadableState, dump, load
from local.poe_web.world import World


async def started(path):
    return PoeWebSimulator(pace_seconds=0, answer_delay_seconds=0, state_path=path)


async def test_accounts_chats_and_the_channel_survive_a_restart(tmp_path, wire_client):
    path = tmp_path / "deep" / "state.json"
    async with await started(path) as first:
        account = first.add_account("cookie-1", points=500, handle="someone")
        async with wire_client(first, account) as client:
            await client.connect()
            await client.ask("Painter", "hi")
            await client.until(lambda: client.events("chatTitleUpdated"))
            url = client.bot_messages()[-1]["attachments"][0]["url"]
            before = client.channel
            min_seq = account.channel.sequence
    assert path.stat().st_mode & 0o777 == 0o600
    async with await started(path) as second:
        again = second.account("cookie-1")
        assert again is not account
        assert (again.points, again.handle, again.form_key) == (200, "someone", account.form_key)
        assert [m.text for m in again.messages] == ["hi", "Here is your image."]
        assert again.messages[1].attachments == account.messages[1].attachments
        async with wire_client(second, again) as client:
            await client.fetch_settings()
            assert client.channel["channel"] == before["channel"]
            await client.open_socket(min_seq)
            await client.ask("Echo", "still subscribed", next(iter(again.chats)))
            path = url.removeprefix(first.base_url)
            assert (await client.http.get(path)).content.startswith(b"\x89PNG")
        ids = [m.message_id for m in again.messages]
        assert ids == sorted(set(ids))


async def test_an_answer_cut_off_by_the_restart_is_cancelled(simulator, make_client):
    async with make_client() as client:
        await client.send("Slow", "a long prompt to be said again")
        await client.until(client.bot_messages)
        world = World()
        load(world, dump(simulator.simulation.world))
    message = world.accounts["cookie-1"].messages[-1]
    assert message.state == "cancelled"
    assert message.cancelled_at == len(message.text)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version":99}', '{"version":1,"accounts":[{}]}', "null"])
def test_a_file_that_is_no_state_is_refused(text):
    with pytest.raises(UnreadableState):
        load(World(), text)


async def test_what_is_in_the_file_is_a_pure_function_of_the_world(simulator):
    simulator.add_account("cookie-1")
    text = dump(simulator.simulation.world)
    world = World()
    load(world, text)
    assert dump(world) == text
