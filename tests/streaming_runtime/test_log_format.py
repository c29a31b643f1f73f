"""Levels and formats of the root logger. Beside AWS's client: `test_beside_awss_client`."""

import json
import logging

import pytest

from streaming_runtime.log_format import JsonFormatter, LogSettings


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


def test_what_json_cannot_say_is_written_as_text():
    record = logging.makeLogRecord({"msg": "m", "levelname": "INFO", "levelno": 20, "odd": {1}, "requestId": "mine"})
    document = json.loads(JsonFormatter().format(record))
    # A field of the format is not overwritten by an extra of the same name.
    assert document["odd"] == "{1}" and "requestId" not in document
