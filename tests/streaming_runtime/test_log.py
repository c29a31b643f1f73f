"""Where log lines go and what they look like. Beside AWS's client: `test_beside_awss_client`."""

import json
import logging
import os
from collections.abc import Iterator

import pytest

from streaming_runtime import log
from streaming_runtime.current import Current, set_for_process
from streaming_runtime.failures import describe
from streaming_runtime.log_sink import DESCRIPTOR_VARIABLE, StandardSink, frame_type


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put right afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield root
    log.configure({})
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_the_root_logger_writes_lambdas_text(root_logger, capsys):
    log.configure({})
    set_for_process(Current("id-1"))
    logging.getLogger("library").warning("careful")
    level, time, request_id, message = capsys.readouterr().out.split("\t")
    assert (level, request_id, message) == ("[WARNING]", "id-1", "careful\n") and time.endswith("Z")


def test_an_application_that_configures_logging_changes_nothing_as_on_lambda(root_logger, capsys):
    log.configure({})
    handlers = root_logger.handlers[:]
    logging.basicConfig(level="DEBUG", format="mine %(message)s")
    assert root_logger.handlers == handlers


@pytest.mark.parametrize(("level", "is_written"), [("WARNING", True), ("ERROR", True), ("CRITICAL", False)])
def test_problems_obey_the_level(capsys, level, is_written):
    log.configure({"AWS_LAMBDA_LOG_LEVEL": level})
    log.problem("some.problem", "ERROR", number=7)
    err = capsys.readouterr().err
    assert bool(err) is is_written
    if err:
        document = json.loads(err)
        assert (document["level"], document["message"], document["number"]) == ("ERROR", "some.problem", 7)


def test_problems_are_frames_of_json_where_lambda_takes_frames(pipe):
    reading, writing = pipe
    log.configure({DESCRIPTOR_VARIABLE: str(writing)})
    log.problem("some.problem", "WARNING")
    frame = os.read(reading, 1000)
    assert frame[:4] == frame_type(logging.WARNING, is_json=True)
    assert json.loads(frame[16:])["message"] == "some.problem"


def test_a_failure_keeps_its_level_even_where_the_sink_has_none(capsys):
    log.configure({})
    log.app_error("app.failed", ValueError("text"), request_id="id-1")
    assert capsys.readouterr().out.startswith("[ERROR] ValueError: text\rTraceback (most recent call last):")


def test_a_warning_about_an_application_is_a_problem_with_its_text_unless_hidden(capsys):
    log.configure({})
    for hides, is_shown in ((False, True), (True, False)):
        log.hide_exceptions(hides)
        log.app_error("response.connection_lost", ValueError("text"), "WARNING")
        assert ("text" in capsys.readouterr().err) is is_shown


def test_a_failure_without_a_text_is_its_type(capsys):
    log.configure({})
    log.failure(describe(KeyError(), hides_text=False))
    assert capsys.readouterr().out.startswith("[ERROR] KeyError\rTraceback")


def test_a_line_that_cannot_be_written_does_not_raise(root_logger, monkeypatch, capsys):
    log.configure({})

    def refuse(*arguments: object, **named: object) -> None:
        raise OSError

    monkeypatch.setattr(StandardSink, "write", refuse)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logging.getLogger("library").error("lost")
