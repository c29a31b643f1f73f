"""Reading settings from the environment."""

from __future__ import annotations

import dataclasses

import pytest

from lazy_dataclasses import dataclass
from pool.settings import (
    SECRET,
    TEXT,
    WORDS,
    SettingsError,
    SharedSettings,
    address,
    integer,
    number,
    one_of,
    read_settings,
    setting,
    unknown_variables,
    variable_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(SharedSettings):
    count: int = setting(2, integer(1, 5))
    seconds: float = setting(1.5, number(0, 10))
    words: tuple[str, ...] = setting((), WORDS)
    word: str = setting("", SECRET, secret=True)


def test_missing_and_empty_variables_leave_the_default() -> None:
    assert read_settings(Example, {"GATEWAY_COUNT": " ", "COUNT": "5"}) == Example()


def test_values_are_read_in_their_types() -> None:
    settings = read_settings(Example, {"GATEWAY_COUNT": "5", "GATEWAY_SECONDS": "2", "GATEWAY_WORDS": "a, b,"})
    assert (settings.count, settings.seconds, settings.words) == (5, 2.0, ("a", "b"))


@pytest.mark.parametrize("value", ["6", "0", "2.5", "many", "1e9", "9" * 5000])
def test_a_value_out_of_range_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"GATEWAY_COUNT: .* is not allowed; it must be an integer from 1 to 5"):
        read_settings(Example, {"GATEWAY_COUNT": value})


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_a_number_is_finite(value: str) -> None:
    with pytest.raises(SettingsError, match="a number from 0 to 10"):
        read_settings(Example, {"GATEWAY_SECONDS": value})


def test_a_secret_is_shown_nowhere() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(Example, {"GATEWAY_WORD": "hush"})
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(read_settings(Example, {"GATEWAY_WORD": "hush" * 4}))


def test_only_what_is_set_changes_the_clients_configuration() -> None:
    default = SharedSettings().poe_config()
    changed = SharedSettings(poe_web_base_url="http://127.0.0.1:1").poe_config()
    assert (changed.web_base_url, changed.official_base_url) == ("http://127.0.0.1:1", default.official_base_url)


def test_unknown_variables_are_named_with_what_they_resemble() -> None:
    environ = {"GATEWAY_COUNTS": "1", "GATEWAY_COUNT": "1", "GATEWAY_ZEBRA": "1", "HOME": "/"}
    known = ("GATEWAY_COUNT", "GATEWAY_SECONDS")
    assert unknown_variables(environ, known) == {"GATEWAY_COUNTS": "GATEWAY_COUNT", "GATEWAY_ZEBRA": None}


@pytest.mark.parametrize(
    ("make", "taken", "refused", "allowed"),
    [
        (lambda: one_of("on", "off"), {"on": "on", "OFF": "off"}, ["", "onn", "on off"], "one of on, off"),
        (lambda: integer(1, 5), {"1": 1, "5": 5}, ["0", "6", "1.0", ""], "an integer from 1 to 5"),
        (
            lambda: number(0.5, 2),
            {"0.5": 0.5, "2": 2.0},
            ["0.4", "2.1", "nan", "inf"],
            "a number from 0.5 to 2",
        ),
        (lambda: TEXT, {"a b": "a b"}, ["\x00", "a\nb", "\x7f", "\u00e9"], "printable ASCII"),
        (lambda: SECRET, {"x" * 16: "x" * 16}, ["x" * 15, "\u00e9" * 16], "at least 16 printable ASCII characters"),
        (lambda: WORDS, {" a ,b,, c ": ("a", "b", "c"), ",": ()}, [], "a list separated by commas"),
        (
            lambda: address("https", "http"),
            {
                "https://a.example/": "https://a.example",
                "http://a.example:80/b//": "http://a.example:80/b",
                "https://tch{n}.{base_host}": "https://tch{n}.{base_host}",
            },
            [
                "a.example",
                "ftp://a.example",
                "https://",
                "https://:80",
                "https://a:0",
                "https://a:x",
                "https://a:70000",
            ],
            "an address that begins with https:// or http://",
        ),
    ],
    ids=["word", "integer", "number", "text", "secret", "words", "address"],
)
def test_each_reader_takes_what_it_says(make, taken, refused, allowed) -> None:
    reader = make()
    assert reader.allowed == allowed
    assert "lambda" not in repr(reader)
    assert {text: reader(text) for text in taken} == taken
    for text in refused:
        with pytest.raises(ValueError) as caught:
            reader(text)
        assert str(caught.value) == allowed
        # What is not allowed may be a secret.
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_a_refusal_names_the_variable_the_value_and_what_is_allowed() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(Example, {"GATEWAY_COUNT": "x" * 100})
    assert str(caught.value) == f"GATEWAY_COUNT: '{'x' * 80}' is not allowed; it must be an integer from 1 to 5"
    with pytest.raises(SettingsError) as caught:
        read_settings(Example, {"GATEWAY_WORD": "hush"})
    expected = "GATEWAY_WORD: its value is not allowed; it must be at least 16 printable ASCII characters"
    assert str(caught.value) == expected


def test_a_value_is_read_without_the_space_around_it() -> None:
    assert read_settings(Example, {"GATEWAY_COUNT": " 3 "}).count == 3


def test_a_variable_is_named_after_its_setting() -> None:
    assert variable_of("poe_web_base_url") == "GATEWAY_POE_WEB_BASE_URL"


def test_nothing_is_set_unless_somebody_sets_it() -> None:
    """But for what is logged: nothing reaches elsewhere than to Poe, and no metric costs money."""
    values = dataclasses.asdict(SharedSettings())
    assert values.pop("log_level") == "info"
    assert values.pop("metrics") == "off"
    assert set(values.values()) == {""}


ADDRESSES = {
    "poe_web_base_url": ("web_base_url", "https://w.example", "wss://w.example"),
    "poe_web_channel_url": ("channel_url", "wss://c.example", "https://c.example"),
    "poe_official_base_url": ("official_base_url", "http://o.example", "ws://o.example"),
    "poe_upload_url": ("upload_url", "https://u.example", "file:///u"),
    "proxy": ("proxy", "http://name:word@p.example:3128", "socks5://p.example"),
    "user_agent": ("user_agent", "mine/1.0", "mine\n1.0"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_what_is_set_reaches_the_clients_under_its_name_and_nothing_else_changes(name: str) -> None:
    theirs, value, wrong = ADDRESSES[name]
    default = dataclasses.asdict(SharedSettings().poe_config())
    changed = dataclasses.asdict(read_settings(SharedSettings, {variable_of(name): value}).poe_config())
    assert changed == default | {theirs: value}
    with pytest.raises(SettingsError, match=variable_of(name)):
        read_settings(SharedSettings, {variable_of(name): wrong})


@pytest.mark.parametrize("name", ["proxy", "word"])
def test_a_secret_is_in_no_repr(name: str) -> None:
    value = "http://name:hushhushhush@p.example"
    assert "hushhush" not in repr(read_settings(Example, {variable_of(name): value}))


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_every_level_of_the_log_is_taken_in_any_case(level: str) -> None:
    assert read_settings(SharedSettings, {"GATEWAY_LOG_LEVEL": level.upper()}).log_level == level


def test_only_variables_of_ours_are_unknown_and_the_nearest_name_is_told() -> None:
    environ = dict.fromkeys(["GATEWAY_SECONS", "GATEWAY_B", "GATEWAY_A", "MY_GATEWAY_C", "gateway_d"], "1")
    found = unknown_variables(environ, ("GATEWAY_SECOND", "GATEWAY_SECONDS", "GATEWAY_COUNT"))
    assert found == {"GATEWAY_A": None, "GATEWAY_B": None, "GATEWAY_SECONS": "GATEWAY_SECONDS"}
    assert list(found) == sorted(found)


def test_a_settings_class_is_read_by_its_own_declarations() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Own:
        size: int = setting(3, integer(1, 9))
        word: str = setting("none", SECRET, secret=True)

    assert Own() == Own(size=3, word="none")
    read = read_settings(Own, {"GATEWAY_SIZE": "9", "GATEWAY_WORD": "hush" * 4})
    assert (read.size, read.word) == (9, "hush" * 4)
    assert "size=9" in repr(read)
    assert "hush" not in repr(read)
    with pytest.raises(SettingsError, match=r"^GATEWAY_SIZE: '10' is not allowed; it must be an integer from 1 to 9$"):
        read_settings(Own, {"GATEWAY_SIZE": "10"})
