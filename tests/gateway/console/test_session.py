"""The cookie: what it says, and that nobody else can make one."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import ApiKey, KeyRole
from gateway.console.session import (
    COOKIE,
    IDLE_SECONDS,
    LONGEST_SECONDS,
    Session,
    SessionError,
    cookie_values,
    mark_of,
    seal,
    set_cookie,
    signing_secret,
    unseal,
)

SECRET = signing_secret(b"admin secret", "epoch")
SESSION = Session(role=KeyRole.VIEWER, key_id="key_1", key_mark="m", signed_in_at=1_000, active_at=1_000)


def refusal(value: str, secret: bytes = SECRET, now: float = 1_000) -> str:
    with pytest.raises(SessionError) as caught:
        unseal(value, secret, now)
    return caught.value.code


def test_a_cookie_says_who_signed_in() -> None:
    assert unseal(seal(SESSION, SECRET), SECRET, 1_000) == SESSION


def test_a_session_ends_an_hour_after_its_last_use() -> None:
    value = seal(SESSION, SECRET)
    assert unseal(value, SECRET, 1_000 + IDLE_SECONDS - 1) == SESSION
    assert refusal(value, now=1_000 + IDLE_SECONDS) == "session_expired"


def test_a_session_in_use_ends_after_twelve_hours() -> None:
    last = 1_000 + LONGEST_SECONDS - 10
    busy = replace(SESSION, active_at=last)
    assert busy.idle_expires_at == 1_000 + LONGEST_SECONDS
    assert refusal(seal(busy, SECRET), now=1_000 + LONGEST_SECONDS) == "session_expired"


def test_a_session_is_renewed_not_more_often_than_once_a_minute() -> None:
    assert SESSION.renewed(1_059) is None
    renewed = SESSION.renewed(1_060)
    assert renewed is not None
    assert (renewed.active_at, renewed.signed_in_at) == (1_060, 1_000)


@pytest.mark.parametrize(("admin_secret", "epoch"), [(b"admin secret", "next"), (b"another", "epoch")])
def test_a_new_epoch_or_admin_key_ends_all_sessions(admin_secret: bytes, epoch: str) -> None:
    assert refusal(seal(SESSION, SECRET), signing_secret(admin_secret, epoch)) == "session_ended"


def test_a_payload_of_somebody_else_has_no_seal() -> None:
    version, payload, signature = seal(SESSION, SECRET).split(".")
    forged = base64.urlsafe_b64encode(b'["admin",null,"m",1000,1000]').rstrip(b"=").decode()
    assert refusal(f"{version}.{forged}.{signature}") == "session_ended"
    assert refusal(f"{version}.{payload}.") == "session_ended"
    assert refusal(f"v0.{payload}.{signature}") == "session_ended"


@given(st.text(max_size=2_000) | st.from_regex(r"v1\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_any_other_value_is_refused(value: str) -> None:
    assert refusal(value) in ("no_session", "session_ended")


def test_a_session_is_of_a_key_while_its_role_and_secret_stay() -> None:
    key = ApiKey(id="key_1", name="x", hash="one", role=KeyRole.VIEWER)
    session = replace(SESSION, key_mark=mark_of(key, SECRET))
    assert session.is_of(key, SECRET)
    assert not session.is_of(replace(key, hash="two"), SECRET)
    assert not session.is_of(replace(key, role=KeyRole.ADMIN), SECRET)
    assert "one" not in session.key_mark


def test_the_cookie_is_for_this_host_only_and_unseen_by_scripts() -> None:
    attributes = set_cookie("value", 60).split("; ")
    assert attributes == [f"{COOKIE}=value", "Max-Age=60", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"]
    assert COOKIE.startswith("__Host-")
    assert "Max-Age=0" in set_cookie("", 0)


def test_only_the_cookies_of_the_name_are_read() -> None:
    headers = [(b"Cookie", b"a=1; __Host-poegw=x; b=2"), (b"cookie", b"__Host-poegw=y"), (b"x", b"__Host-poegw=z")]
    assert cookie_values(headers) == ["x", "y"]
