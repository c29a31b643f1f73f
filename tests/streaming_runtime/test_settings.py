"""The environment and its messages."""

from pathlib import Path

import pytest

from streaming_runtime.errors import InitError
from streaming_runtime.settings import Address, Exceptions, Failures, FunctionIdentity, ResponseForm, RestForm, Settings

MINIMAL = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "_HANDLER": "app.handler"}


def test_the_defaults_need_only_what_lambda_sets():
    settings = Settings.from_environ(MINIMAL)
    assert settings.address == Address("127.0.0.1", 9001)
    assert settings.handler == "app.handler"
    assert settings.response_form is ResponseForm.AUTO
    assert (settings.deadline_margin_seconds, settings.shutdown_seconds) == (1.5, 1.5)
    assert settings.runtime_dir is None and settings.concurrency == 1
    assert (settings.rest_form, settings.exceptions, settings.failures) == ("buffered", "show", "respond")
    assert settings.lifespan_seconds == 8 and settings.function == FunctionIdentity()


def test_everything_can_be_set():
    settings = Settings.from_environ(
        {
            **MINIMAL,
            "LAMBDA_TASK_ROOT": "/var/task",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "AWS_LAMBDA_FUNCTION_NAME": "gateway",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/gateway",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/22/[7]abc",
            "STREAMING_RUNTIME_RESPONSE_FORM": "buffered",
            "STREAMING_RUNTIME_DEADLINE_MARGIN_MS": "250",
            "STREAMING_RUNTIME_SHUTDOWN_MS": "0",
            "STREAMING_RUNTIME_LIFESPAN_MS": "60000",
            "STREAMING_RUNTIME_REST_FORM": "streaming",
            "STREAMING_RUNTIME_EXCEPTIONS": "hide",
            "STREAMING_RUNTIME_FAILURES": "report",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
            "AWS_LAMBDA_MAX_CONCURRENCY": "16",
        }
    )
    assert settings.task_root == Path("/var/task") and settings.runtime_dir == Path("/var/runtime")
    assert settings.function == FunctionIdentity(
        name="gateway",
        version="7",
        memory_limit_in_mb="256",
        log_group_name="/aws/lambda/gateway",
        log_stream_name="2026/11/22/[7]abc",
        timeout_seconds=30,
    )
    assert settings.response_form is ResponseForm.BUFFERED
    assert (settings.deadline_margin_seconds, settings.shutdown_seconds) == (0.25, 0.0)
    assert (settings.lifespan_seconds, settings.concurrency) == (60, 16)
    assert settings.rest_form is RestForm.STREAMING and settings.failures is Failures.REPORT
    assert settings.exceptions is Exceptions.HIDE and settings.hides_exceptions


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("AWS_LAMBDA_RUNTIME_API", "", "host:port"),
        ("AWS_LAMBDA_RUNTIME_API", ":9001", "host:port"),
        ("AWS_LAMBDA_RUNTIME_API", "host:99999", "host:port"),
        ("AWS_LAMBDA_RUNTIME_API", "host:x", "host:port"),
        ("STREAMING_RUNTIME_RESPONSE_FORM", "stream", "one of auto, streaming, buffered"),
        ("STREAMING_RUNTIME_LOOP", "trio", "one of auto, asyncio, uvloop"),
        ("STREAMING_RUNTIME_DEADLINE_MARGIN_MS", "-1", "0 to 60000"),
        ("STREAMING_RUNTIME_DEADLINE_MARGIN_MS", "1.5", "0 to 60000"),
        ("STREAMING_RUNTIME_SHUTDOWN_MS", "10001", "0 to 10000"),
        ("STREAMING_RUNTIME_LIFESPAN_MS", "forever", "0 to 900000"),
        ("STREAMING_RUNTIME_REST_FORM", "auto", "one of buffered, streaming"),
        ("STREAMING_RUNTIME_EXCEPTIONS", "true", "one of show, hide"),
        ("STREAMING_RUNTIME_FAILURES", "raise", "one of respond, report"),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "0", "1 to 10000"),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "many", "1 to 10000"),
        ("AWS_LAMBDA_RUNTIME_API", "host:80/a path", "host:port/path"),
        ("AWS_LAMBDA_RUNTIME_API", "https://host:80", "host:port"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name: str, value: str, allowed: str):
    with pytest.raises(InitError) as caught:
        Settings.from_environ({**MINIMAL, name: value})
    message = str(caught.value)
    assert name in message and repr(value) in message and allowed in message
    assert caught.value.error_type == "Runtime.InvalidSetting"


def test_snapstart_is_refused_because_its_part_of_the_runtime_api_is_not_spoken():
    with pytest.raises(InitError) as caught:
        Settings.from_environ({**MINIMAL, "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"})
    assert caught.value.error_type == "Runtime.SnapStartUnsupported"


@pytest.mark.parametrize(
    ("value", "address", "authority"),
    [
        ("localhost", Address("localhost", 80), "localhost:80"),
        ("[::1]:9001", Address("::1", 9001), "[::1]:9001"),
        ("[::1]", Address("::1", 80), "[::1]:80"),
        ("127.0.0.1:9000/.rt/function", Address("127.0.0.1", 9000, "/.rt/function"), "127.0.0.1:9000"),
        ("http://127.0.0.1:9000/.rt", Address("127.0.0.1", 9000, "/.rt"), "127.0.0.1:9000"),
        ("127.0.0.1:9000/", Address("127.0.0.1", 9000), "127.0.0.1:9000"),
        ("[::1]:9001/rt/", Address("::1", 9001, "/rt"), "[::1]:9001"),
    ],
)
def test_addresses_in_other_forms(value: str, address: Address, authority: str):
    read = Address.from_environ({"AWS_LAMBDA_RUNTIME_API": value})
    assert read == address and read.authority == authority


@pytest.mark.parametrize("timeout", ["0", "-3", "soon", "", "9" * 12])
def test_a_timeout_that_cannot_be_is_unknown(timeout: str):
    settings = Settings.from_environ({**MINIMAL, "AWS_LAMBDA_FUNCTION_TIMEOUT": timeout})
    assert settings.function.timeout_seconds is None


def test_the_first_and_the_last_of_each_range_are_taken():
    lowest = {"AWS_LAMBDA_RUNTIME_API": "host:1", "AWS_LAMBDA_FUNCTION_TIMEOUT": "1", "AWS_LAMBDA_MAX_CONCURRENCY": "1"}
    highest = {
        "AWS_LAMBDA_RUNTIME_API": "host:65535",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(7 * 24 * 3600),
        "AWS_LAMBDA_MAX_CONCURRENCY": "10000",
        "STREAMING_RUNTIME_SHUTDOWN_MS": "10000",
    }
    read = [Settings.from_environ({**MINIMAL, **values}) for values in (lowest, highest)]
    assert [each.address.port for each in read] == [1, 65535]
    assert [each.function.timeout_seconds for each in read] == [1, 7 * 24 * 3600]
    assert [each.concurrency for each in read] == [1, 10_000]
    assert read[1].shutdown_seconds == 10


@pytest.mark.parametrize("address", ["host:0", "host:65536"])
def test_a_port_that_cannot_be_is_refused(address: str):
    with pytest.raises(InitError):
        Settings.from_environ({**MINIMAL, "AWS_LAMBDA_RUNTIME_API": address})
