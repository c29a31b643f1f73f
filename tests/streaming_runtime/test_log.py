"""Where log lines go and what they look like. Beside AWS's client: `test_beside_awss_client`."""

import json
import logging
import os
from collections.abc import Iterator

import pytest

from streaming_runtime import log
from streaming_runtime.current import Current, set_for_process
from streaming_runtime.failures import describe
from streaming_runtime.log_format import JsonFormatter, LogSettings
from streaming_runtime.log_sink import DESCRIPTOR_VARIABLE, FramedSink, StandardSink, frame_type, open_sink


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


@pytest.mark.parametrize(
    ("environ", "level"),
    [
        ({}, None),
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO"}, logging.INFO),
        ({"AWS_LAMBDA_LOG_LEVEL": "TRACE"}, logging.DEBUG),
        ({"AWS_LAMBDA_LOG_LEVEL": "FATAL"}, logging.CRITICAL),
        ({"AWS_LAMBDA_LOG_LEVEL": "loud"}, None),
        ({"POWERTOOLS_LOG_LEVEL": "debug"}, logging.DEBUG),
        ({"LOG_LEVEL": "ERROR"}, logging.ERROR),
        ({"POWERTOOLS_LOG_LEVEL": "INFO", "LOG_LEVEL": "ERROR"}, logging.INFO),
        # Lambda drops what is below its own level; what the function asks beyond that is obeyed.
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO", "POWERTOOLS_LOG_LEVEL": "DEBUG"}, logging.INFO),
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO", "POWERTOOLS_LOG_LEVEL": "ERROR"}, logging.ERROR),
    ],
)
def test_the_level_is_lambdas_or_powertools(environ, level):
    assert LogSettings.from_environ(environ).level == level


def test_the_descriptor_is_taken_out_of_the_environment(pipe):
    environ = {DESCRIPTOR_VARIABLE: str(pipe[1])}
    assert isinstance(open_sink(environ), FramedSink) and not environ
    assert isinstance(open_sink({DESCRIPTOR_VARIABLE: "none"}), StandardSink)


def test_a_frame_is_written_whole_however_the_descriptor_takes_it(pipe, monkeypatch):
    reading, writing = pipe
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:7])))
    FramedSink(writing).write("half a surrogate \ud800 and é\n", level=logging.INFO)
    monkeypatch.undo()
    frame = os.read(reading, 1000)
    assert frame[:4].hex() == "a55a000f" and int.from_bytes(frame[4:8], "big") == len(frame) - 16
    assert frame[16:].decode() == "half a surrogate \\ud800 and é\n"


def test_levels_between_the_five_count_as_the_lower_one():
    assert frame_type(25, is_json=False) == frame_type(logging.INFO, is_json=False)
    assert frame_type(7, is_json=True) == frame_type(logging.NOTSET, is_json=True)
    assert frame_type(90, is_json=True) == frame_type(logging.CRITICAL, is_json=True)


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


def test_what_json_cannot_say_is_written_as_text():
    record = logging.makeLogRecord({"msg": "m", "levelname": "INFO", "levelno": 20, "odd": {1}, "requestId": "mine"})
    document = json.loads(JsonFormatter().format(record))
    # A field of the format is not overwritten by an extra of the same name.
    assert document["odd"] == "{1}" and "requestId" not in document


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
