"""Failures are described without what their exceptions say."""

import json

from streaming_runtime.errors import InitError
from streaming_runtime.failures import causes_of, failure_of, init_failure_of, type_name


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


def test_an_applications_exception_is_its_type_and_place():
    failure = failure_of(caught())
    assert failure.error_type == "ValueError"
    assert any("failing" in frame and __file__ in frame for frame in failure.stack)
    assert b"secret" not in failure.to_json() + failure.to_caller()
    assert set(json.loads(failure.to_json())) == {"errorMessage", "errorType", "stackTrace"}


def test_causes_and_members_of_groups_are_listed_by_type():
    assert causes_of(caught()) == ["KeyError"]
    assert causes_of(ExceptionGroup("g", [caught(), OSError()])) == ["ValueError", "OSError", "KeyError"]


def test_a_type_name_is_fit_for_a_header():
    error_class = type("Fehler_ä\r\n", (Exception,), {})
    assert type_name(error_class()) == "Fehler____"


def test_an_init_error_keeps_its_text_within_bounds():
    failure = init_failure_of(InitError("Runtime.ImportModuleError", "no module " * 1000))
    assert failure.error_type == "Runtime.ImportModuleError" and failure.message.startswith("no module")
    assert len(failure.message) == 2000
