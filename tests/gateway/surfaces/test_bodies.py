"""The bodies of all endpoints: what their description says is what their readers check."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.http.declared_body import Body, describe
from gateway.http.errors import GatewayError
from gateway.models.model import Model
from gateway.openapi import SCHEMAS
from gateway.prompt.request import FieldNames
from gateway.surfaces.chat.request import ChatBody, read_chat_request
from gateway.surfaces.completions.request import CompletionBody, read_completion_request
from gateway.surfaces.media.image_request import EditBody, ImageBody, read_generation, read_json_edit
from gateway.surfaces.media.speech import SpeechBody, read_speech_request
from gateway.surfaces.media.videos import VideoBody, read_video_request
from gateway.surfaces.messages.request import NAMES as MESSAGES_NAMES
from gateway.surfaces.messages.request import MessageBody, read_messages_request
from gateway.surfaces.responses.request import NAMES as RESPONSES_NAMES
from gateway.surfaces.responses.request import ResponseBody, read_response_request

HELLO = [{"role": "user", "content": "Hello"}]


def respond(values: Mapping[str, Any]) -> Any:
    asked = read_response_request(values, lambda prefix: f"{prefix}_new")
    return asked.generation_request([], asked.items)


def edit(values: Mapping[str, Any]) -> Any:
    return asyncio.run(read_json_edit(values))


Read = Callable[[Mapping[str, Any]], Any]
BODIES: dict[type[Body], tuple[Read, dict[str, Any]]] = {
    ChatBody: (read_chat_request, {"model": "m", "messages": HELLO}),
    CompletionBody: (read_completion_request, {"model": "m", "prompt": "Hello"}),
    MessageBody: (
        lambda values: read_messages_request(values).generation_request(None),
        {"model": "m", "messages": HELLO, "max_tokens": 9},
    ),
    ResponseBody: (respond, {"model": "m", "input": "Hello"}),
    ImageBody: (read_generation, {"model": "m", "prompt": "a cat"}),
    EditBody: (edit, {"model": "m", "prompt": "a cat", "image": "data:image/png;base64,iVBORw0KGgo="}),
    SpeechBody: (read_speech_request, {"model": "m", "input": "Hello"}),
    VideoBody: (read_video_request, {"model": "m", "prompt": "a cat"}),
}
FIELDS = [(body, name) for body in BODIES for name in body.declared]

# Passed on to bots that know them, taken and not used, or only read beside another field.
UNCHECKED = frozenset(
    "cache_control function_call stream_options context_management verbosity quality style background output_format "
    "output_compression moderation input_fidelity input_reference mask image images".split()
)


def allowed_types(schema: Any) -> set[str]:
    """The JSON types that a schema allows; all of them where it says nothing."""
    if "anyOf" in schema or "oneOf" in schema:
        return set().union(*map(allowed_types, schema.get("anyOf", schema.get("oneOf"))))
    if "enum" in schema or "const" in schema:
        return {"string"}
    kinds = schema.get("type", ["string", "object", "array", "boolean", "null"])
    return set(kinds if isinstance(kinds, list) else [kinds])


@pytest.mark.parametrize(("body", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_a_type_that_the_description_excludes_is_refused_by_name(body: type[Body], name: str) -> None:
    read, least = BODIES[body]
    read(least)
    field = body.declared[name]
    described = allowed_types(field.describe())
    wrong: dict[str, Any] = {"object": {"no such": {}}, "array": [{"no such": 1}], "boolean": True}
    excluded = [value for kind, value in wrong.items() if kind not in described]
    if name in UNCHECKED:
        return
    assert excluded or "object" in described
    for value in excluded:
        with pytest.raises(GatewayError) as caught:
            read(least | {name: value})
        assert caught.value.status == 400
        assert (caught.value.param or "").startswith(name)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_what_is_required_is_missed_by_name(body: type[Body]) -> None:
    read, least = BODIES[body]
    for name in describe(body)["required"]:
        with pytest.raises(GatewayError) as caught:
            read({key: value for key, value in least.items() if key != name})
        assert (caught.value.param, caught.value.code) == (name, "missing_required_parameter")


def test_a_models_description_has_all_its_fields() -> None:
    shown = Model(id="m", bot="m").to_openai()
    assert set(SCHEMAS["Model"]["properties"]) == set(shown)


@pytest.mark.parametrize(
    ("names", "blamed", "told"),
    [
        (FieldNames(), "messages.[1].content", "messages.[1].content"),
        (FieldNames(), "max_completion_tokens", "max_completion_tokens"),
        (MESSAGES_NAMES, "messages[2].content", "messages"),
        (MESSAGES_NAMES, "stop", "stop_sequences"),
        (MESSAGES_NAMES, "response_format.json_schema.schema", "output_config.format"),
        (MESSAGES_NAMES, "max_tokens", "max_tokens"),
        (RESPONSES_NAMES, "messages.[1].content", "input"),
        (RESPONSES_NAMES, "max_completion_tokens", "max_output_tokens"),
        (RESPONSES_NAMES, "reasoning.effort", "reasoning.effort"),
        (RESPONSES_NAMES, "temperature", "temperature"),
        (RESPONSES_NAMES, "are_turns_alike", "are_turns_alike"),
    ],
)
def test_what_poe_blames_has_the_callers_name(names: FieldNames, blamed: str, told: str) -> None:
    assert names.of(blamed) == told


def chat_of(count: int) -> dict[str, Any]:
    part = {"type": "text", "text": "word " * 20}
    return {"model": "m", "messages": [{"role": "user", "content": [part, part]}] * count}


def message_of(count: int) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "x"}]}
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [result, result]}] * count}


def response_of(count: int) -> dict[str, Any]:
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    return {"model": "m", "input": [call] * count}


def processor_seconds(work: Callable[[], Any]) -> float:
    """The least of several runs: other work on the machine only adds."""
    least = float("inf")
    for _ in range(5):
        start = time.thread_time()
        work()
        least = min(least, time.thread_time() - start)
    return least


@pytest.mark.parametrize(
    ("read", "body_of"),
    [(read_chat_request, chat_of), (BODIES[MessageBody][0], message_of), (respond, response_of)],
    ids=["chat", "messages", "responses"],
)
def test_four_times_the_turns_take_about_four_times_as_long(
    read: Read, body_of: Callable[[int], dict[str, Any]]
) -> None:
    small, large = body_of(1000), body_of(4000)
    assert processor_seconds(lambda: read(large)) < 8 * processor_seconds(lambda: read(small))
