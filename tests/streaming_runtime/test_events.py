"""Events become ASGI requests, emulators' quirks included."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from mangum import Mangum

from streaming_runtime.context import LambdaContext
from streaming_runtime.errors import UnsupportedEventError
from streaming_runtime.events import HttpRequest, build_request, is_function_url, parse_event
from streaming_runtime.runtime_api import Invocation
from streaming_runtime.settings import Address, FunctionIdentity, ResponseForm, RestForm, Settings

pytestmark = pytest.mark.usefixtures("current_loop")


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Never called here."""


@pytest.fixture
def context() -> LambdaContext:
    return LambdaContext(Invocation("id-1", 1000, b""), FunctionIdentity())


@pytest.fixture
def build(context: LambdaContext):
    def build(
        event: dict[str, Any],
        form: ResponseForm = ResponseForm.AUTO,
        rest_form: RestForm = RestForm.BUFFERED,
        **config: Any,
    ) -> HttpRequest:
        settings = Settings(Address("127.0.0.1", 1), "", Path(), response_form=form, rest_form=rest_form)
        return build_request(event, context, Mangum(app, **config), settings)

    return build


def rest_event(**changes: Any) -> dict[str, Any]:
    return {
        "resource": "/{proxy+}",
        "path": "/v1/models",
        "httpMethod": "GET",
        "headers": {"Host": "api.example.com"},
        "queryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
        "body": None,
        **changes,
    }


def test_a_function_url_event_is_streamed(build, function_url, context):
    event = function_url("/v1/chat", "POST", body="hello", rawQueryString="a=1&b=%20", cookies=["x=1", "y=2"])
    request = build(event)
    scope = request.scope
    assert request.is_streamed and request.body == b"hello"
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/v1/chat", b"a=1&b=%20")
    assert [b"cookie", b"x=1; y=2"] in scope["headers"]
    assert scope["client"] == ("192.0.2.1", 0) and scope["scheme"] == "https"
    assert scope["aws.context"] is context and scope["aws.event"]["rawPath"] == "/v1/chat"


def test_send_is_promised_to_raise_when_the_response_cannot_be_delivered(build, function_url):
    assert build(function_url()).scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}


def test_a_base64_body_is_decoded(build, function_url):
    event = function_url(body=base64.b64encode(b"\x00\xff").decode(), isBase64Encoded=True)
    assert build(event).body == b"\x00\xff"


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("abc.lambda-url.eu-central-1.on.aws", True),
        ("ABC.lambda-url.us-gov-west-1.on.aws", True),
        ("localhost", False),
        ("abc.execute-api.eu-central-1.amazonaws.com", False),
        ("abc.lambda-url.eu-central-1.on.aws.example.com", False),
        (None, False),
        (7, False),
    ],
)
def test_a_function_url_is_known_by_its_domain(domain: Any, expected: bool):
    assert is_function_url({"requestContext": {"domainName": domain}}) is expected


@pytest.mark.parametrize("request_context", [None, [], "x"])
def test_an_odd_request_context_is_no_function_url(request_context: Any):
    assert not is_function_url({"requestContext": request_context})


def test_other_events_are_buffered(build, function_url):
    local = function_url()
    local["requestContext"]["domainName"] = "localhost"
    assert not build(local).is_streamed
    assert not build(rest_event()).is_streamed


def test_a_setting_forces_either_form(build, function_url):
    assert not build(function_url(), ResponseForm.BUFFERED).is_streamed
    assert build(rest_event(), ResponseForm.STREAMING).is_streamed


def test_rest_apis_are_streamed_where_the_setting_says_so_and_only_they(build, function_url):
    assert build(rest_event(), rest_form=RestForm.STREAMING).is_streamed
    assert not build(rest_event()).is_streamed
    assert not build(rest_event(), ResponseForm.BUFFERED, RestForm.STREAMING).is_streamed
    http_api = function_url(
        requestContext={"domainName": "a.execute-api.eu-central-1.amazonaws.com", "stage": "$default"}
    )
    balancer = {**rest_event(), "requestContext": {"elb": {"targetGroupArn": "arn"}}}
    balancer.pop("resource")
    for event in (http_api, {**rest_event(), "version": "1.0"}, balancer):
        assert not build(event, rest_form=RestForm.STREAMING).is_streamed


def test_nulls_and_gaps_of_emulators_are_filled(build):
    request = build(
        {
            "version": "2.0",
            "rawPath": "/v1/models",
            "rawQueryString": None,
            "headers": None,
            "cookies": None,
            "body": None,
            "requestContext": {"domainName": "localhost"},
        }
    )
    assert (request.scope["method"], request.scope["path"]) == ("GET", "/v1/models")
    assert request.scope["query_string"] == b"" and request.scope["headers"] == [] and request.body == b""


def test_null_and_numeric_headers_are_put_right(build, function_url):
    request = build(function_url(headers={"X-A": None, "X-B": 7, "x-forwarded-port": "https"}))
    assert request.scope["headers"] == [[b"x-b", b"7"]]


@pytest.mark.parametrize("host", ["[::1]:8000", "::1", "host:port"])
def test_a_host_that_mangum_cannot_split_reaches_the_application(build, function_url, host: str):
    request = build(function_url(headers={"Host": host, "x-a": "1"}))
    assert request.scope["headers"] == [[b"x-a", b"1"], [b"host", host.encode()]]


@pytest.mark.parametrize("host", ["\ud800:1:2", "a:\udfff", ":\ud83d:"])
def test_half_a_surrogate_pair_in_an_odd_host_is_replaced(build, function_url, host: str):
    """JSON can carry it, a header can't; the event is answered, and the runtime goes on."""
    event = json.loads(json.dumps(function_url(headers={"Host": host})))
    assert build(event).scope["headers"] == [[b"host", host.encode("utf-8", "replace")]]


def test_mangums_settings_are_honoured(build):
    request = build(rest_event(path="/prod/v1/models"), api_gateway_base_path="/prod")
    assert request.scope["path"] == "/v1/models"


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[]", b'"text"', b"null", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(payload: bytes):
    with pytest.raises(UnsupportedEventError):
        parse_event(payload)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": [{"eventSource": "aws:sqs"}]},
        {"Records": 7},
        {"requestContext": None},
        {"source": "aws.scheduler"},
        {"version": "1.0", "requestContext": {}},
        {"version": "2.0", "requestContext": {}, "body": "a", "isBase64Encoded": True},
        {"version": "2.0", "requestContext": {}, "body": "\ud800"},
        {"version": "2.0", "requestContext": {"http": {"path": 7}}},
        {"version": "2.0", "requestContext": "x"},
        {"resource": "/", "requestContext": {}},
    ],
    ids=json.dumps,
)
def test_what_is_no_http_request_is_refused(build, event: dict[str, Any]):
    with pytest.raises(UnsupportedEventError):
        build(event)


def test_a_request_shows_nothing_of_what_was_sent(build, function_url, context):
    headers = {"host": "abc123.lambda-url.eu-central-1.on.aws", "authorization": "Bearer private"}
    shown = repr(build(function_url("/private", "POST", body="private", headers=headers)))
    assert "HttpRequest" in shown and "private" not in shown
    sent = Invocation("id-1", 1000, b"private", client_context='{"custom": {"a": "private"}}')
    assert "private" not in repr(sent) + repr(LambdaContext(sent, FunctionIdentity()))
