from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from local.function_url.event import HttpRequest, build_event, build_rest_event, join_headers

DOMAIN = "abc.lambda-url.eu-central-1.on.aws"


def event_of(**changes: object) -> dict[str, object]:
    given = {"method": "POST", "target": "/v1/x", "headers": {}, "body": b"", "source_ip": "203.0.113.7"}
    encoded = build_event(
        HttpRequest(**(given | changes)),  # type: ignore[arg-type]
        domain=DOMAIN,
        request_id="id",
        trace_id="Root=1",
        epoch_seconds=1_794_321_008.0,
    )
    return dict(json.loads(encoded))


@pytest.mark.parametrize("sample", ["function_url_chat", "function_url_models"])
def test_an_event_has_the_shape_of_the_samples(sample):
    """The samples are what `sam local invoke` and the template's tests take for AWS's events."""
    wanted = json.loads(Path(f"events/{sample}.json").read_text())
    http = wanted["requestContext"]["http"]
    ours = event_of(
        method=http["method"],
        target=wanted["rawPath"],
        headers={name: value for name, value in wanted["headers"].items() if not name.startswith("x-amzn-")},
        body=(wanted.get("body") or "").encode(),
    )
    assert ours.keys() == wanted.keys()
    assert ours["requestContext"].keys() == wanted["requestContext"].keys()
    assert ours["requestContext"]["http"] == http
    assert ours["requestContext"]["time"] == "10/Nov/2026:14:30:08 +0000"
    assert (ours.get("body"), ours["isBase64Encoded"]) == (wanted.get("body"), wanted["isBase64Encoded"])


@pytest.mark.parametrize(
    ("content_type", "body", "is_text"),
    [
        ("application/json", b'{"a": "\xc3\xa9"}', True),
        ("application/problem+json; charset=utf-8", b"{}", True),
        ("text/plain", b"a", True),
        ("text/plain", b"\xff", False),
        ("application/octet-stream", b"a", False),
        ("multipart/form-data; boundary=x", b"a", False),
        ("", b"a", False),
    ],
)
def test_a_body_that_is_not_text_is_encoded(content_type, body, is_text):
    event = event_of(headers={"content-type": content_type}, body=body)
    assert event["isBase64Encoded"] is not is_text
    assert event["body"] == (body.decode() if is_text else base64.b64encode(body).decode())


def test_what_belongs_to_the_connection_stays_there():
    headers = {"connection": "keep-alive", "transfer-encoding": "chunked", "host": "127.0.0.1:8000", "x-a": "1"}
    seen = event_of(headers=headers)["headers"]
    assert isinstance(seen, dict)
    assert seen.keys() == {"x-a", "host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
    assert seen["host"] == DOMAIN


def test_the_query_is_kept_raw_and_joined():
    event = event_of(target="/a%20b?x=1&x=%32&y")
    assert (event["rawPath"], event["rawQueryString"]) == ("/a%20b", "x=1&x=%32&y")
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}


def test_repeated_headers_are_joined_and_names_lowered():
    pairs = [(b"X-A", b"1"), (b"x-a", b"2"), (b"Cookie", b"a=1"), (b"cookie", b"b=2")]
    assert join_headers(pairs) == {"x-a": "1,2", "cookie": "a=1; b=2"}


def test_non_ascii_is_counted_as_its_bytes_not_as_escapes():
    plain, emoji = (
        build_event(
            HttpRequest(method="POST", target="/", headers={"content-type": "text/plain"}, body=body, source_ip="::1"),
            domain=DOMAIN,
            request_id="id",
            trace_id="t",
            epoch_seconds=0,
        )
        for body in (b"aaaa", "😀".encode())
    )
    assert len(plain) == len(emoji)


def test_a_rest_apis_event_has_the_shape_of_the_sample():
    request = HttpRequest(
        method="POST",
        target="/items/caf%C3%A9?tag=a&tag=b&empty=",
        headers={"x-two": "1,2", "user-agent": "sample/1.0", "connection": "close", "content-type": "text/plain"},
        header_list=(("X-Two", "1"), ("X-Two", "2"), ("Connection", "close"), ("Host", "localhost:8000")),
        body="é".encode(),
        source_ip="203.0.113.9",
    )
    made = build_rest_event(request, domain="abc.execute-api.x", request_id="r", trace_id="t", epoch_seconds=0)
    event = json.loads(made)
    assert event["path"] == "/items/café" and event["pathParameters"] == {"proxy": "items/café"}
    assert event["queryStringParameters"] == {"tag": "b", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"tag": ["a", "b"], "empty": [""]}
    assert event["multiValueHeaders"]["X-Two"] == ["1", "2"] and event["headers"]["X-Two"] == "2"
    assert event["headers"]["host"] == "abc.execute-api.x" and not {"Host", "Connection"} & set(event["headers"])
    assert (event["body"], event["isBase64Encoded"], event["resource"]) == ("é", False, "/{proxy+}")
    assert "version" not in event and event["requestContext"]["resourcePath"] == "/{proxy+}"


def test_a_rest_apis_root_has_neither_parameters_nor_a_proxy():
    request = HttpRequest(method="GET", target="/", headers={}, body=b"", source_ip="203.0.113.9")
    event = json.loads(build_rest_event(request, domain="d", request_id="r", trace_id="t", epoch_seconds=0))
    assert event["resource"] == event["path"] == "/" and event["body"] is None
    assert event["queryStringParameters"] is event["pathParameters"] is event["multiValueQueryStringParameters"] is None
