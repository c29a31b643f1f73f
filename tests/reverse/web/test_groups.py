"""Groups of bots."""

from __future__ import annotations

import json
import random
from contextlib import aclosing

import pytest

from local.poe_web import Scenario
from local.poe_web.request_faults import MutationStatus
from reverse.errors import ErrorCode, PoeError
from reverse.web import Group, GroupMember
from reverse.web._groups import choose_speaker, count_mentions

pytestmark = pytest.mark.virtual_time

ANNA, BEN, CLEO = GroupMember("Echo", "Anna"), GroupMember("Story", "Ben"), GroupMember("Puppet", "Cleo")


async def said(events) -> dict[str, str]:
    async with aclosing(events):
        texts: dict[str, str] = {}
        async for delta in events:
            texts[delta.speaker] = delta.text if delta.replaces else texts.get(delta.speaker, "") + delta.text
        return texts


async def test_members_answer_one_after_the_other_in_their_own_chats(connect, account):
    group = Group("friends", (ANNA, BEN, CLEO))
    async with connect() as client:
        texts = await said(group.say(client, "hello all", turns=4, rng=random.Random(1)))
        assert len(group.log) == 5 and group.log[0].speaker == "User"
        assert all(one.speaker != two.speaker for one, two in zip(group.log, group.log[1:], strict=False))
        chats = {member.name: member.chat for member in group.members if member.chat}
        assert set(chats) == set(texts) and len(account.chats) == len(chats)
        await said(group.say(client, "and again", turns=3, rng=random.Random(2)))
        assert len(account.chats) <= 3
    prompt = next(iter(account.chats.values())).messages[0].text
    assert "User: hello all" in prompt


async def test_the_mentioned_member_answers_first(connect):
    group = Group("friends", (ANNA, BEN, CLEO))
    async with connect() as client:
        texts = await said(group.say(client, "what do you think, cleo?", turns=1))
    assert set(texts) == {"Cleo"}


async def test_an_interrupted_member_has_spoken(connect, simulator):
    group = Group("friends", (GroupMember("Story", "Ben"), CLEO))
    async with connect() as client:
        async with aclosing(group.say(client, "Ben, count 500")) as deltas:
            first = await anext(deltas)
        assert first.speaker == "Ben" and group.log[-1].text.startswith(first.text)
        assert group.previous == "Ben"
        # Without a text the others go on.
        assert set(await said(group.say(client, turns=1))) == {"Cleo"}


async def test_nobody_answers_where_nothing_was_said(connect):
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await said(Group("friends", (ANNA, BEN)).say(client))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_among_equals_the_talkative_speaks_more_often():
    quiet, loud = GroupMember("Echo", "Anna", talkativeness=0.0), GroupMember("Story", "Ben", talkativeness=1.0)
    rng = random.Random(3)
    assert [choose_speaker((quiet, loud), "so?", None, rng) for _ in range(50)].count(loud) > 45


async def test_a_group_survives_json(connect):
    group = Group("friends", (ANNA, BEN))
    async with connect() as client:
        await said(group.say(client, "hello", turns=2))
    again = Group.from_json(json.loads(json.dumps(group.to_json())))
    assert again == group and again.members[0].chat is not None


@pytest.mark.parametrize("data", [{}, {"name": "x"}, {"name": "x", "members": [1], "log": [], "previous": None}])
def test_other_data_is_no_group(data):
    with pytest.raises(ValueError, match="no stored group"):
        Group.from_json(data)


async def test_an_error_keeps_what_was_said(connect, simulator):
    group = Group("friends", (ANNA, BEN))
    simulator.enqueue(Scenario(MutationStatus("reached_limit"), operation="SendMessageMutation", skip=1))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await said(group.say(client, "hello", turns=3))
    assert caught.value.code is ErrorCode.BOT_LIMIT_REACHED
    assert len(group.log) == 2


async def test_the_number_of_turns_is_bounded(connect):
    group = Group.of("friends", ["Echo", "Story"])
    async with connect() as client:
        with pytest.raises(PoeError):
            await said(group.say(client, "hello", turns=1000))


def test_names_must_differ():
    for members in ((), (ANNA, GroupMember("Story", "anna"))):
        with pytest.raises(ValueError, match="different names"):
            Group("x", members)


def test_mentions_are_whole_words():
    assert count_mentions(ANNA, "Anna, anna! Annabel echo echoes") == 3
    assert count_mentions(GroupMember("C++", "C++"), "i like C++.") == 1


def test_nobody_speaks_twice_in_a_row_unless_alone():
    rng = random.Random(0)
    assert all(choose_speaker((ANNA, BEN), "Anna Anna", "Anna", rng) is BEN for _ in range(20))
    assert choose_speaker((ANNA,), "hi", "Anna", rng) is ANNA
    assert {choose_speaker((ANNA, BEN, CLEO), "hi", None, rng).name for _ in range(50)} == {"Anna", "Ben", "Cleo"}
