"""Fields by the names of callers' APIs."""

from __future__ import annotations

import pytest

from gateway.http.errors import INVALID_REQUEST, GatewayError
from gateway.http.field_names import rename, renaming

PAIRS = (("stop", "stop_sequences"), ("response_format", "text.format"))


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("stop", "stop_sequences"),
        ("stop[2]", "stop_sequences[2]"),
        ("response_format.type", "text.format.type"),
        ("stopper", "stopper"),
        ("", ""),
    ],
)
def test_a_field_and_its_parts_are_renamed_and_no_other(name: str, renamed: str) -> None:
    assert rename(name, PAIRS) == renamed


def test_an_error_names_the_callers_field_in_all_its_parts() -> None:
    with pytest.raises(GatewayError) as caught, renaming(lambda name: rename(name, PAIRS)):
        raise GatewayError(INVALID_REQUEST, "'stop[0]' must be a string.", param="stop[0]", code="invalid_type")
    error = caught.value
    assert (error.param, error.message, error.code) == (
        "stop_sequences[0]",
        "'stop_sequences[0]' must be a string.",
        "invalid_type",
    )


@pytest.mark.parametrize("param", [None, "model"])
def test_other_errors_pass_as_they_are(param: str | None) -> None:
    error = GatewayError(INVALID_REQUEST, "No.", param=param, retry_after_seconds=3)
    with pytest.raises(GatewayError) as caught, renaming(lambda name: rename(name, PAIRS)):
        raise error
    assert caught.value is error
