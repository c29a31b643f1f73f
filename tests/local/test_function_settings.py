"""What the functions would refuse, or nothing reads, is said before anything starts."""

from __future__ import annotations

import pytest

from local.function_settings import check_function_variables, remarks
from local.settings import RUN_MARK, SettingsError


def test_settings_of_both_functions_are_taken():
    check_function_variables(
        {"GATEWAY_MAX_ATTEMPTS": "2", "GATEWAY_REFRESH_CONCURRENCY": "3", "STREAMING_RUNTIME_X": "1"}
    )


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GATEWAY_MAX_ATTEMPTS": "many"}, "GATEWAY_MAX_ATTEMPTS: 'many' is not allowed"),
        ({"GATEWAY_REFRESH_CONCURRENCY": "0"}, "GATEWAY_REFRESH_CONCURRENCY: '0' is not allowed"),
        ({"GATEWAY_ADMIN_KEY": "hush"}, "GATEWAY_ADMIN_KEY: its value is not allowed"),
    ],
)
def test_a_value_that_a_function_would_refuse_is_told_in_its_words(variables, said):
    with pytest.raises(SettingsError, match=said):
        check_function_variables(variables)


def test_variables_that_nothing_reads_are_named_with_what_they_resemble():
    variables = {"GATEWAY_LOGLEVEL": "debug", "GATEWAY_ZEBRA": "1", "GATEWAY_LOG_LEVEL": "debug", "GATEWAY_URL": "x"}
    assert remarks({}, variables) == [
        "GATEWAY_LOGLEVEL is not a setting, and is not used. Did you mean GATEWAY_LOG_LEVEL?",
        "GATEWAY_ZEBRA is not a setting, and is not used.",
    ]


def test_the_original_gateways_variables_are_named_with_what_to_do():
    (told,) = remarks({"ADMIN_API_KEY": "hush", "MONGODB_URI": ""}, {})
    assert told == "ADMIN_API_KEY is not used: it is GATEWAY_ADMIN_KEY here."


def test_a_key_of_another_run_is_not_taken_in_silence():
    (told,) = remarks({RUN_MARK: "http://127.0.0.1:1", "GATEWAY_ADMIN_KEY": "k" * 16}, {})
    assert "run.env" in told
    assert "kkkk" not in told
