"""The original gateway's variables are named, never silently unused."""

from __future__ import annotations

from pool.original_names import ORIGINAL_NAMES, original_variables


def test_only_what_is_set_is_named_and_no_value_is_shown() -> None:
    told = original_variables({"ADMIN_API_KEY": "hush", "FERNET_KEY": " ", "HOME": "/"})
    assert told == {"ADMIN_API_KEY": ORIGINAL_NAMES["ADMIN_API_KEY"]}
    assert "hush" not in str(told)


def test_no_name_is_one_of_ours() -> None:
    assert not [name for name in ORIGINAL_NAMES if name.startswith("GATEWAY_") and name != "GATEWAY_CONFIG_FILE"]
