"""The job's settings come from the environment, and wrong ones are named."""

from __future__ import annotations

import pytest

from refresh_points.settings import Settings, SettingsError

ENVIRON = {"GATEWAY_TABLE": "t", "GATEWAY_KMS_KEY_ID": "k"}


def test_only_table_and_key_are_needed() -> None:
    settings = Settings.from_env(ENVIRON)
    assert (settings.table, settings.kms_key_id, settings.refresh_concurrency) == ("t", "k", 25)
    assert settings.poe_config().web_base_url == "https://poe.com"


@pytest.mark.parametrize("name", ENVIRON)
def test_a_missing_name_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is missing"):
        Settings.from_env({**ENVIRON, name: " "})


def test_addresses_reach_the_clients() -> None:
    environ = {
        "GATEWAY_POE_WEB_BASE_URL": "http://127.0.0.1:1/",
        "GATEWAY_POE_WEB_CHANNEL_URL": "ws://{base_host}:2",
        "GATEWAY_POE_OFFICIAL_BASE_URL": "http://127.0.0.1:3",
        "GATEWAY_PROXY": "http://user:word@127.0.0.1:4",
    }
    settings = Settings.from_env({**ENVIRON, **environ})
    config = settings.poe_config()
    assert (config.web_base_url, config.channel_url) == ("http://127.0.0.1:1", "ws://{base_host}:2")
    assert (config.official_base_url, config.proxy) == ("http://127.0.0.1:3", "http://user:word@127.0.0.1:4")
    assert "word" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("GATEWAY_REFRESH_CONCURRENCY", "0", "an integer from 1 to 100"),
        ("GATEWAY_REFRESH_CONCURRENCY", "2.5", "an integer from 1 to 100"),
        ("GATEWAY_REFRESH_TIMEOUT_SECONDS", "soon", "a number from 1 to 300"),
        ("GATEWAY_POE_WEB_BASE_URL", "poe.com", "begins with https:// or http://"),
        ("GATEWAY_METRICS", "maybe", "one of on, off"),
        ("GATEWAY_LOG_LEVEL", "loud", "one of debug"),
        ("GATEWAY_TABLE", "täble", "printable ASCII"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({**ENVIRON, name: value})
    message = str(refused.value)
    assert name in message
    assert value in message
    assert allowed in message


def test_a_secret_value_is_not_shown() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({**ENVIRON, "GATEWAY_PROXY": "ftp://user:hunter2@proxy"})
    assert "hunter2" not in str(refused.value)
