"""The runtime and AWS's own client side by side: the same events, the same code, the same environment.

AWS's client calls `handler(event, context)`, the runtime the ASGI application beside it; both call the same functions.
Differences that are meant are listed in the README of the layer, and named here where they show.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("awslambdaric", reason="a test dependency without a wheel for every machine")

WRAPPER = Path(__file__).parents[2] / "layers" / "streaming_runtime" / "streaming-runtime"
PATIENCE_SECONDS = 20

SAMPLE = """
import json, logging, sys
log = logging.getLogger("sample")

def attributes(value, names):
    return None if value is None else {name: getattr(value, name) for name in names.split()}

def describe(context):
    told = attributes(context, "aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb "
                               "function_version invoked_function_arn tenant_id")
    client_context = context.client_context
    told["identity"] = attributes(context.identity, "cognito_identity_id cognito_identity_pool_id")
    told["client_context"] = attributes(client_context, "custom env")
    if client_context is not None:
        told["client"] = attributes(client_context.client, "installation_id app_title app_version_name "
                                                           "app_version_code app_package_name")
    told["w3c"] = context.w3c()
    context.function_name = "renamed"
    context.added = 1
    told["set"] = [context.function_name, context.added]
    told["remaining"] = 0 < context.get_remaining_time_in_millis() <= 30000
    return told

def speak(context):
    print("printed")
    logging.info("root info")
    log.debug("debug %s", 1)
    log.info("info with extra", extra={"order": 7, "unwritable": ValueError})
    log.warning({"an": "object"})
    log.error("several\\nlines")
    log.critical("critical, and not ASCII: \\u00e9\\u4e2d")
    log.log(25, "between two levels")
    try:
        boom()
    except ValueError:
        log.exception("caught")
    context.log("through the context\\n")
    return "spoken"

def boom():
    raise ValueError("an exception's text")

def act(name, context):
    if name == "describe":
        return describe(context)
    if name == "speak":
        return speak(context)
    if name == "exit":
        sys.exit(3)
    boom()

def handler(event, context):
    return act(event["rawPath"].strip("/"), context)

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    result = act(scope["path"].strip("/"), scope["aws.context"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(result).encode()})
"""


@dataclass
class Client:
    """One of both: how it is started, and how its answer is read."""

    name: str
    command: tuple[str, ...]
    handler: str

    def read(self, exchange: Any) -> Any:
        """What the handler returned, as JSON."""
        return json.loads(exchange.streamed_body if exchange.chunks else exchange.body)


OURS = Client("runtime", (str(WRAPPER), sys.executable, "/var/runtime/bootstrap.py"), "sample_app.app")
AWSS = Client("awslambdaric", (sys.executable, "-m", "awslambdaric", "sample_app.handler"), "sample_app.handler")
Start = Callable[..., Awaitable["Started"]]


@dataclass
class Started:
    """One of both at work, with a Runtime API of its own."""

    process: asyncio.subprocess.Process
    api: Any

    async def wait(self) -> int:
        """The exit status of a process that ends by itself."""
        return await asyncio.wait_for(self.process.wait(), PATIENCE_SECONDS)

    async def stop(self) -> str:
        """End it; what it wrote to standard output."""
        if self.process.returncode is None:
            self.process.kill()
        return (await self.process.communicate())[0].decode()


@pytest.fixture
async def start(new_runtime_api: Any, tmp_path: Path) -> AsyncIterator[Start]:
    """Start one of both with the sample, in the same environment."""
    (tmp_path / "sample_app.py").write_text(SAMPLE)
    started: list[Started] = []

    async def start(
        client: Client, *, handler: str | None = None, pass_fds: tuple[int, ...] = (), **environ: str
    ) -> Started:
        command = client.command
        if handler is not None and client is AWSS:
            command = (*command[:-1], handler)
        api = await new_runtime_api()
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            pass_fds=pass_fds,
            env={
                "PATH": os.environ["PATH"],
                "AWS_LAMBDA_RUNTIME_API": api.address.authority,
                "AWS_LAMBDA_FUNCTION_NAME": "sample",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/sample",
                "LAMBDA_TASK_ROOT": str(tmp_path),
                "PYTHONPATH": str(tmp_path),
                "_HANDLER": handler or client.handler,
                **environ,
            },
        )
        started.append(Started(process, api))
        return started[-1]

    yield start
    for one in started:
        await one.stop()


HEADERS: list[dict[str, str]] = [
    {},
    {"Lambda-Runtime-Trace-Id": "Root=1-a", "Lambda-Runtime-Aws-Tenant-Id": "tenant-1"},
    {
        "Lambda-Runtime-Client-Context": json.dumps(
            {
                "client": {"installation_id": "i", "app_title": "t", "app_version_name": "n", "other": 1},
                "custom": {"key": "value"},
                "env": {"platform": "p"},
                "w3c": {"traceparent": "00-a", "tracestate": 7, "other": "x"},
            }
        ),
        "Lambda-Runtime-Cognito-Identity": json.dumps({"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}),
    },
    {"Lambda-Runtime-Client-Context": '{"custom": null}', "Lambda-Runtime-Cognito-Identity": "{}"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=["plain", "tenant", "mobile", "empty"])
async def test_the_context_is_the_same(start, function_url, headers):
    seen = []
    for client in (OURS, AWSS):
        started = await start(client)
        exchange = started.api.enqueue(function_url("/describe"), headers=headers, request_id="id-1")
        seen.append(client.read(await exchange.end()))
    assert seen[0] == seen[1]
    assert seen[0]["function_name"] == "sample" and seen[0]["function_version"] is None


def normalise(text: str) -> list[str]:
    """Log lines without what differs by nature: times, and the frames above the sample's own."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", "TIME", text)
    text = re.sub(r'"location": "[^"]*"', '"location": "X"', text)
    # AWS's client forgets the line end behind a traceback.
    text = text.replace("an exception's textthrough", "an exception's text\nthrough")
    # asyncio names its selector at DEBUG; AWS's client has no event loop.
    return [line for line in text.splitlines() if "Using selector" not in line]


ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"AWS_LAMBDA_LOG_LEVEL": "INFO"},
    {"AWS_LAMBDA_LOG_LEVEL": "TRACE"},
    {"AWS_LAMBDA_LOG_LEVEL": "ERROR"},
    {"AWS_LAMBDA_LOG_FORMAT": "JSON"},
    {"AWS_LAMBDA_LOG_FORMAT": "json", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"},
    {"AWS_LAMBDA_LOG_FORMAT": "Text", "AWS_LAMBDA_LOG_LEVEL": "nonsense"},
]


@pytest.mark.parametrize("environ", ENVIRONMENTS, ids=lambda value: "-".join(value.values()) or "default")
async def test_what_the_handler_logs_is_written_the_same(start, function_url, environ):
    written = []
    for client in (OURS, AWSS):
        started = await start(client, **environ)
        exchange = started.api.enqueue(
            function_url("/speak"), request_id="id-1", headers={"Lambda-Runtime-Aws-Tenant-Id": "t"}
        )
        assert client.read(await exchange.end()) == "spoken"
        written.append(normalise(await started.stop()))
    assert written[0] == written[1]
    assert any("critical" in line for line in written[0])


@pytest.mark.parametrize("environ", ENVIRONMENTS, ids=lambda value: "-".join(value.values()) or "default")
async def test_what_the_handler_logs_is_framed_the_same(start, function_url, environ):
    framed = []
    for client in (OURS, AWSS):
        reading, writing = os.pipe()
        started = await start(client, pass_fds=(writing,), _LAMBDA_TELEMETRY_LOG_FD=str(writing), **environ)
        os.close(writing)
        for path in ("/speak", "/fail"):
            await started.api.enqueue(function_url(path), request_id=path.strip("/")).end()
        await started.stop()
        with open(reading, "rb") as pipe:  # noqa: PTH123 - a pipe whose writer has ended
            framed.append(read_frames(pipe.read()))
    # The runtime's frames of a failed request are those behind AWS's.
    ours, awss = ([frame for frame in frames if "Using selector" not in frame[1]] for frames in framed)
    assert [kind for kind, _ in ours] == [kind for kind, _ in awss]
    for (_, mine), (_, theirs) in zip(ours[:-1], awss[:-1], strict=True):
        assert normalise(mine) == normalise(theirs)
    assert "ValueError" in ours[-1][1] and "an exception's text" in awss[-1][1]


def read_frames(data: bytes) -> list[tuple[str, str]]:
    """Type and message of each frame."""
    frames = []
    while data:
        length = int.from_bytes(data[4:8], "big")
        frames.append((data[:4].hex(), data[16 : 16 + length].decode()))
        assert int.from_bytes(data[8:16], "big") > 1_700_000_000_000_000
        data = data[16 + length :]
    return frames


async def test_an_exception_is_reported_the_same(start, function_url):
    reports = []
    for client, environ in ((OURS, {"STREAMING_RUNTIME_FAILURES": "report"}), (AWSS, {})):
        started = await start(client, **environ)
        exchange = await started.api.enqueue(function_url("/fail"), request_id="id-1").end()
        out = await started.stop()
        assert exchange.path.endswith("/error")
        document = json.loads(exchange.body)
        cause = json.loads(exchange.request_headers["lambda-runtime-function-xray-error-cause"])
        # The application's frames are those below the client's.
        document["stackTrace"] = document["stackTrace"][-2:]
        (exception,) = cause["exceptions"]
        exception["stack"] = exception["stack"][-2:]
        reports.append((document, exception, cause["working_directory"], cause["paths"]))
        # The lines of an error are one event, joined as CloudWatch wants it.
        (line,) = [line for line in out.split("\n") if line.startswith("[ERROR]")]
        first, second, *frames = line.split("\r")
        assert (first, second) == ("[ERROR] ValueError: an exception's text", "Traceback (most recent call last):")
        assert frames[-1] == '\u00a0\u00a0\u00a0\u00a0raise ValueError("an exception\'s text")'
    assert reports[0] == reports[1]


async def test_an_exception_is_logged_the_same_as_json(start, function_url):
    lines = []
    for client in (OURS, AWSS):
        started = await start(client, AWS_LAMBDA_LOG_FORMAT="JSON")
        await started.api.enqueue(function_url("/fail"), request_id="id-1").end()
        (line,) = (await started.stop()).splitlines()
        document = json.loads(line)
        document["stackTrace"] = document["stackTrace"][-2:]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document.pop("timestamp"))
        lines.append(document)
    assert lines[0] == lines[1] and lines[0]["requestId"] == "id-1"


BROKEN = {
    "import_error": "import no_such_module",
    "syntax_error": "def f(:",
    "own_error": "raise KeyError('at import')",
}


@pytest.mark.parametrize("name", ["import_error", "syntax_error", "own_error", "no_such", "sample_app"])
async def test_an_init_error_is_reported_the_same(start, tmp_path, name):
    for module, source in BROKEN.items():
        (tmp_path / f"{module}.py").write_text(source)
    errors = []
    for client in (OURS, AWSS):
        started = await start(client, handler=f"{name}.missing")
        assert await started.wait() == 1
        errors += started.api.init_errors
    (ours_headers, ours), (awss_headers, awss) = errors
    for key in ("errorType", "errorMessage"):
        assert ours[key] == awss[key]
    header = "lambda-runtime-function-error-type"
    assert ours_headers[header] == awss_headers[header]


async def test_an_application_that_exits_ends_the_process_with_its_status(start, function_url):
    """AWS's client says nothing: Lambda finds that the process has ended. The runtime reports it first."""
    for client in (OURS, AWSS):
        started = await start(client)
        exchange = started.api.enqueue(function_url("/exit"))
        assert await started.wait() == 3
        assert exchange.path == (
            "" if client is AWSS else f"/2018-06-01/runtime/invocation/{exchange.request_id}/error"
        )
