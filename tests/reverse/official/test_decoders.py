"""The decoders alone, where the simulator is too tidy: what upstreams get wrong, and anything at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse.errors import ErrorCode, PoeError
from reverse.events import (
    Event,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from reverse.official.bot_protocol import BotQueryDecoder
from reverse.official.chat_completions import ChatCompletionDecoder
from reverse.official.decoding import AnswerDecoder
from reverse.official.half_pairs import HalfPairs
from reverse.official.media_links import find_media
from reverse.official.messages_endpoint import MessagesDecoder
from reverse.official.responses_endpoint import ResponsesDecoder
from reverse.official.sse import ServerSentEvent

DECODERS: list[type[AnswerDecoder]] = [ChatCompletionDecoder, ResponsesDecoder, MessagesDecoder, BotQueryDecoder]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.sampled_from(
    "type index delta message choices error usage item item_id response output content text code id function name "
    "arguments tool_calls finish_reason status data url partial_json content_block stop_reason input".split()
)
TYPES = st.sampled_from(
    "response.output_text.delta response.output_item.added response.output_item.done response.completed "
    "response.function_call_arguments.delta response.failed error message_start content_block_start message_delta "
    "content_block_delta message_stop tool_use function_call message reasoning text stop tool_calls".split()
)
LIKELY = st.recursive(
    TYPES | st.integers(-2, 3) | st.none() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> ServerSentEvent:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return ServerSentEvent(json.dumps({"choices": choices, **more}))


def decode(events: list[ServerSentEvent], decoder: AnswerDecoder | None = None) -> list[Event]:
    decoder = decoder or ChatCompletionDecoder(new_id=lambda: "made-up")
    return [decoded for event in events for decoded in decoder.decode(event)] + decoder.end()


def call(arguments: str = "", **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    return {"function": {"arguments": arguments, **({"name": name} if name else {})}, **fields}


@pytest.mark.parametrize("decoder", DECODERS)
@given(values=JSON | LIKELY, name=st.sampled_from(["message", "text", "json", "file", "error", "done", "meta", "x"]))
def test_any_json_gives_events_or_a_poe_error(decoder: type[AnswerDecoder], values: Any, name: str) -> None:
    running = decoder()
    try:
        running.decode(ServerSentEvent(json.dumps(values), name))
        running.decode(ServerSentEvent(json.dumps(values), name))
        if isinstance(values, dict):
            decoder().decode_whole(values)
    except PoeError:
        pass


@pytest.mark.parametrize("decoder", DECODERS)
@given(text=st.text(max_size=30))
def test_any_text_gives_events_or_a_poe_error(decoder: type[AnswerDecoder], text: str) -> None:
    try:
        decoder().decode(ServerSentEvent(text))
    except PoeError:
        pass


def test_pieces_that_repeat_id_and_name_open_one_call() -> None:
    piece = call('{"a"', index=0, id="c1", name="f")
    events = decode([chunk({"tool_calls": [piece]}), chunk({"tool_calls": [piece | call(":1}", name="f")]}, "stop")])
    assert events == [
        ToolCallDelta(0, '{"a"', id="c1", name="f"),
        ToolCallDelta(0, ":1}"),
        Finished(FinishReason.TOOL_CALLS),
    ]


def test_parallel_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    pieces = [call("{}", index=0, id="c1", name="f"), call("{}", index=0, id="c2", name="g")]
    events = decode([chunk({"tool_calls": [piece]}) for piece in pieces] + [chunk({}, "tool_calls")])
    assert [(event.index, event.id, event.name) for event in events if isinstance(event, ToolCallDelta)] == [
        (0, "c1", "f"),
        (1, "c2", "g"),
    ]


def test_calls_without_index_or_id_or_with_a_used_id_become_distinct() -> None:
    pieces = [call("{}", name="f"), call("{}", name="g", id="same"), call("{}", name="h", id="same")]
    events = decode([chunk({"tool_calls": pieces}, "tool_calls")])
    assert [(event.index, event.id) for event in events if isinstance(event, ToolCallDelta)] == [
        (0, "made-up"),
        (1, "same"),
        (2, "made-up"),
    ]


def test_arguments_of_a_call_that_was_never_opened_are_dropped() -> None:
    events = decode([chunk({"tool_calls": [call("{}", index=3)]}), chunk({"content": "x"}, "stop")])
    assert events == [TextDelta("x"), Finished()]


def test_empty_choices_and_empty_deltas_say_nothing() -> None:
    assert decode([chunk(), chunk({}), chunk({"content": ""}), chunk({"content": "x"}, "stop")]) == [
        TextDelta("x"),
        Finished(),
    ]


def test_usage_may_come_before_with_or_after_the_finish() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": "2", "prompt_tokens_details": None}
    expected = UsageReported(prompt_tokens=1, completion_tokens=2)
    text, end = chunk({"content": "x"}), chunk({}, "stop")
    for events in (
        [text, chunk(None, usage=usage), end],
        [text, chunk({}, "stop", usage=usage)],
        [text, end, chunk(None, usage=usage), ServerSentEvent("[DONE]")],
    ):
        assert decode(events) == [TextDelta("x"), expected, Finished()]


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("function_call", "stop"),
        ("tool_calls", "stop"),
        ("?", "stop"),
    ],
)
def test_every_finish_reason_has_a_meaning(wire: str, reason: str) -> None:
    assert decode([chunk({"content": "x"}, wire)])[-1] == Finished(FinishReason(reason))


def test_an_end_mark_without_a_reason_ends_an_answer_but_silence_does_not() -> None:
    assert decode([chunk({"content": "x"}), ServerSentEvent("[DONE]")]) == [TextDelta("x"), Finished()]
    with pytest.raises(PoeError) as caught:
        decode([chunk({"content": "x"})])
    assert caught.value.code is ErrorCode.PROTOCOL


def test_an_answer_that_says_nothing_is_empty_unless_it_was_cut() -> None:
    with pytest.raises(PoeError) as caught:
        decode([chunk({"role": "assistant", "content": ""}), chunk({}, "stop")])
    assert caught.value.code is ErrorCode.EMPTY_ANSWER
    assert decode([chunk({}, "length")]) == [Finished(FinishReason.LENGTH)]


def test_content_in_parts_is_text_and_refusals_are_told_apart() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, 7]
    assert decode([chunk({"content": parts}), chunk({"refusal": "no"}, "stop")])[:2] == [
        TextDelta("ab"),
        RefusalDelta("no"),
    ]


def test_a_second_choice_is_not_mixed_in() -> None:
    other = {"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}
    event = ServerSentEvent(
        json.dumps({"choices": [other, {"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]})
    )
    assert decode([event]) == [TextDelta("x"), Finished()]


# Responses.


def responses(*events: dict[str, Any]) -> list[Event]:
    return decode([ServerSentEvent(json.dumps(event)) for event in events], ResponsesDecoder())


COMPLETED = {"type": "response.completed", "response": {"status": "completed", "output": []}}


def test_text_that_came_only_at_the_end_is_not_lost_and_streamed_text_not_doubled() -> None:
    message = {"id": "m", "type": "message", "content": [{"type": "output_text", "text": "whole"}]}
    end = {"type": "response.completed", "response": {"status": "completed", "output": [message]}}
    delta = {"type": "response.output_text.delta", "item_id": "m", "delta": "whole"}
    done = {"type": "response.output_item.done", "item": message}
    for events in ([end], [done, end], [delta, end], [delta, done, end], [delta | {"item_id": None}, end]):
        texts = [event.text for event in responses(*events) if isinstance(event, TextDelta)]
        assert texts == ["whole"] or events[0].get("item_id", 0) is None


def test_a_part_without_text_is_passed_over() -> None:
    broken = {"id": "m", "type": "message", "content": [{"type": "output_text"}]}
    function = {"id": "f", "type": "function_call", "call_id": "c", "name": "g", "arguments": "{}"}
    end = {"type": "response.completed", "response": {"status": "completed", "output": [broken, function]}}
    assert responses(end) == [ToolCallDelta(0, "{}", id="c", name="g"), Finished(FinishReason.TOOL_CALLS)]


@pytest.mark.parametrize(("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")])
def test_an_incomplete_response_says_why(reason: str, finish: str) -> None:
    end = {"status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}
    assert responses({"type": "response.incomplete", "response": end}) == [Finished(FinishReason(finish))]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (
            {"type": "response.failed", "response": {"status": "failed", "error": {"code": "rate_limit_exceeded"}}},
            "rate_limited",
        ),
        ({"type": "error", "code": "insufficient_quota", "message": "no"}, "insufficient_points"),
        ({"type": "error", "error": {"type": "overloaded_error"}}, "overloaded"),
        ({"error": {"code": 401}}, "not_authenticated"),
    ],
)
def test_each_way_to_fail_is_an_error(event: dict[str, Any], code: str) -> None:
    with pytest.raises(PoeError) as caught:
        responses(event)
    assert caught.value.code == code


def test_a_made_image_becomes_a_file() -> None:
    image = {"id": "i", "type": "image_generation_call", "result": "iVBORw0KGgo="}
    assert responses({"type": "response.output_item.done", "item": image}, COMPLETED)[0] == FileAttached(
        "data:image/png;base64,iVBORw0KGgo=", "image/png", "image.png"
    )


def test_a_response_in_one_piece_is_read() -> None:
    output = [
        {"id": "r", "type": "reasoning", "summary": [{"text": "hm"}]},
        {"id": "m", "type": "message", "content": [{"text": "hi"}]},
    ]
    whole = {"status": "completed", "output": output, "usage": {"input_tokens": 1, "output_tokens": 2}}
    assert ResponsesDecoder().decode_whole(whole) == [
        ReasoningDelta("hm"),
        TextDelta("hi"),
        UsageReported(1, 2),
        Finished(),
    ]


# Messages.


def test_a_message_in_one_piece_is_read() -> None:
    content = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "hi"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": "ä"}},
    ]
    whole = {"content": content, "stop_reason": "tool_use", "usage": {"input_tokens": 5, "cache_read_input_tokens": 7}}
    assert MessagesDecoder().decode_whole(whole) == [
        ReasoningDelta("hm"),
        TextDelta("hi"),
        ToolCallDelta(0, '{"a":"ä"}', id="t", name="f"),
        UsageReported(12, None, 7),
        Finished(FinishReason.TOOL_CALLS),
    ]


@pytest.mark.parametrize(("wire", "reason"), [("refusal", "content_filter"), ("max_tokens", "length"), ("new", "stop")])
def test_every_stop_reason_has_a_meaning(wire: str, reason: str) -> None:
    whole = {"content": [{"type": "text", "text": "x"}], "stop_reason": wire}
    assert MessagesDecoder().decode_whole(whole)[-1] == Finished(FinishReason(reason))


# The bot protocol.


def bot(*events: tuple[str, dict[str, Any]]) -> list[Event]:
    return decode([ServerSentEvent(json.dumps(values), name) for name, values in events], BotQueryDecoder())


def test_other_answers_of_several_unknown_events_and_late_meta_are_passed_over() -> None:
    events = bot(
        ("text", {"text": "a"}),
        ("text", {"text": "other", "index": 1}),
        ("brand_new", {"x": 1}),
        ("meta", {"content_type": "text/plain"}),
        ("text", {"text": "b", "index": 0}),
        ("done", {}),
    )
    assert events == [TextDelta("a"), TextDelta("b"), Finished()]


def test_only_done_ends_an_answer_of_the_protocol() -> None:
    finish = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    with pytest.raises(PoeError) as caught:
        bot(("text", {"text": "a"}), ("json", finish))
    assert caught.value.code is ErrorCode.PROTOCOL
    assert bot(("json", finish), ("text", {"text": "a"}), ("done", {})) == [TextDelta("a"), Finished()]


@pytest.mark.parametrize(
    ("values", "code", "retryable"),
    [
        ({"error_type": "user_message_too_long", "allow_retry": False}, "message_too_long", False),
        ({"error_type": "insufficient_fund", "allow_retry": False}, "insufficient_points", False),
        ({"error_type": "user_caused_error"}, "invalid_request", False),
        ({"error_type": "privacy_authorization_error"}, "bot_access_denied", True),
        ({"allow_retry": True, "text": "oops"}, "bot_failed", True),
        ({"allow_retry": False, "text": "oops"}, "bot_failed", False),
        ({}, "bot_failed", True),
    ],
)
def test_errors_of_the_protocol_keep_their_type_and_whether_to_retry(
    values: dict[str, Any], code: str, retryable: bool
) -> None:
    with pytest.raises(PoeError) as caught:
        bot(("text", {"text": "a"}), ("error", values))
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


# Links.

POE = "https://pfst.cf2.poecdn.net/base/image/abc.png?w=1024"


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (f"![a cat]({POE})\n\n{POE}", [("a cat", "image/png")]),
        (f"![]({POE})", [("abc.png", "image/png")]),
        ("![x](https://a.example/1.webp)\n\nhttps://a.example/1.webp", [("x", "image/webp")]),
        ("https://a.example/speech.mp3", [("speech.mp3", "audio/mpeg")]),
        ("  https://a.example/v%C3%A4.mp4\n", [("vä.mp4", "video/mp4")]),
        ("https://a.example/", [(None, None)]),
        ("See ![x](https://a.example/1.png) there", []),
        ("Look at https://a.example/1.png please", []),
        ("[a link](https://pfst.cf2.poecdn.net/x.png)", []),
        ("![x](javascript:alert(1))", []),
        ("![x](https://evil.example/poecdn.net/x.png)", []),
        ("![x](https://[/x.png)", []),
        (f"![a]({POE})\n\n{POE}\n![a]({POE})\n\n{POE}", [("a", "image/png")]),
        ("![a](https://x.example/1.png)\n\nhttps://x.example/1.pngx", []),
        ("", []),
    ],
)
def test_files_are_found_where_media_bots_put_them(text: str, files: list[tuple[str | None, str | None]]) -> None:
    assert [(file.name, file.content_type) for file in find_media(text)] == files


@given(st.text(alphabet="![](): /htps.x\n", max_size=200))
def test_any_text_is_searched_without_an_exception(text: str) -> None:
    find_media(text)


def _streamed(*events: dict[str, Any]) -> list[ServerSentEvent]:
    return [ServerSentEvent(json.dumps(event)) for event in events]


def _response(*output: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"status": "completed", "output": list(output)}}


def _said(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "output_text", "text": text} for text in texts]


def _function(call_id: str | None, arguments: str, **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "look", "arguments": arguments, **more}


@pytest.mark.parametrize("final_id", ["msg_other", "rs_1", None])
@pytest.mark.parametrize("place", [{"output_index": 1}, {}])
def test_text_is_told_once_although_its_item_has_another_id_or_place_in_the_end(
    final_id: str | None, place: dict[str, Any]
) -> None:
    """What stands before the endpoint renames items between their deltas and the end, and leaves some out."""
    delta = {"type": "response.output_text.delta", "item_id": "msg_1", **place}
    message = {"type": "message", "id": final_id, "content": _said("Hello")}
    done = {"type": "response.output_item.done", **place, "item": message}
    events = decode(
        _streamed(delta | {"delta": "Hel"}, delta | {"delta": "lo"}, done, _response(message)), ResponsesDecoder()
    )
    assert events == [TextDelta("Hel"), TextDelta("lo"), Finished()]


@pytest.mark.parametrize("is_streamed", [True, False])
@pytest.mark.parametrize("ids", [("fc_1", "fc_1"), (None, None), ("fc_1", "fc_2")])
@pytest.mark.parametrize("call_ids", [("c", "c"), (None, None), ("c", "d")])
def test_calls_of_a_response_are_two_whatever_ids_they_share(
    ids: tuple[str | None, ...], call_ids: tuple[str | None, ...], is_streamed: bool
) -> None:
    items = [_function(call_ids[n], f'{{"a":{n}}}', id=ids[n]) for n in range(2)]
    opened = [
        {"type": "response.output_item.added", "output_index": n, "item": item | {"arguments": ""}}
        for n, item in enumerate(items)
    ]
    pieces = [
        {"type": "response.function_call_arguments.delta", "output_index": n, "item_id": ids[n], "delta": text}
        for n, text in ((0, '{"a"'), (1, '{"a":1}'), (0, ":0}"))
    ]
    streamed = [*opened, *pieces] if is_streamed else []
    assert _calls_of(decode(_streamed(*streamed, _response(*items)), ResponsesDecoder())) == ['{"a":0}', '{"a":1}']


def test_a_call_is_told_once_although_the_end_leaves_out_what_came_before_it() -> None:
    item = _function("c", "{}", id="fc_1")
    events = decode(
        _streamed(
            {"type": "response.reasoning_text.delta", "item_id": "rs_1", "output_index": 0, "delta": "Hm"},
            {"type": "response.output_item.done", "output_index": 1, "item": item},
            _response(item | {"id": "fc_other"}),
        ),
        ResponsesDecoder(),
    )
    assert _calls_of(events) == ["{}"]


def test_blocks_of_a_message_with_one_id_or_none_are_calls_of_their_own() -> None:
    blocks = [{"type": "tool_use", "id": wire_id, "name": "look", "input": {}} for wire_id in ("t", "t", None, None)]
    opened = [
        {"type": "content_block_start", "index": index, "content_block": block} for index, block in enumerate(blocks)
    ]
    ending = [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}}, {"type": "message_stop"}]
    assert _calls_of(decode(_streamed(*opened, *ending), MessagesDecoder())) == ["{}"] * 4


def test_a_block_that_opens_with_its_whole_input_keeps_it_unless_pieces_follow() -> None:
    def block(index: int, *pieces: str) -> list[dict[str, Any]]:
        given = {"type": "tool_use", "id": f"t{index}", "name": "look", "input": {"a": index}}
        return [
            {"type": "content_block_start", "index": index, "content_block": given},
            *({"type": "content_block_delta", "index": index, "delta": {"partial_json": piece}} for piece in pieces),
            {"type": "content_block_stop", "index": index},
        ]

    events = decode(_streamed(*block(0), *block(1, '{"a"', ":1}"), {"type": "message_stop"}), MessagesDecoder())
    assert _calls_of(events) == ['{"a":0}', '{"a":1}']


def test_a_call_without_arguments_has_an_empty_object_unless_it_was_cut() -> None:
    """As providers stream the call of a tool that takes none; callers parse the arguments as JSON."""
    call = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "look", "arguments": ""}}]}
    assert _calls_of(decode([chunk(call), chunk({}, "tool_calls")])) == ["{}"]
    assert _calls_of(decode([chunk(call), chunk({}, "length")])) == [""]


def _calls_of(events: list[Event]) -> list[str]:
    """The arguments of each call; each opens once, with an id of its own."""
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    opened = [event for event in deltas if event.id is not None]
    assert len({event.id for event in opened}) == len(opened)
    assert [event.index for event in opened] == list(range(len(opened)))
    assert all(event.name == "look" for event in opened)
    return ["".join(event.arguments for event in deltas if event.index == call.index) for call in opened]


def test_a_refusal_of_a_response_is_told_apart_and_once() -> None:
    message = {"type": "message", "id": "m", "content": [{"type": "refusal", "refusal": "I won't"}]}
    delta = {"type": "response.refusal.delta", "item_id": "m", "output_index": 0, "delta": "I won't"}
    expected = [RefusalDelta("I won't"), Finished()]
    assert decode(_streamed(delta, _response(message)), ResponsesDecoder()) == expected
    assert decode(_streamed(_response(message)), ResponsesDecoder()) == expected


def raw(delta: str) -> ServerSentEvent:
    """A chunk whose delta is given as JSON text, escapes and all."""
    return ServerSentEvent(f'{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}')


def test_other_escapes_are_not_looked_at_for_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upstream may escape all that is not ASCII: then every piece has some."""
    monkeypatch.setattr(HalfPairs, "mend", lambda *_: pytest.fail("nothing is to be mended"))
    decoder = ChatCompletionDecoder()
    events = [*decoder.decode(raw(r'{"content":"\u0414\u0430"}')), *decoder.decode(raw(r'{"content":"\u4e2d\n"}'))]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Да中\n"


@pytest.mark.parametrize(
    ("deltas", "text"),
    [
        ([r'{"content":"a \ud83d"}', r'{"content":"\ude00 b"}'], "a 😀 b"),
        ([r'{"content":"\ud83d"}', r'{"content":"\ude00"}'], "😀"),
        ([r'{"content":"\ud83d\ude00"}'], "😀"),
        ([r'{"content":"a\ud83d"}', '{"content":"b"}'], "a\ufffdb"),
        ([r'{"content":"a\ude00"}'], "a\ufffd"),
        ([r'{"content":"a\ud83d"}'], "a\ufffd"),
        ([r'{"content":"\uD83D"}', '{"reasoning":"hm"}', r'{"content":"\uDE00"}'], "😀"),
    ],
)
def test_a_character_cut_in_two_is_put_together(deltas: list[str], text: str) -> None:
    events = decode([*map(raw, deltas), chunk({}, "stop")])
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == text
    assert events[-1] == Finished()


def test_halves_are_put_together_in_every_kind_of_text() -> None:
    call = '{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"\\"\\ud83d"}}]}'
    rest = '{"tool_calls":[{"index":0,"function":{"arguments":"\\ude00\\""}}]}'
    thoughts = raw(r'{"reasoning":"\ud83d"}'), raw(r'{"reasoning":"\ude00"}')
    events = decode([*thoughts, raw(call), raw(rest), chunk({}, "stop")])
    assert events[0] == ReasoningDelta("😀")
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert "".join(event.arguments for event in calls) == '"😀"'


def test_arguments_that_come_as_an_object_are_kept() -> None:
    piece = {"index": 0, "id": "c", "function": {"name": "f", "arguments": {"city": "Rome", "n": [1]}}}
    events = decode([chunk({"tool_calls": [piece]}), chunk({}, "tool_calls")])
    assert events[0] == ToolCallDelta(0, '{"city":"Rome","n":[1]}', id="c", name="f")
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": 1}}
    whole = {"output": [item], "status": "completed"}
    assert ResponsesDecoder().decode_whole(whole)[0] == ToolCallDelta(0, '{"a":1}', id="c", name="f")


SIGNED = {"google": {"thought_signature": "c2lnbmVk"}}


@pytest.mark.parametrize("place", ["opening", "later", "alone"])
def test_what_a_provider_wants_back_with_a_call_is_kept(place: str) -> None:
    opening = {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
    later = {"index": 0, "function": {"arguments": "{}"}}
    pieces = {
        "opening": [opening | {"extra_content": SIGNED}, later],
        "later": [opening, later | {"extra_content": SIGNED}],
        "alone": [opening, later, {"index": 0, "extra_content": SIGNED}],
    }[place]
    events = decode([*(chunk({"tool_calls": [piece]}) for piece in pieces), chunk({}, "tool_calls")])
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert [call.extra_content for call in calls if call.extra_content] == [SIGNED]
    assert "".join(call.arguments for call in calls) == "{}"


@pytest.mark.parametrize(
    ("usage", "reported"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": -1, "completion_tokens": -5}, None),
        ({"prompt_tokens": 14, "completion_tokens": 0}, UsageReported(14)),
        ({"prompt_tokens": 0, "completion_tokens": 5}, UsageReported(None, 5)),
        ({"prompt_tokens": 9, "completion_tokens": 5}, UsageReported(9, 5)),
        (
            {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 0}},
            UsageReported(9, 5, 0),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": -3}},
            UsageReported(9, 5),
        ),
    ],
)
def test_a_number_that_measures_nothing_is_not_reported(usage: dict[str, Any], reported: UsageReported | None) -> None:
    events = decode([chunk({"content": "x"}), chunk({}, "stop", usage=usage)])
    assert [event for event in events if isinstance(event, UsageReported)] == ([reported] if reported else [])


def test_calls_that_were_announced_and_never_made_are_no_calls() -> None:
    assert decode([chunk({"content": "x"}), chunk({}, "tool_calls")]) == [TextDelta("x"), Finished()]
    with pytest.raises(PoeError) as caught:
        decode([chunk({}, "tool_calls")])
    assert caught.value.code is ErrorCode.EMPTY_ANSWER
