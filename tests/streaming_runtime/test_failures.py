"""How failures are described: to Lambda and the log, to X-Ray, to the caller."""

import json

import pytest

from streaming_runtime import failures
from streaming_runtime.errors import InitError
from streaming_runtime.failures import causes_of, describe, init_failure_of, type_name


def failing() -> None:
    try:
        raise KeyError("sk-secret")
    except KeyError as error:
        raise ValueError("p-b=secret") from error


def caught() -> ValueError:
    try:
        failing()
    except ValueError as error:
        return error
    raise AssertionError


def test_an_exception_is_its_text_and_traceback():
    document = json.loads(describe(caught(), hides_text=False).to_json("id-1"))
    assert (document["errorType"], document["errorMessage"], document["requestId"]) == (
        "ValueError",
        "p-b=secret",
        "id-1",
    )
    assert 'raise ValueError("p-b=secret") from error' in document["stackTrace"][-1]


def test_where_its_text_is_hidden_it_is_its_type_and_place():
    failure = describe(caught(), hides_text=True)
    assert failure.error_type == "ValueError"
    assert any("failing" in frame and __file__ in frame for frame in failure.stack)
    assert "secret" not in failure.to_json().decode() + failure.to_xray()
    assert set(json.loads(failure.to_json())) == {"errorMessage", "errorType", "requestId", "stackTrace"}


@pytest.mark.parametrize("hides_text", [True, False])
def test_the_caller_never_reads_an_exceptions_text(hides_text: bool):
    assert b"secret" not in describe(caught(), hides_text=hides_text).to_caller()


def test_x_ray_gets_the_frames_and_the_files():
    document = json.loads(describe(caught(), hides_text=False).to_xray())
    (exception,) = document["exceptions"]
    assert (exception["type"], exception["message"]) == ("ValueError", "p-b=secret")
    assert exception["stack"][-1]["label"] == "failing" and document["paths"] == [__file__]


def deep(levels: int) -> None:
    """Each frame in a line of its own: repeated ones are summed up."""
    if not levels:
        raise ValueError("x" * 50_000)
    if levels % 2:
        deep(levels - 1)
    else:
        deep(levels - 1)


def test_what_is_sent_as_a_header_or_trailer_is_bounded_and_keeps_the_innermost():
    try:
        deep(900)
    except ValueError as error:
        failure = describe(error, hides_text=False)
    assert len(failure.message) == failures.MAX_MESSAGE_CHARACTERS and failure.message.endswith("…")
    short = json.loads(failure.to_short_json())
    assert len(failure.to_short_json()) <= failures.MAX_HEADER_BYTES >= len(failure.to_xray())
    assert short["errorType"] == "ValueError" and short["errorMessage"].startswith("xxx")
    assert len(failure.stack) == failures.MAX_FULL_FRAMES


def test_an_exception_that_cannot_be_written_is_described_nevertheless():
    class Unwritable(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert describe(Unwritable(), hides_text=False).message == "(its text could not be read)"


def test_causes_and_members_of_groups_are_listed_by_type():
    assert causes_of(caught()) == ["KeyError"]
    assert causes_of(ExceptionGroup("g", [caught(), OSError()])) == ["ValueError", "OSError", "KeyError"]


def test_a_type_name_is_fit_for_a_header():
    error_class = type("Fehler_ä\r\n", (Exception,), {})
    assert type_name(error_class()) == "Fehler____"


def test_an_init_error_keeps_its_text_within_bounds():
    failure = init_failure_of(InitError("Runtime.ImportModuleError", "no module " * 10_000))
    assert failure.error_type == "Runtime.ImportModuleError" and failure.message.startswith("no module")
    assert len(failure.message) == failures.MAX_MESSAGE_CHARACTERS
