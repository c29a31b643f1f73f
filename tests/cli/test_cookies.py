"""The cookies of poe.com out of a header, a cookies.txt or a JSON export."""

from __future__ import annotations

import json

import pytest

from poegw.cookies import MAX_CHARACTERS, CookieError, read_cookies

NETSCAPE = (
    "# Netscape HTTP Cookie File\n"
    "#HttpOnly_poe.com\tTRUE\t/\tTRUE\t1800000000\tp-b\tvalue-b\n"
    ".poe.com\tTRUE\t/\tTRUE\t1800000000\tp-lat\tvalue-lat\n"
    "example.com\tTRUE\t/\tTRUE\t1800000000\tp-b\tsomebody-elses\n"
)
EXPORT = [
    {"domain": ".poe.com", "name": "p-b", "value": "value-b", "httpOnly": True},
    {"domain": "poe.com", "name": "p-lat", "value": "value-lat"},
    {"domain": "notpoe.com", "name": "p-b", "value": "somebody-elses"},
]
BOTH = {"p_b": "value-b", "p_lat": "value-lat"}


@pytest.mark.parametrize(
    "text",
    [
        "p-b=value-b; p-lat=value-lat",
        "Cookie: p-b=value-b; p-lat=value-lat; other=1",
        'cookie:p-b="value-b";p-lat=value-lat',
        "p-b=value-b\np-lat=value-lat",
        NETSCAPE,
        NETSCAPE.replace("\n", "\r\n"),
        json.dumps(EXPORT),
        json.dumps({"cookies": EXPORT}),
        json.dumps({"p-b": "value-b", "p-lat": "value-lat"}),
    ],
)
def test_every_form_is_understood(text: str) -> None:
    assert read_cookies(text) == BOTH


def test_a_value_may_hold_an_equals_sign() -> None:
    assert read_cookies("p-b=abc%3D=; cf_clearance=x=y") == {"p_b": "abc%3D=", "cf_clearance": "x=y"}


@pytest.mark.parametrize(
    "text",
    ["", "hello", "p-lat=only", "p-b=", "[", "[1]", "{}", '{"cookies": 5}', "[" * 100_000, "p-b=x;" * MAX_CHARACTERS],
    ids=["empty", "word", "only-lat", "no-value", "cut", "numbers", "nothing", "wrong", "deep", "long"],
)
def test_what_is_no_cookie_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(CookieError) as caught:
        read_cookies(text)
    assert len(str(caught.value)) < 100
