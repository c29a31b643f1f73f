"""Reading settings from the environment."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pool.settings import (
    SECRET,
    WORDS,
    SettingsError,
    SharedSettings,
    integer,
    number,
    read_settings,
    setting,
    unknown_variables,
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
