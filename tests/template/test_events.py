"""The sample events are what AWS would send, and Mangum reads them as such."""

import json
import re
from types import SimpleNamespace

import pytest
from mangum.adapter import HANDLERS
from mangum.handlers.api_gateway import HTTPGateway

HTTP_EVENTS = ["function_url_chat", "function_url_chat_stream", "function_url_models", "http_api_chat"]


@pytest.fixture
def event(root):
    return lambda name: json.loads((root / "events" / f"{name}.json").read_text())


def infer(event):
    """What `Mangum.infer` does, without an instance, whose constructor leaves an event loop open."""
    config = {"api_gateway_base_path": "/", "text_mime_types": [], "exclude_headers": []}
    kinds = [kind for kind in HANDLERS if kind.infer(event, SimpleNamespace(), config)]
    return kinds[0](event, SimpleNamespace(), config) if kinds else None


def test_there_is_one_copy_of_each(root):
    assert sorted(path.stem for path in (root / "events").glob("*.json")) == [*HTTP_EVENTS, "schedule_refresh"]


@pytest.mark.parametrize("name", HTTP_EVENTS)
def test_mangum_reads_it_as_payload_two(event, name):
    handler = infer(event(name))
    assert isinstance(handler, HTTPGateway)
    assert handler.scope["scheme"] == "https"
    assert handler.scope["path"] == event(name)["rawPath"]
    headers = dict(handler.scope["headers"])
    assert headers[b"authorization"].startswith(b"Bearer sk-example")


@pytest.mark.parametrize("name", [name for name in HTTP_EVENTS if "chat" in name])
def test_its_body_is_a_chat_request_of_the_length_that_it_says(event, name):
    handler = infer(event(name))
    body = json.loads(handler.body)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body.get("stream", False) == name.endswith("_stream")
    assert int(event(name)["headers"]["content-length"]) == len(handler.body)


@pytest.mark.parametrize("name", HTTP_EVENTS)
def test_the_domain_tells_a_function_url_from_an_api(event, name):
    context = event(name)["requestContext"]
    url = re.fullmatch(r"[a-z0-9]{32}\.lambda-url\.[a-z0-9-]+\.on\.aws", context["domainName"])
    api = re.fullmatch(r"[a-z0-9]{10}\.execute-api\.[a-z0-9-]+\.amazonaws\.com", context["domainName"])
    assert bool(url) == name.startswith("function_url")
    assert bool(api) == name.startswith("http_api")
    assert context["domainPrefix"] == context["apiId"] == context["domainName"].split(".")[0]


def test_the_schedule_event_is_no_request(event):
    scheduled = event("schedule_refresh")
    assert scheduled["source"] == "aws.scheduler"
    assert json.loads(scheduled["detail"]) == {}
    assert infer(scheduled) is None
