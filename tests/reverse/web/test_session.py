"""What a client leaves for the next one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse.credentials import WebCredentials
from reverse.web._bundle import ChannelSettings
from reverse.web._session import Session

CHANNEL = ChannelSettings("poe-chan", "9876543210", "chan1", "poe.com", 5)
ACCOUNT = WebCredentials("cookie", form_key="u" * 32)


def test_nothing_derived_leaves_nothing():
    assert Session.load(ACCOUNT, None).dump() == {}


def test_a_session_survives_json():
    session = Session.load(WebCredentials("cookie"), None)
    session.form_key = "d" * 32
    session.remember_channel(CHANNEL, 1000.0)
    session.min_seq = 9
    session.remember_bot("Echo", {"handle": "Echo", "botId": 1}, 1000.0)
    again = Session.load(WebCredentials("cookie"), json.loads(json.dumps(session.dump())))
    assert (again.form_key, again.channel_fetched_at, again.min_seq) == ("d" * 32, 1000.0, 9)
    assert again.channel.channel == "poe-chan"
    assert again.known_bot("ECHO", 1001.0)["botId"] == 1


def test_a_derived_form_key_yields_to_a_new_one_of_the_user():
    session = Session.load(ACCOUNT, None)
    session.form_key = "d" * 32
    data = session.dump()
    assert Session.load(ACCOUNT, data).form_key == "d" * 32
    assert Session.load(WebCredentials("cookie", form_key="n" * 32), data).form_key == "n" * 32
    assert Session.load(WebCredentials("cookie"), data).form_key is None


def test_data_of_another_account_or_version_is_ignored():
    session = Session.load(WebCredentials("cookie"), None)
    session.remember_channel(CHANNEL, 1.0)
    data = session.dump()
    assert Session.load(WebCredentials("another"), data).channel is None
    assert Session.load(WebCredentials("cookie"), {**data, "version": 0}).channel is None
    assert "cookie" not in json.dumps(data)


def test_bots_are_bounded_in_number_and_size():
    session = Session.load(ACCOUNT, None)
    for n in range(200):
        session.remember_bot(f"bot{n}", {"handle": f"bot{n}", "description": "x" * 10_000, "other": 1}, 1.0)
    assert len(session.bots) == 64
    assert session.bots["bot199"] == {"handle": "bot199", "fetched_at": 1.0}


def test_no_secret_in_the_repr():
    session = Session.load(ACCOUNT, None)
    session.remember_channel(CHANNEL, 1.0)
    assert not any(secret in repr(session) for secret in ("u" * 32, "9876543210", "cookie'"))


@pytest.mark.parametrize("data", [{"version": 1}, {"version": 1, "account": None}, {}])
def test_broken_data_is_no_data(data):
    assert Session.load(ACCOUNT, data).channel is None


@pytest.mark.parametrize("value", ["a\r\nb", "ä", " "])
def test_a_value_that_cannot_be_sent_is_refused_without_being_quoted(value):
    for credentials in (WebCredentials("cookie", form_key=value), WebCredentials("cookie", revision=value)):
        with pytest.raises(ValueError, match="can't be sent") as caught:
            Session.load(credentials, None)
        assert value == " " or value not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["form_key", "form_key_replaces", "channel", "bots"]), JSON))
def test_any_stored_data_loads(data):
    session = Session.load(ACCOUNT, None)
    session.remember_channel(CHANNEL, 1.0)
    loaded = Session.load(ACCOUNT, {**session.dump(), **data})
    loaded.known_bot("x", 1.0)
    loaded.dump()
