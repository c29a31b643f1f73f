"""What a model can do, as its entry says, and which optional fields it gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from openai.types.chat import completion_create_params

from accounts import AccountKind
from gateway.models.capabilities import UNKNOWN, ModelFacts, best_first, facts_of, ignored_header
from gateway.surfaces.chat.request import read_chat_request
from tests.gateway.scripted import House, ask

OFFICIAL, WEB = AccountKind.OFFICIAL, AccountKind.WEB

ENTRY: dict[str, Any] = {
    "context_length": 128_000,
    "output_modalities": ["text"],
    "architecture": {"input_modalities": ["text", "image"]},
    "parameters": [{"name": "size", "schema": {"enum": ["a", "b"]}}],
    "reasoning": {"supports_reasoning_effort": True},
    "kinds": ["web"],
}


def test_an_entry_is_read_as_poe_writes_it() -> None:
    facts = facts_of(ENTRY)
    assert (facts.context_tokens, facts.takes_reasoning_effort, facts.kinds) == (128_000, True, {"web"})
    assert facts.declares("size") is True and facts.declares("seed") is False
    assert facts.accepts("image") is True and facts.accepts("audio") is False


@pytest.mark.parametrize("entry", [None, {}, {"context_length": "long", "parameters": 3, "reasoning": [], "kinds": 5}])
def test_what_nobody_said_is_unknown_and_not_no(entry: object) -> None:
    facts = facts_of(entry)
    assert facts == UNKNOWN
    assert facts.declares("size") is None and facts.accepts("image") is None


def test_a_length_of_a_model_that_makes_media_is_no_window() -> None:
    assert facts_of(ENTRY | {"output_modalities": ["image"]}).context_tokens is None


@pytest.mark.parametrize("odd", [7, "web", {"web": 1}, [7, None], True])
def test_values_of_unexpected_types_count_as_not_said(odd: object) -> None:
    length = "7" if isinstance(odd, int) else odd
    facts = facts_of({"kinds": odd, "parameters": odd, "context_length": length, "reasoning": odd})
    assert facts.kinds <= {"web"}
    assert (facts.takes_reasoning_effort, facts.context_tokens) == (None, None)


@pytest.mark.parametrize(
    ("listed_by", "expected"),
    [
        ((), (OFFICIAL, WEB)),
        (("web",), (WEB, OFFICIAL)),
        (("official",), (OFFICIAL, WEB)),
        (("web", "official"), (OFFICIAL, WEB)),
    ],
)
def test_accounts_that_list_a_model_are_asked_first_and_the_others_all_the_same(
    listed_by: tuple[str, ...], expected: tuple[AccountKind, ...]
) -> None:
    assert best_first(listed_by) == expected


OFFICIAL, WEB = AccountKind.OFFICIAL, AccountKind.WEB
# A value of each field that the SDK's types know, and that means something.
VALUES: dict[str, Any] = {
    "audio": {"format": "mp3", "voice": "x"},
    "frequency_penalty": 0.5,
    "function_call": "auto",
    "functions": [{"name": "f"}],
    "logit_bias": {"5": 1},
    "logprobs": True,
    "max_completion_tokens": 5,
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "Hi"}],
    "metadata": {"session_id": "s"},
    "modalities": ["text", "audio"],
    "model": "GPT-5",
    "moderation": {"model": "m"},
    "n": 1,
    "parallel_tool_calls": True,
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": 1,
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "implicit"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "high",
    "response_format": {"type": "text"},
    "safety_identifier": "u",
    "seed": 5,
    "service_tier": "flex",
    "stop": ["END"],
    "store": True,
    "stream": False,
    "stream_options": {"include_usage": True},
    "temperature": 0.5,
    "tool_choice": "auto",
    "tools": [{"type": "custom", "custom": {"name": "c"}}],
    "top_logprobs": 3,
    "top_p": 0.5,
    "user": "u",
    "verbosity": "low",
    "web_search_options": {},
}
HONOURED = set(
    "function_call functions max_completion_tokens max_tokens messages metadata model n parallel_tool_calls "
    "prompt_cache_key reasoning_effort response_format stop stream stream_options temperature tool_choice tools "
    "top_p".split()
)


def test_the_table_has_every_field_of_the_current_sdk() -> None:
    known = completion_create_params.CompletionCreateParamsNonStreaming.__annotations__
    inherited = completion_create_params.CompletionCreateParamsBase.__annotations__
    assert set(VALUES) == set(known) | set(inherited)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_every_field_is_honoured_or_reported(name: str) -> None:
    call = read_chat_request(ask() | {name: VALUES[name]})
    reported = set(call.ignored(OFFICIAL))
    assert reported == (set() if name in HONOURED else {name})


def test_what_no_account_can_be_told_of_the_messages_is_reported_once() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}
    messages = [{"role": "user", "content": [image, image, "text"]}] * 2
    messages += [{"role": "assistant", "audio": {"id": "audio_1"}}, {"role": "user", "content": "Hi"}]  # type: ignore[list-item]
    call = read_chat_request(ask() | {"messages": messages, "stream_options": {"include_obfuscation": True}})
    expected = ("messages.audio", "messages.image_url.detail", "stream_options.include_obfuscation")
    assert call.ignored(OFFICIAL) == call.ignored(WEB) == expected
    image["image_url"] = {"url": "https://example.org/a.png", "detail": "auto"}
    assert read_chat_request(ask([image])).ignored(WEB) == ()


def test_strict_tools_are_kept_to_by_the_gateway_only() -> None:
    """With a web account, whose calls it reads; Poe's official API ignores the flag."""
    tool = {"type": "function", "function": {"name": "f", "strict": True}}
    call = read_chat_request(ask(tools=[tool]))
    assert call.ignored(OFFICIAL) == ("tools.function.strict",)
    assert call.ignored(WEB) == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"store": False},
        {"presence_penalty": 0, "frequency_penalty": 0.0},
        {"logprobs": False, "top_logprobs": 0},
        {"modalities": ["text"], "service_tier": "auto", "logit_bias": {}},
        {"parallel_tool_calls": False},
        {"seed": None, "audio": None},
    ],
)
def test_what_happens_anyway_is_not_reported(fields: dict[str, Any]) -> None:
    call = read_chat_request(ask(**fields))
    assert call.ignored(OFFICIAL) == call.ignored(WEB) == ()
    assert call.build("b", OFFICIAL).parameters == {}


def test_a_web_account_is_told_only_what_its_model_declares() -> None:
    call = read_chat_request(ask(temperature=0.5, reasoning_effort="high", parameters={"a": 1}))
    assert call.options.sent(WEB, UNKNOWN) == {"a": 1}
    assert call.options.ignored(WEB, UNKNOWN) == ("reasoning_effort", "temperature")
    declared = ModelFacts(parameters=frozenset({"reasoning_effort"}))
    assert call.options.sent(WEB, declared) == {"a": 1, "reasoning_effort": "high"}
    assert call.options.ignored(WEB, declared) == ("temperature",)


@pytest.mark.parametrize(
    ("facts", "is_sent"),
    [
        (UNKNOWN, True),
        (ModelFacts(parameters=frozenset({"reasoning_effort"})), True),
        (ModelFacts(parameters=frozenset({"aspect"})), False),
        (ModelFacts(parameters=frozenset({"aspect"}), takes_reasoning_effort=True), True),
        (ModelFacts(takes_reasoning_effort=False), False),
    ],
)
def test_the_effort_is_sent_unless_the_model_is_known_not_to_take_it(facts: ModelFacts, is_sent: bool) -> None:
    options = read_chat_request(ask(reasoning_effort="high")).options
    assert ("reasoning_effort" in options.sent(OFFICIAL, facts)) is is_sent
    assert ("reasoning_effort" in options.ignored(OFFICIAL, facts)) is not is_sent


def test_a_model_that_only_web_accounts_list_is_asked_there_first() -> None:
    call = read_chat_request(ask())
    assert call.kinds == (OFFICIAL, WEB)
    assert replace(call, facts=facts_of({"kinds": ["web"]})).kinds == (WEB, OFFICIAL)
    assert replace(call, facts=facts_of({"kinds": ["web", "official"]})).kinds == (OFFICIAL, WEB)


def test_one_call_at_a_time_is_seen_to_with_any_account() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    call = read_chat_request(ask(tools=[tool], parallel_tool_calls=False))
    assert call.ignored(OFFICIAL) == call.ignored(WEB) == ()
    assert call.build("b", OFFICIAL).parameters == {"parallel_tool_calls": False}


def test_options_of_the_bot_may_stand_at_the_top_if_it_declares_them() -> None:
    call = read_chat_request(ask(enable_thinking=True, seed=3, nonsense=1))
    facts = ModelFacts(parameters=frozenset({"enable_thinking", "seed"}))
    for kind in (OFFICIAL, WEB):
        assert call.options.sent(kind, facts) == {"enable_thinking": True, "seed": 3}
        assert call.options.ignored(kind, facts) == ("nonsense",)


def test_the_bots_own_parameters_win() -> None:
    call = read_chat_request(ask(temperature=0.5, parameters={"temperature": 1.5}))
    assert call.build("b", OFFICIAL).parameters == {"temperature": 1.5}


def test_facts_are_read_from_the_shape_of_poes_list() -> None:
    facts = facts_of(
        {
            "id": "m",
            "context_length": 1000,
            "parameters": [{"name": "aspect", "schema": {}}],
            "architecture": {"input_modalities": ["text", "image"]},
            "reasoning": {"supports_reasoning_effort": True},
        }
    )
    assert facts == ModelFacts(1000, frozenset({"aspect"}), frozenset({"text", "image"}), True, schemas={"aspect": {}})
    assert (
        facts_of(None) == facts_of({}) == facts_of({"parameters": [], "context_length": "x", "tokens": True}) == UNKNOWN
    )
    assert facts_of({"tokens": 5, "parameters": ["a"]}) == ModelFacts(5, frozenset({"a"}))


def test_the_header_can_not_be_broken_by_a_name() -> None:
    assert ignored_header(("a\r\nb: c", "ü,x", "y" * 100)) == f"a__b__c, __x, {'y' * 64}"
    assert ignored_header(tuple(map(str, range(100)))).count(",") == 31


@pytest.mark.parametrize("stream", [True, False])
async def test_the_header_is_the_answering_accounts(house: House, stream: bool) -> None:
    await house.add_account("w", AccountKind.WEB)
    answer = await house.call(body=ask(temperature=0.5, seed=3, stream=stream))
    assert answer.headers["x-gateway-ignored"] == "seed, temperature"
    await house.add_account("o")
    answer = await house.call(body=ask(temperature=0.5, seed=3, stream=stream))
    assert answer.headers["x-gateway-ignored"] == "seed"
    assert "x-gateway-ignored" not in (await house.call(body=ask(temperature=0.5, stream=stream))).headers
