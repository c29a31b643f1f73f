"""The client of the Runtime API against a server that misbehaves."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from streaming_runtime.errors import (
    RuntimeApiMalformedResponseError,
    RuntimeApiRefusedError,
    RuntimeApiResponseTooLargeError,
    RuntimeApiUnreachableError,
)
from streaming_runtime.failures import DEADLINE
from streaming_runtime.http11 import MAX_BODY_BYTES, MAX_HEAD_BYTES
from streaming_runtime.response_head import ResponseHead
from streaming_runtime.response_stream import ResponseStream
from streaming_runtime.runtime_api import RETRY_PAUSES_SECONDS, RuntimeApi
from streaming_runtime.settings import Address


@pytest.fixture
def pauses() -> list[float]:
    """The pauses that the client made, without their duration."""
    return []


@pytest.fixture
async def api(runtime_api, pauses) -> AsyncIterator[RuntimeApi]:
    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    api = RuntimeApi(runtime_api.address, sleep=sleep)
    yield api
    api.close()


async def test_an_invocation_has_what_its_headers_say(api, runtime_api):
    exchange = runtime_api.enqueue({"a": 1}, headers={"Lambda-Runtime-Trace-Id": "Root=1-5"})
    invocation = await api.next_invocation()
    assert invocation.request_id == exchange.request_id and invocation.deadline_ms == exchange.deadline_ms
    assert invocation.payload == b'{"a": 1}' and invocation.trace_id == "Root=1-5"
    assert invocation.function_arn.startswith("arn:aws:lambda:")
    assert "payload" not in repr(invocation)


async def test_one_connection_serves_all_requests(api, runtime_api):
    for _ in range(3):
        exchange = runtime_api.enqueue({})
        invocation = await api.next_invocation()
        await api.post_response(invocation, b'{"statusCode":200}', timeout_seconds=5)
        await exchange.end()
        assert exchange.body == b'{"statusCode":200}'
    assert runtime_api.connections == 1


async def stream_an_answer(api: RuntimeApi, runtime_api, end: bytes = b"") -> None:
    exchange = runtime_api.enqueue({})
    stream = ResponseStream(api, await api.next_invocation(), asyncio.Event())
    await stream.open(ResponseHead(200, ()), b"first, ")
    stream.write(b"second")
    stream.finish(end)
    await stream.settle(timeout_seconds=30)
    await exchange.end()
    assert exchange.is_complete and exchange.streamed_body == b"first, second" + end


async def test_a_streamed_response_goes_over_the_connection_that_its_invocation_came_by(api, runtime_api):
    for end in (b"", b", end", b""):
        await stream_an_answer(api, runtime_api, end)
    assert runtime_api.connections == 1


async def test_a_streamed_response_trusts_no_connection_that_rested_long(api, runtime_api, monkeypatch):
    monkeypatch.setattr("streaming_runtime.runtime_api.FRESH_SECONDS", -1.0)
    for _ in range(2):
        await stream_an_answer(api, runtime_api)
    # Each response opens one, and leaves it for the next poll.
    assert runtime_api.connections == 3


async def test_nothing_to_do_means_polling_again_with_a_pause(api, runtime_api, pauses):
    runtime_api.enqueue_raw(b"HTTP/1.1 204 No Content\r\n\r\n")
    runtime_api.enqueue_raw(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    runtime_api.enqueue({})
    await api.next_invocation()
    assert len(pauses) >= 2


async def test_a_dropped_connection_is_replaced(api, runtime_api, pauses):
    runtime_api.enqueue_raw(None)
    runtime_api.enqueue_raw(b"HTTP/1.1 200 OK\r\nContent-Le")
    runtime_api.enqueue({})
    await api.next_invocation()
    assert runtime_api.connections == 3 and pauses == list(RETRY_PAUSES_SECONDS[:2])


async def test_reconnecting_ends_after_a_few_tries(api, runtime_api, pauses):
    for _ in range(10):
        runtime_api.enqueue_raw(None)
    with pytest.raises(RuntimeApiUnreachableError):
        await api.next_invocation()
    assert pauses == list(RETRY_PAUSES_SECONDS)


async def test_nobody_listening_is_a_typed_error(unused_tcp_port: int):
    async def no_sleep(seconds: float) -> None:
        pass

    api = RuntimeApi(Address("127.0.0.1", unused_tcp_port), sleep=no_sleep)
    with pytest.raises(RuntimeApiUnreachableError):
        await api.next_invocation()
    with pytest.raises(RuntimeApiUnreachableError):
        await api.post_init_error(DEADLINE, timeout_seconds=5)


GOOD = b"Lambda-Runtime-Aws-Request-Id: a\r\nLambda-Runtime-Deadline-Ms: 1\r\n"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"\x16\x03\x01 not http\r\n\r\n", RuntimeApiMalformedResponseError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", RuntimeApiMalformedResponseError),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + GOOD.replace(b": a", b": ../b") + b"\r\n",
            RuntimeApiMalformedResponseError,
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", RuntimeApiResponseTooLargeError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), RuntimeApiResponseTooLargeError),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", RuntimeApiRefusedError),
        (b"HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n", RuntimeApiRefusedError),
    ],
    ids=["no-http", "no-id", "path-in-id", "big-head", "big-body", "forbidden", "broken"],
)
async def test_a_bad_answer_is_a_typed_error(api, runtime_api, answer: bytes, error: type[Exception]):
    runtime_api.enqueue_raw(answer)
    with pytest.raises(error):
        await api.next_invocation()


@pytest.mark.parametrize("deadline", ["soon", "-1", "", "1" * 40])
async def test_a_deadline_that_is_no_number_is_unknown(api, runtime_api, deadline):
    runtime_api.enqueue({}, headers={"Lambda-Runtime-Deadline-Ms": deadline})
    assert (await api.next_invocation()).deadline_ms is None


async def test_whatever_is_posted_repeats_the_id_of_the_invocation(api, runtime_api):
    for post, more in ((api.post_response, b"{}"), (api.post_invocation_error, DEADLINE)):
        exchange = runtime_api.enqueue({}, headers={"Lambda-Runtime-Invocation-Id": "nonce-1"})
        await post(await api.next_invocation(), more, timeout_seconds=5)
        assert (await exchange.end()).request_headers["lambda-runtime-invocation-id"] == "nonce-1"
    exchange = runtime_api.enqueue({})
    await api.post_response(await api.next_invocation(), b"{}", timeout_seconds=5)
    assert "lambda-runtime-invocation-id" not in (await exchange.end()).request_headers


async def test_an_address_with_a_path_is_spoken_to_below_it(runtime_api):
    address = Address.from_environ({"AWS_LAMBDA_RUNTIME_API": f"{runtime_api.address.authority}/.rt/function"})
    api = RuntimeApi(address)
    exchange = runtime_api.enqueue({})
    await api.post_response(await api.next_invocation(), b"{}", timeout_seconds=5)
    await exchange.end()
    api.close()
    assert [path.partition("/2018-06-01/")[0] for _, _, path in runtime_api.requests] == ["/.rt/function"] * 2


async def test_an_invocation_error_is_lambdas_document(api, runtime_api):
    exchange = runtime_api.enqueue({})
    invocation = await api.next_invocation()
    await api.post_invocation_error(invocation, DEADLINE, timeout_seconds=5)
    await exchange.end()
    assert exchange.path.endswith("/error")
    assert exchange.request_headers["lambda-runtime-function-error-type"] == "Runtime.DeadlineExceeded"
    assert b'"errorType": "Runtime.DeadlineExceeded"' in exchange.body


async def test_a_refused_response_is_a_typed_error(api, runtime_api):
    runtime_api.enqueue({}, answer_status=413)
    invocation = await api.next_invocation()
    with pytest.raises(RuntimeApiRefusedError) as caught:
        await api.post_response(invocation, b"{}", timeout_seconds=5)
    assert caught.value.status == 413


async def test_a_cancelled_request_leaves_a_client_that_works(api, runtime_api):
    waiting = asyncio.ensure_future(api.next_invocation())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    runtime_api.enqueue({})
    await asyncio.wait_for(api.next_invocation(), 30)
