"""What answers cost an account, when the service tells, and that the control API always tells it exactly."""

import pytest

from local.poe_web import Scenario
from local.poe_web.accounts import SimulatedAccount
from local.poe_web.request_faults import NoPoints
from local.poe_web.state import dump, load
from local.poe_web.stream_faults import HangStream, LateCost, OddCancellation, PointsRunOut
from local.poe_web.world import World

NEWER = -1
HISTORY = "PointsHistoryPageColumnViewerPaginationQuery"
CANCEL = "cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation"


async def charges(client):
    return (await client.http.get("/_sim/charges", params={"p_b": client.account.p_b})).json()


async def history(client, **variables):
    data = await client.query(HISTORY, {"limit": 10, **variables})
    return data["viewer"]["pointsHistoryConnection"]


async def test_every_answer_is_a_charge_with_its_message(make_client):
    async with make_client() as client:
        await client.ask("Echo", "hi")
        await client.ask("Story", "count 2")
        assert [(one["bot"], one["points"]) for one in await charges(client)] == [("Echo", 1), ("Story", 20)]
        assert [one["question"] for one in await charges(client)] == ["hi", "count 2"]
        assert all(one["message_id"] for one in await charges(client))
        assert client.account.spent == 21
        assert client.account.points + client.account.spent == client.account.allotment


async def test_the_history_pages_newest_first(make_client):
    async with make_client(generation=NEWER) as client:
        for _ in range(3):
            await client.ask("Echo", "hi")
        first = await history(client, limit=2)
        assert first["pageInfo"]["hasNextPage"] is True
        second = await history(client, cursor=first["pageInfo"]["endCursor"])
        nodes = [edge["node"] for edge in first["edges"] + second["edges"]]
        assert [node["pointCost"] for node in nodes] == [1, 1, 1]
        assert len({node["id"] for node in nodes}) == 3
        assert nodes[0]["bot"]["displayName"] == "Echo"
        assert nodes == sorted(nodes, key=lambda node: node["creationTime"], reverse=True)
        assert second["pageInfo"]["hasNextPage"] is False


async def test_the_history_can_be_late(make_client, simulator):
    simulator.settings.history_delay_seconds = 3600.0
    async with make_client(generation=NEWER) as client:
        await client.ask("Echo", "hi")
        assert (await history(client))["edges"] == []
        assert len(await charges(client)) == 1


async def test_other_programs_spend_too(make_client):
    async with make_client(generation=NEWER) as client:
        given = {"p_b": client.account.p_b, "bot": "Story", "points": 30}
        assert (await client.http.post("/_sim/charges", json=given)).status_code == 200
        assert (await history(client))["edges"][0]["node"]["pointCost"] == 30
        for wrong in ({"p_b": "?"}, given | {"bot": "?"}, given | {"points": 10**9}, given | {"points": "7"}):
            assert (await client.http.post("/_sim/charges", json=wrong)).status_code == 400


@pytest.mark.parametrize("fault", [PointsRunOut(at=2), NoPoints()])
async def test_points_that_vanish_are_booked(make_client, simulator, fault):
    async with make_client() as client:
        simulator.enqueue(Scenario(fault))
        await client.send("Story", "count 4")
        await client.until(lambda: client.events("jobUpdated"))
    assert (client.account.points, client.account.spent) == (0, client.account.allotment)


async def test_the_cost_can_come_long_after_the_end(make_client, simulator):
    async with make_client() as client:
        simulator.enqueue(Scenario(LateCost(0.2)))
        await client.send("Echo", "hi")
        await client.until(lambda: client.events("jobUpdated"))
        assert client.events("jobCostUpdated") == [] and client.account.running == 0
        await client.until(lambda: client.events("jobCostUpdated"))


@pytest.mark.parametrize("names", ["question", "nothing", "lost"])
async def test_a_cancellation_may_name_another_message_or_none(make_client, simulator, names):
    async with make_client() as client:
        simulator.enqueue(Scenario((HangStream(at=2), OddCancellation(names))))
        edge = await client.send("Story", "count 4")
        await client.until(lambda: len(client.bot_messages()) == 2)
        await client.query(CANCEL, {"chatId": edge["chat"]["chatId"]})
        await client.until(lambda: client.events("jobUpdated"))
    told = [event.get("messageId") for event in client.events("messageCancelled")]
    assert told == {"question": [edge["message"]["node"]["messageId"]], "nothing": [None], "lost": []}[names]


def test_charges_survive_a_restart():
    world, again = World(), World()
    account = world.add_account(SimulatedAccount("cookie"))
    world.spend_elsewhere(account, next(iter(world.bots)), 7)
    load(again, dump(world))
    assert again.accounts["cookie"].charges == account.charges
    assert again.charge_ids.following == world.charge_ids.following
