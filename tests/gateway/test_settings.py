"""Settings from the environment."""

from __future__ import annotations

import pytest

from gateway.settings import Settings, SettingsError


def test_defaults_need_only_the_tables_and_the_keys_names() -> None:
    settings = Settings.from_env({"GATEWAY_TABLE": "accounts", "GATEWAY_KMS_KEY_ID": "alias/k"})
    assert (settings.store, settings.table, settings.max_body_bytes) == ("dynamodb", "accounts", 6 * 1024 * 1024)


def test_values_are_read_in_their_types() -> None:
    settings = Settings.from_env(
        {
            "GATEWAY_STORE": "Memory",
            "GATEWAY_MAX_ATTEMPTS": " 5 ",
            "GATEWAY_KEEP_ALIVE_SECONDS": "0.5",
            "GATEWAY_CORS_ORIGINS": "https://a.example, https://b.example",
            "GATEWAY_POE_WEB_BASE_URL": "http://127.0.0.1:9/",
            "GATEWAY_POE_WEB_CHANNEL_URL": "ws://127.0.0.1:9/{n}",
        }
    )
    assert (settings.store, settings.max_attempts, settings.keep_alive_seconds) == ("memory", 5, 0.5)
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.poe_web_base_url == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("GATEWAY_STORE", "mongo", "one of dynamodb, memory"),
        ("GATEWAY_MAX_ATTEMPTS", "0", "an integer from 1 to 10"),
        ("GATEWAY_MAX_ATTEMPTS", "two", "an integer from 1 to 10"),
        ("GATEWAY_KEEP_ALIVE_SECONDS", "-1", "a number from 0.05 to 60"),
        ("GATEWAY_KEEP_ALIVE_SECONDS", "nan", "a number from 0.05 to 60"),
        ("GATEWAY_POE_WEB_BASE_URL", "poe.com", "an address that begins with https:// or http://"),
        ("GATEWAY_POE_WEB_CHANNEL_URL", "https://x", "an address that begins with wss:// or ws://"),
        ("GATEWAY_LOG_LEVEL", "loud", "one of debug, info, warning, error, critical"),
        ("GATEWAY_USER_AGENT", "a\nb", "printable ASCII"),
    ],
)
def test_a_wrong_value_is_told_with_name_value_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"GATEWAY_STORE": "memory", name: value})
    assert str(caught.value) == f"{name}: {value!r} is not allowed; it must be {allowed}"


@pytest.mark.parametrize("name", ["GATEWAY_ADMIN_KEY", "GATEWAY_PROXY"])
def test_a_wrong_secret_is_not_repeated(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"GATEWAY_STORE": "memory", name: "hush\x07"})
    assert name in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("missing", ["GATEWAY_TABLE", "GATEWAY_KMS_KEY_ID"])
def test_what_the_table_needs_must_be_named(missing: str) -> None:
    environ = {"GATEWAY_TABLE": "t", "GATEWAY_KMS_KEY_ID": "k"}
    del environ[missing]
    with pytest.raises(SettingsError, match=missing):
        Settings.from_env(environ)


def test_secrets_do_not_show_in_a_repr() -> None:
    environ = {
        "GATEWAY_STORE": "memory",
        "GATEWAY_ADMIN_KEY": "hush-hush-hush-hush",
        "GATEWAY_PROXY": "http://u:hush@p",
    }
    assert "hush" not in repr(Settings.from_env(environ))
