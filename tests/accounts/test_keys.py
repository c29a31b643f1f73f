"""Keys, places and items."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import Account, AccountKind, AccountState, ApiKey, BotLimit, ChatSession, Points
from accounts import _keys as keys
from accounts import _records_items as items
from accounts._items import from_wire, to_wire
from accounts._table import assignments, put, update

NOW = 1_800_000_000.0
ACCOUNT = Account(id="acct_1", kind=AccountKind.WEB, label="l", refresh_due_at=NOW)
FULL = Account(
    id="acct_2",
    kind=AccountKind.OFFICIAL,
    label="full",
    state=AccountState.LOGGED_OUT,
    speed_until=NOW + 0.25,
    points_until=NOW + 1.5,
    credentials_until=NOW + 2.0,
    errors_until=NOW + 3.0,
    bot_limits={"a": BotLimit(NOW + 1, "bot_limit_reached"), "b.c": BotLimit(NOW + 2.5, "insufficient_points", 12)},
    doubts=1,
    points=Points(7, NOW - 0.5, 3_000, NOW + 9),
    subscribed=False,
    max_concurrency=5,
    consecutive_errors=3,
    last_error="rate_limited",
    last_used_at=NOW - 1.125,
    refresh_due_at=NOW + 60.0625,
    created_at=NOW - 100.0,
    updated_at=NOW,
    version=9,
    credentials_version=2,
)


@pytest.mark.parametrize("account", [ACCOUNT, FULL, replace(FULL, points=Points(0, 1.0), subscribed=True)])
def test_an_account_comes_back_from_its_item_as_it_was(account: Account) -> None:
    item = from_wire(to_wire(keys.account_attributes(account, 0.5)))
    assert keys.account_of(item) == account


def test_sparse_indexes_hold_only_what_belongs_there() -> None:
    attributes = {state: keys.account_attributes(replace(ACCOUNT, state=state), 0.5) for state in AccountState}
    assert [attributes[state]["sel_pk"] for state in AccountState] == ["selectable#0", None, None]
    assert [attributes[state]["due_pk"] for state in AccountState] == ["due#0", None, "due#0"]


@pytest.mark.parametrize(
    ("account", "low", "high"),
    [
        (ACCOUNT, 2, 4),
        (replace(ACCOUNT, subscribed=False), 2, 4),
        (replace(ACCOUNT, kind=AccountKind.OFFICIAL), 0, 2),
        (replace(ACCOUNT, errors_until=NOW), 2, 4),
        (replace(ACCOUNT, errors_until=NOW + 5), NOW + 5, NOW + 6),
        (replace(ACCOUNT, subscribed=False, errors_until=NOW + 5), NOW + 5, NOW + 6),
    ],
)
def test_places(account: Account, low: float, high: float) -> None:
    for chance in (0.0, 0.5, 0.999999):
        assert low <= keys.place_of(account, NOW, chance) < high


def test_keys_and_sessions_come_back_from_their_items() -> None:
    key = ApiKey(id="i", name="n", hash="h", models=("a", "b*"), points_per_day=3, expires_at=NOW + 0.5, created_at=NOW)
    assert items.api_key_of(from_wire(to_wire(items.api_key_item(key)))) == key
    chat = ChatSession(
        key_id="k", session_id="s", account_id="a", model="m", chat_id=2**53, chat_code=None, turns=0, digest=""
    )
    assert keys.session_of(from_wire(to_wire(keys.session_item(chat, NOW)))) == chat


@settings(deadline=None)
@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=400), st.text(max_size=400))
def test_different_names_never_meet_in_one_key(owner: str, document_id: str, other: str, other_id: str) -> None:
    one, two = keys.document("file", owner, document_id), keys.document("file", other, other_id)
    assert (one == two) == ((owner, document_id) == (other, other_id))
    assert len(one["pk"].encode()) <= 2_048


@settings(deadline=None)
@given(st.text(min_size=1, max_size=100).filter(lambda text: len(text.encode()) <= 128))
def test_an_account_id_is_read_back_from_its_key(account_id: str) -> None:
    assert keys.account_id_of(keys.account(account_id)) == account_id


def test_labels_are_compared_without_case_and_spaces() -> None:
    assert keys.directory_entry(AccountKind.WEB, " A@B.c ") == keys.directory_entry(AccountKind.WEB, "a@b.C")
    assert keys.directory_entry(AccountKind.WEB, "a") != keys.directory_entry(AccountKind.OFFICIAL, "a")
    assert "a@b" not in keys.directory_entry(AccountKind.WEB, "a@b")["sk"]


def test_a_lifetime_is_exact_for_us_and_whole_seconds_for_the_table() -> None:
    assert keys.lifetime(10.25) == {"until": 10.25, "expires_at": 11}
    assert keys.lifetime(None) == {}


VALUES = st.recursive(
    st.text(max_size=20) | st.integers(-(2**60), 2**60) | st.booleans() | st.binary(max_size=20) | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=5))
def test_items_survive_the_way_to_dynamodb_and_back(item: dict) -> None:
    assert from_wire(to_wire(item)) == item


def test_nothing_is_an_absent_attribute() -> None:
    assert to_wire({"a": None, "b": 0, "c": False, "d": ""}) == {
        "b": {"N": "0"},
        "c": {"BOOL": False},
        "d": {"S": ""},
    }
    with pytest.raises(TypeError, match="object"):
        to_wire({"a": object()})


def test_expressions_name_attributes_by_placeholders() -> None:
    write = put({"pk": "a"}, "attribute_not_exists({pk}) OR {until} <= :now", now=1.5)
    assert write.body == {
        "Item": {"pk": {"S": "a"}},
        "ConditionExpression": "attribute_not_exists(#pk) OR #until <= :now",
        "ExpressionAttributeNames": {"#pk": "pk", "#until": "until"},
        "ExpressionAttributeValues": {":now": {"N": "1.5"}},
    }


def test_assignments_set_what_is_there_and_remove_what_is_not() -> None:
    expression, values = assignments({"a": 1, "b": None, "c": False, "d": None})
    assert (expression, values) == ("SET {a} = :a, {c} = :c REMOVE {b}, {d}", {"a": 1, "c": False})
    body = update({"pk": "p", "sk": "s"}, expression, **values).body
    assert body["UpdateExpression"] == "SET #a = :a, #c = :c REMOVE #b, #d"
