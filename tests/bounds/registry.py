"""Every way by which text, bytes or JSON from outside get into the product, each as a function of one text.

A new function that reads such input must be reached by one of these, or be listed in `exempt.py` with the reason why
its input can't be large or hostile: `test_discovery.py` finds those that are neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request

from gateway.app import _plain_path, _request_id
from gateway.console.answers import accepts_gzip
from gateway.console.files import FileSet
from gateway.console.origin import check_origin
from gateway.console.session import SessionError, cookie_values, unseal
from gateway.generation import usage
from gateway.generation.answer import missing_links, url_citations
from gateway.generation.downloads import find_addresses
from gateway.generation.shaping import AnswerLimits, AnswerShaper
from gateway.http.auth import _basic_password, read_token
from gateway.http.bodies import is_form, read_form, read_json
from gateway.http.errors import GatewayError, gateway_error
from gateway.models.capabilities import ignored_header
from gateway.prompt.answer_readers import JSONReader, JSONStreamReader, ToolCallReader
from gateway.prompt.attachments import AttachmentReader
from gateway.prompt.chat_question import links_in
from gateway.prompt.conversations import digest
from gateway.prompt.json_schema import find_violation
from gateway.prompt.structured_output import ResponseFormat
from gateway.prompt.tool_protocol import ToolProtocol
from gateway.prompt.tool_specs import TextReader
from gateway.prompt.turns import flatten
from gateway.surfaces.chat.request import read_chat_request
from gateway.surfaces.chat.tools import ToolFields, read_tools
from gateway.surfaces.completions.request import read_completion_request
from gateway.surfaces.kept_bodies import encode
from gateway.surfaces.media.image_request import image_from_text, read_generation
from gateway.surfaces.media.videos import read_video_request
from gateway.surfaces.messages.encoder import read_arguments
from gateway.surfaces.messages.request import read_messages_request
from gateway.surfaces.models import _tagged
from gateway.surfaces.responses.request import read_response_request
from gateway.surfaces.responses.storage import is_response_id, response_of_item
from gateway.surfaces.routes import why_not_offered
from http_connections.http1 import ResponseParser
from reverse.chat import ChatRequest, Message, ToolCall
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.events import Event, FileAttached, FinishReason, TextDelta, TextReplaced
from reverse.fetch import parse_data_url
from reverse.file_types import safe_name, sniff_type
from reverse.json_text import decode_json
from reverse.kept_thinking import ThinkingFilter
from reverse.official.bot_protocol import BotQueryDecoder
from reverse.official.chat_completions import ChatCompletionDecoder
from reverse.official.failures import failure_of_response
from reverse.official.media_links import find_media
from reverse.official.messages_endpoint import MessagesDecoder
from reverse.official.refused_options import blame
from reverse.official.responses_endpoint import ResponsesDecoder
from reverse.official.sse import ServerSentEvent, SSEParser
from reverse.overrides import read_overrides
from reverse.url_guard import FetchPolicy, check_resolved, parse_redirect, parse_target
from reverse.web._bundle import form_key_program, parse_channel_settings, parse_home_page
from reverse.web._envelope import find_token, read_envelope
from reverse.web._groups import GroupMember, count_mentions
from reverse.web._protocol import clean, integer, number_of, parse_frame
from reverse.web._transport import Reply, retry_after_seconds
from reverse.web._upload import _content_type as upload_type
from reverse.web._upload import _safe_name as upload_name
from streaming_runtime.context import _mapping
from streaming_runtime.events import build_request, parse_event
from streaming_runtime.http11 import HttpResponse
from streaming_runtime.http11 import ResponseParser as RuntimeResponseParser
from streaming_runtime.response_head import parse_head
from streaming_runtime.runtime_api import parse_invocation
from tests.bounds.shapes import COMMON, Shape

EXPECTED = (GatewayError, PoeError, ValueError)


@dataclass(frozen=True, slots=True)
class Parser:
    """One way in. `run` may raise what callers expect; `shapes` are its own, beside the common ones."""

    name: str
    run: Callable[[str], object]
    shapes: tuple[Shape, ...] = ()
    wrap: tuple[str, str] = ("", "")
    """What stands around every common shape, so that it gets to the place where it is read."""
    size: int = 65_536
    """The largest input, for what reads piece by piece and so has more to do."""

    def all_shapes(self) -> Iterable[Shape]:
        yield from COMMON
        before, behind = self.wrap
        if before or behind:
            for shape in COMMON:
                yield Shape(shape.unit, before + shape.prefix, shape.suffix + behind, shape.closing)
        yield from self.shapes


def quietly(run: Callable[[str], object]) -> Callable[[str], object]:
    """Without the errors that a hostile input is answered with."""

    def wrapped(text: str) -> object:
        try:
            return run(text)
        except EXPECTED:
            return None

    return wrapped


def awaited(run: Callable[[str], Awaitable[object]]) -> Callable[[str], object]:
    async def main(text: str) -> object:
        return await run(text)

    return lambda text: asyncio.run(main(text))


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


# What models write.

WRITE_FILE: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "write_file",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
            "required": ["path", "content"],
        },
    },
}
SPECS = read_tools(
    ToolFields(
        {"tools": [WRITE_FILE] + [{"type": "function", "function": {"name": f"tool_{number}"}} for number in range(20)]}
    )
)
OPEN, CLOSE = '<tool_calls mark="m4rk">', "</tool_calls>"
CALL = '[{"name": "write_file", "arguments": {"path": "a", "content": "'
OBJECT = ResponseFormat({"type": "json_object"})
LISTED = ResponseFormat(
    {"type": "json_schema"}, {"type": "array", "items": {"enum": [*range(20)]}, "uniqueItems": True}
)


def pieces(text: str, size: int) -> Iterable[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def tool_calls(text: str, size: int = 1 << 30) -> None:
    reading = ToolCallReader(ToolProtocol(SPECS, "m4rk"), OBJECT)
    for piece in pieces(text, size):
        reading.feed(TextDelta(piece))
    reading.finish(FinishReason.STOP)
    reading.feed(TextDelta(text[:1000]))
    reading.finish(FinishReason.STOP)


def replaced(text: str) -> None:
    """Snapshots of what is said, as bots send them that replace their text; the sum of them is the input."""
    reading, shaper = ToolCallReader(ToolProtocol(SPECS, "m4rk")), AnswerShaper(is_streamed=False)
    whole = AnswerShaper()
    for piece in (text[: len(text) // 2], text, "", *text[:500], text[:100]):
        event = TextReplaced(piece)
        for each in reading.feed(event):
            list(shaper.shape(each))
        list(whole.shape(event))
    for piece in pieces(text, 8):
        list(whole.shape(TextDelta(piece)))
        list(whole.shape(TextReplaced("")))


def streamed_json(text: str, size: int) -> None:
    for reading in (JSONStreamReader(OBJECT), JSONReader(LISTED)):
        for piece in pieces(text, size):
            reading.feed(TextDelta(piece))
        reading.finish(FinishReason.STOP)


def stopped(text: str, size: int, *stops: str, max_tokens: int | None = None) -> None:
    shaper = AnswerShaper(AnswerLimits(max_tokens, stops))
    for piece in pieces(text, size):
        list(shaper.shape(TextDelta(piece)))


LONG_STOPS = ("a" * 1023 + "b", "ab" * 511 + "c", '\\"' * 512, "</" * 512, " " * 1024)
IN_A_CALL = tuple(
    Shape(unit, f"{OPEN}{CALL}", suffix)
    for unit in (
        '\\"',
        "\\\\",
        "</tool_calls>",
        "</tool_call ",
        "{}",
        "[{",
        "},",
        "a, ]",
        "```",
        "\\n    return x\\n",
        '"',
        '",',
    )
    for suffix in ("", '"}}]' + CLOSE)
)
TAGS = (
    Shape(OPEN + CLOSE),
    Shape(f"{OPEN}[]{CLOSE} "),
    Shape(OPEN),
    Shape("<tool_call"),
    Shape("<tool_calls "),
    Shape('<tool_calls mark="x">'),
    Shape(CLOSE, OPEN),
    Shape("</tool_call", OPEN),
    Shape("</tool_call ", OPEN),
    Shape("{}", OPEN),
    Shape('{"name":"tool_1"},', f"{OPEN}[", CLOSE),
    Shape('{"name":"tool_1"}', "", ""),
    Shape('{"name":"write_file","arguments":"{}"},', "[", "]"),
    Shape("[", f'{OPEN}{{"name":"tool_1","arguments":', "", "]"),
    Shape('{"tool_calls":', OPEN, "", "}"),
    Shape('\\"', '{"name": "tool_1", "arguments": "'),
    Shape("a", '{"name": "tool_1", "arguments": "', '"}'),
    Shape("`", "", OPEN),
    Shape("```json\n", "", ""),
    Shape("``` ", OPEN, ""),
    Shape("\n", "", f"{OPEN}{CLOSE}"),
    Shape("</tool_calls> ", "<tool_calls>"),
    Shape("```\n ", "```json\n", ""),
)


# What callers send.


def body_of(raw: str, **headers: str) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": utf8(raw), "more_body": False}

    encoded = [(name.replace("_", "-").encode(), utf8(value)) for name, value in headers.items()]
    return Request({"type": "http", "headers": encoded, "method": "POST", "path": "/"}, receive)


def chat(**fields: Any) -> object:
    return read_chat_request({"model": "a", "messages": [{"role": "user", "content": "Hi"}], **fields})


def content(text: str) -> None:
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": text}}]
    parts += [{"type": "file", "file": {"filename": text, "file_data": text}}]
    parts += [{"type": "input_audio", "input_audio": {"data": text, "format": "wav"}}]
    for part in parts:
        with contextlib.suppress(*EXPECTED):
            read_chat_request({"model": "a", "messages": [{"role": "user", "content": [part]}]})


def told(text: str) -> None:
    """A conversation written out for a web account, compared with what a chat holds, and counted."""
    calls = (ToolCall("call_1", "write_file", text), ToolCall(text[:100], text[:100], text))
    turns = [Message("user", text), Message("assistant", text, (), calls), Message("tool", text, (), (), "call_1")]
    protocol = ToolProtocol(SPECS, "m4rk")
    flatten(turns, rules=[text], write_calls=protocol.write_calls)
    flatten(turns)
    digest(turns)
    usage.tokens(text)
    usage.units(text)


def schema(text: str) -> None:
    """A schema and a value that are as long as the text, in whichever place."""
    names = list(dict.fromkeys(text[at : at + 8] for at in range(0, len(text), 8)))
    for wanted, value in (
        ({"enum": names}, text),
        ({"items": {"enum": names}}, names),
        ({"items": {"not": {"enum": names}}}, names),
        ({"required": names, "properties": {name: {"type": "string"} for name in names}}, dict.fromkeys(names, text)),
        ({"$ref": "#/" + text}, text),
        ({"allOf": [{"$ref": f"#/{name}"} for name in names]}, text),
        ({"uniqueItems": True}, names),
        ({"uniqueItems": True, "items": {"pattern": text}}, [[name] for name in names]),
        ({"items": {"anyOf": [{"const": name} for name in names]}}, names),
        ({"type": names, "const": text}, text),
        ({"additionalProperties": {"oneOf": [{"type": "string"}] * 9}}, dict.fromkeys(names, 1)),
    ):
        find_violation(value, wanted)


def options(text: str) -> None:
    names = dict.fromkeys((text[at : at + 8] for at in range(0, len(text), 8)), text[:10])
    for fields in (names, {"extra_body": {"parameters": text}}, {"metadata": names}, {"stop": text}, {"user": text}):
        with contextlib.suppress(*EXPECTED):
            chat(**fields)
    ignored_header((text, *names))


def media(text: str) -> None:
    for fields in (
        {"prompt": text},
        {"size": text},
        {"aspect_ratio": text[:40]},
        {"parameters": text},
        {"image": text},
        {"seconds": text},
        {"parameters": {"seconds": text}},
    ):
        for read in (read_generation, read_video_request):
            with contextlib.suppress(*EXPECTED):
                read({"model": "a", "prompt": "b", **fields})


def document(text: str) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": text}}


def surfaces(text: str) -> None:
    reads: tuple[tuple[Callable[[Mapping[str, Any]], object], dict[str, Any]], ...] = (
        (read_completion_request, {"prompt": text}),
        (read_messages_request, {"max_tokens": 5, "messages": [{"role": "user", "content": text}], "system": text}),
        (read_messages_request, {"max_tokens": 5, "messages": [{"role": "user", "content": [document(text)]}]}),
        (lambda values: read_response_request(values, lambda kind: kind), {"input": text, "instructions": text}),
        (
            lambda values: read_response_request(values, lambda kind: kind),
            {"input": [{"type": "function_call", "call_id": "1", "name": "a", "arguments": text}]},
        ),
    )
    for read, fields in reads:
        with contextlib.suppress(*EXPECTED):
            read({"model": "a", **fields})
    is_response_id(text)
    response_of_item(text)


async def form(text: str) -> None:
    await read_form(utf8(text), Headers({"content-type": "multipart/form-data; boundary=b"}))


async def form_header(text: str) -> None:
    is_form(Headers({"content-type": text}))
    await read_form(b"--b\r\n\r\n", Headers(raw=[(b"content-type", utf8(text)[:8192])]))


async def files(text: str) -> None:
    """What a fetched file may be called, and be."""

    @dataclass(frozen=True)
    class File:
        data: bytes = utf8(text) or b"a"
        content_type: str = text[:200]
        name: str = text

    async def fetch(_url: str) -> Any:
        return File()

    turns = read_chat_request(
        {
            "model": "a",
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}]}],
        }
    ).turns
    from gateway.models.capabilities import UNKNOWN

    await AttachmentReader(fetch).read(turns, UNKNOWN)


async def headers(text: str) -> None:
    raw = utf8(text)
    given = Headers(raw=[(b"authorization", b"Basic " + raw), (b"x-api-key", raw), (b"content-type", raw)])
    _request_id({"headers": [(b"x-request-id", raw)]})
    _plain_path(text)
    why_not_offered(text)
    _tagged(body_of("", if_none_match=text), encode([1]))
    for read in (read_token, _basic_password, is_form):
        with contextlib.suppress(*EXPECTED):
            read(given)
    gateway_error(poe_error(ErrorCode.INVALID_REQUEST, text, param=text))
    _console_headers(text)


def _console_headers(text: str) -> None:
    cookie = [(b"cookie", b"__Host-poegw=" + part) for part in (utf8(text), b"v1." + utf8(text) + b".x")]
    for value in cookie_values(cookie):
        with contextlib.suppress(SessionError):
            unseal(value, b"secret", 0.0)
    accepts_gzip({"headers": [(b"accept-encoding", utf8(text))]})
    for name in ("origin", "content-type"):
        raw = [(name.encode(), utf8(text)), (b"host", utf8(text)), (b"x-console", b"1")]
        with contextlib.suppress(*EXPECTED):
            check_origin("POST", Headers(raw=raw))
        with contextlib.suppress(*EXPECTED):
            check_origin("POST", Headers(raw=[*raw, (b"sec-fetch-site", b"same-origin")]))
    FileSet("digest", {}, None).find(text)


# What Poe sends.


def frames(text: str) -> None:
    parse_frame(text)
    parse_frame(
        json.dumps(
            {
                "messages": [
                    text,
                    text[:500],
                    json.dumps({"message_type": "subscriptionUpdate", "payload": {"data": text}}),
                ]
            }
        ),
        [1, 2, 3],
    )
    message = {
        "messageId": 1,
        "text": text,
        "author": text[:99],
        "state": "complete",
        "attachments": [{"url": text, "name": text}],
    }
    update = {
        "payload": {
            "subscription_name": "messageAdded",
            "unique_id": "messageAdded:1",
            "data": {"messageAdded": message},
        }
    }
    parse_frame(
        json.dumps({"messages": [json.dumps({"message_type": "subscriptionUpdate", **update})], "min_seq": text})
    )
    clean(text)
    integer(text)
    number_of(text)


def envelope(text: str) -> None:
    for body in (utf8(text), json.dumps({"data": None, "errors": [{"message": text}] * 5}).encode()):
        for status in (200, 403):
            with contextlib.suppress(*EXPECTED):
                read_envelope(Reply(status, {"content-type": text[:200]}, body), "a")
    find_token(utf8(text))
    retry_after_seconds(text)


def home_page(text: str) -> None:
    page = parse_home_page(text)
    page.secret_script()
    for secret in ("", text):
        with contextlib.suppress(*EXPECTED):
            form_key_program(page, secret)


def server_events(text: str, size: int = 1 << 30) -> None:
    parser, data = SSEParser(1 << 20), utf8(text)
    for at in range(0, len(data), size):
        parser.feed(data[at : at + size])


DECODERS = (ChatCompletionDecoder, ResponsesDecoder, MessagesDecoder, BotQueryDecoder)
EVENTS: tuple[tuple[str, Callable[[str], dict[str, Any]]], ...] = (
    ("message", lambda text: {"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}),
    (
        "message",
        lambda text: {
            "choices": [
                {"delta": {"tool_calls": [{"index": 0, "id": text, "function": {"name": text, "arguments": text}}]}}
            ]
        },
    ),
    ("message", lambda text: {"error": {"message": text, "param": text, "code": text, "type": text}}),
    ("message", lambda text: {"type": "response.output_text.delta", "delta": text}),
    (
        "message",
        lambda text: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
    ),
    ("text", lambda text: {"text": text}),
    ("replace_response", lambda text: {"text": text}),
    ("file", lambda text: {"url": text, "name": text, "content_type": text}),
    ("error", lambda text: {"text": text, "allow_retry": True}),
)


def decoded(text: str) -> None:
    for decoder in DECODERS:
        with contextlib.suppress(*EXPECTED):
            decoder().decode(ServerSentEvent(text))
        for name, make in EVENTS:
            answer = decoder()
            with contextlib.suppress(*EXPECTED):
                answer.decode(ServerSentEvent(json.dumps(make(text)), name))
                answer.end()
    failure_of_response(429, {"retry-after": text[:8192]}, utf8(text), operation="a")
    failure_of_response(400, {}, json.dumps({"error": {"message": text, "param": text}}).encode(), operation="a")


def links(text: str) -> None:
    found = find_media(text)
    answer: list[Event] = []
    decoder = ChatCompletionDecoder()
    with contextlib.suppress(*EXPECTED):
        decoder.decode(ServerSentEvent(EVENTS[0][1](text) and json.dumps(EVENTS[0][1](text))))
        answer += decoder.end()
    attached = [event for event in answer if isinstance(event, FileAttached)]
    missing_links(attached, text)
    url_citations(attached, text)
    assert len(attached) <= len(found)


def kept_thinking(text: str, size: int) -> None:
    """What was thought and kept in the text of an answer."""
    reader = ThinkingFilter()
    for at in range(0, len(text), size):
        reader.events([TextDelta(text[at : at + size])])
    reader.end()
    ThinkingFilter().events([TextReplaced(text)])


def free_form(text: str, size: int) -> None:
    """The text of a free-form tool, out of the arguments of a function."""
    reader = TextReader()
    for at in range(0, len(text), size):
        reader.feed(text[at : at + size])
    reader.finish()


# Addresses and files.


def addresses(text: str) -> None:
    policy = FetchPolicy(allow_http=True)
    current = parse_target("https://a.example/b", policy)
    for url in (text, f"https://{text}", f"https://a.example/{text}", f"https://a.example:{text}", f"https://[{text}]"):
        with contextlib.suppress(*EXPECTED):
            parse_target(url, policy)
        with contextlib.suppress(*EXPECTED):
            parse_redirect(current, url[:8192], policy)
    with contextlib.suppress(*EXPECTED):
        check_resolved([text], policy)


def data_urls(text: str) -> None:
    for url in (text, f"data:{text}", f"data:;base64,{text}", f"data:;name={text},", f"data:,{text}"):
        with contextlib.suppress(*EXPECTED):
            parse_data_url(url, max_bytes=1 << 20)


def types(text: str) -> None:
    for data in (utf8(text), b"PK\x03\x04" + utf8(text), b"\xff\xfe" + utf8(text), b"RIFF" + utf8(text)):
        sniff_type(data, text)
    safe_name(text, "image/png")


# What AWS hands over.


def lambda_event(text: str) -> None:
    from mangum import Mangum

    from streaming_runtime.context import LambdaContext
    from streaming_runtime.settings import Settings

    with contextlib.suppress(Exception):
        parse_event(utf8(text))
    _mapping(text)
    event = {
        "version": "2.0",
        "rawPath": text,
        "rawQueryString": text,
        "headers": {"host": text, text: text, "x-forwarded-port": text, "cookie": text},
        "cookies": [text],
        "body": text,
        "isBase64Encoded": False,
        "requestContext": {"domainName": text, "http": {"method": text, "path": text, "sourceIp": text}},
    }
    context: Any = object.__new__(LambdaContext)
    with contextlib.suppress(Exception):
        build_request(
            event,
            context,
            Mangum(lambda *_: None, lifespan="off"),
            Settings.from_environ({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "_HANDLER": "a.b"}),
        )


def runtime_answers(text: str, size: int = 1 << 30) -> None:
    """What the Runtime API answers with, and what the application answers it."""
    for before in ("", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"):
        with contextlib.suppress(Exception):
            parser, data = RuntimeResponseParser(), utf8(before + text)
            for at in range(0, len(data), size):
                parser.feed(data[at : at + size])
    with contextlib.suppress(Exception):
        head = {"lambda-runtime-aws-request-id": "a", "lambda-runtime-deadline-ms": text}
        parse_invocation(HttpResponse(200, head, b"", True))
    with contextlib.suppress(Exception):
        parse_head({"status": 200, "headers": [(b"a", utf8(text)), (utf8(text), b"b")]})


def responses(text: str, size: int = 1 << 30) -> None:
    """What Poe's servers, or what stands before them, send as HTTP."""
    for before in ("", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"):
        with contextlib.suppress(Exception):
            parser, data = ResponseParser(), utf8(before + text)
            for at in range(0, len(data), size):
                parser.feed(data[at : at + size])
            parser.feed_eof()


def refusals(text: str) -> None:
    """A provider's words about a request, which are looked through for the option that they are about."""
    parameters = {"reasoning_effort": "high", "temperature": 1, "stop": "a", "verbosity": "low", text[:40]: text[:40]}
    request = ChatRequest("a", (), parameters=parameters, stop=("a",), max_tokens=5)
    for param in (None, text):
        blame(poe_error(ErrorCode.INVALID_REQUEST, upstream_text=text, param=param), request)


def overrides(text: str) -> None:
    """What an administrator, or Poe, may give as a hash, a rule or an address of the channel."""
    for value in ({"hashes": {text[:200]: text}}, {"form_key_rules": {"secret": text}}, {"revision": text}):
        with contextlib.suppress(*EXPECTED), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python has to say about odd expressions
            read_overrides(value)
    parse_channel_settings(dict.fromkeys(("channel", "channelHash", "boxName", "baseHost", "minSeq"), text))
    parse_channel_settings({"channel": "a", "channelHash": "b", "minSeq": "1", "boxName": "c", "baseHost": text})
    upload_name(text)
    upload_type(text, text)


def mention(text: str) -> None:
    member = GroupMember(text[:64] or "a", text[:64] or "a", None, 0.5)
    count_mentions(member, text)


_HEADING = "*Thinking...*\n\n"
THOUGHTS = (
    Shape("> a\n", _HEADING),
    Shape("> ", _HEADING),
    Shape("\n", _HEADING + ">"),
    Shape("*"),
    Shape("> a", _HEADING),
    Shape("a\n", _HEADING + "> b\n"),
    Shape("> ```\na\n", _HEADING),
    Shape("  a\n> b\n\n", _HEADING),
    Shape("a </thin", "<think>"),
    Shape("\n", "<think>", "</think>"),
)
LINKS = (
    Shape("[a](https://a.b/c) "),
    Shape("["),
    Shape("[[1]]("),
    Shape("[a](https://a.b/(", "x"),
    Shape("https://a.b/(c)(", "["),
    Shape("[a](https://a.b/c", "", ")"),
)
PARSERS = (
    Parser("tool calls at once", tool_calls, (*IN_A_CALL, *TAGS), (OPEN, CLOSE)),
    Parser("tool calls in pieces", lambda text: tool_calls(text, 5), (*IN_A_CALL, *TAGS), (OPEN, CLOSE), 8192),
    Parser("tool calls one character at a time", lambda text: tool_calls(text, 1), (*IN_A_CALL, *TAGS), size=8192),
    Parser("replaced text", replaced, TAGS, size=8192),
    Parser("JSON at once", lambda text: streamed_json(text, 1 << 30), wrap=('{"a":"', '"}')),
    Parser("JSON one character at a time", lambda text: streamed_json(text, 1), wrap=('{"a":', "}"), size=8192),
    Parser(
        "stop sequences",
        lambda text: stopped(text, 1 << 30, *LONG_STOPS),
        (Shape("a"), Shape("ab"), Shape("a", "", "b")),
    ),
    Parser(
        "stop sequences one character at a time",
        lambda text: stopped(text, 1, *LONG_STOPS),
        (Shape("ab"),),
        size=8192,
    ),
    Parser("token limit", lambda text: stopped(text, 7, max_tokens=len(text)), size=8192),
    Parser("token limit that cuts", lambda text: stopped(text, 1 << 30, max_tokens=len(text) // 16)),
    Parser(
        "progress notes",
        lambda text: stopped(text, 3),
        (Shape(" ", "Thinking"), Shape(".", "Thinking"), Shape("*_", "")),
        size=8192,
    ),
    Parser(
        "addresses in a text",
        find_addresses,
        (Shape('![](https://a "'), Shape("![a](https://a/(b"), Shape(" ", '![](https://a "'), Shape("![](<https://a")),
    ),
    Parser(
        "links to files",
        links,
        (Shape("![a](https://a.poecdn.net/{}) "), Shape("![](https://a.poecdn.net/b) https://a.poecdn.net/b\n")),
    ),
    Parser("cited links", lambda text: [*links_in(text)], LINKS),
    Parser("kept thinking", lambda text: kept_thinking(text, 1 << 30), THOUGHTS),
    Parser("kept thinking in pieces", lambda text: kept_thinking(text, 3), THOUGHTS, size=8192),
    Parser("text of a free-form tool", lambda text: free_form(text, 1 << 30), wrap=('{"input":"', '"}')),
    Parser("text of a free-form tool in pieces", lambda text: free_form(text, 3), wrap=('{"input":"', '"}'), size=8192),
    Parser("arguments of a call", read_arguments, wrap=('{"a":"', '"}')),
    Parser(
        "body",
        awaited(lambda text: read_json(body_of(text), max_bytes=1 << 30)),
        (Shape("\\ud800", '{"a":["', '"]}'), Shape('["\\ud800",1],', '{"a":[', "1]}")),
        ('{"a":"', '"}'),
    ),
    Parser(
        "content of a message",
        content,
        (Shape("a;", "data:", ",a"), Shape("%41", "data:;base64,")),
        ("data:image/png;base64,", ""),
    ),
    Parser("conversation", told, (Shape("call_1 "), Shape("m4rk"))),
    Parser("schema", schema, (Shape("~1/"), Shape("%2F")), size=16_384),
    Parser("options", options),
    Parser("images and videos", media, (Shape("1", "", ":1"), Shape("0", "", "10"))),
    Parser("image as text", awaited(lambda text: image_from_text(text, "image")), wrap=("data:image/png;base64,", "")),
    Parser("requests of the other surfaces", surfaces),
    Parser(
        "form",
        awaited(form),
        (Shape("--b\r\n"), Shape("\r\n--", "--b\r\n\r\n"), Shape("\r\n-", "--b\r\n\r\n")),
        ('--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n', "\r\n--b--"),
    ),
    Parser(
        "header of a form",
        awaited(form_header),
        (Shape('; a="'), Shape("; a=b")),
        ("multipart/form-data; boundary=", ""),
    ),
    Parser("files", awaited(files)),
    Parser("headers", awaited(headers), (Shape("/"), Shape('"a",'), Shape("W/"))),
    Parser("frames", frames, (Shape("1"),)),
    Parser(
        "envelope",
        envelope,
        (
            Shape('{"token":', "", "1", "}"),
            Shape('{"a":{"token":', "", "1", "}}"),
            Shape("a.a."),
            Shape('"a",', '{"a":[', "1]}"),
        ),
        size=16_384,
    ),
    Parser(
        "home page",
        home_page,
        (
            Shape("<script>"),
            Shape("<script "),
            Shape('<script "'),
            Shape("<script a='"),
            Shape("<script>function</script>"),
            Shape("<!--<script>"),
            Shape("</script", "<script>"),
            Shape("let useFormkeyDecode="),
            Shape('window.a="'),
            Shape('window.a("', "<script>function "),
            Shape("window.a=function(){return window", "<script>", "</script>"),
            Shape("window.", "<script>function ", "</script>"),
            Shape('"buildId":', ""),
            Shape('"buildId" ', ""),
            Shape('"tchannelData"', ""),
            Shape("[", '<script id="__NEXT_DATA__">', "</script>"),
            Shape('{"a":[', '<script id="__NEXT_DATA__">{"b":[', "1]}</script>", "]}"),
            Shape('{"tchannelData":{"channel":"a"}},', '<script id="__NEXT_DATA__">{"b":[', "1]}</script>"),
            Shape("&amp;", '<script src="', '"></script>'),
            Shape("&#9", '<script src="', '"></script>'),
            Shape(" a=b", "<script", "></script>"),
            Shape("a", "let useFormkeyDecode=window.", ""),
        ),
    ),
    Parser(
        "server-sent events",
        server_events,
        (Shape("data: a\n"), Shape("data:\r"), Shape(":\n\n"), Shape("data: a\n\n")),
    ),
    Parser(
        "server-sent events in pieces",
        lambda text: server_events(text, 1),
        (Shape("data: a\n"), Shape("\r")),
        size=8192,
    ),
    Parser("answers of the documented API", decoded, size=16_384),
    Parser("JSON of Poe", decode_json, wrap=('{"a":"', '"}')),
    Parser("addresses", addresses, (Shape("a."), Shape("0x"), Shape("1."), Shape("[:"))),
    Parser(
        "data URLs", data_urls, (Shape(";a", "data:", ",a"), Shape(";name=", "data:", ","), Shape("; base64", "data:"))
    ),
    Parser("types of files", types, (Shape("<svg"), Shape("<?xml "))),
    Parser("events of Lambda", lambda_event, (Shape("a=b&"), Shape("a=b; "), Shape("a.lambda-url."))),
    Parser(
        "answers of the Runtime API",
        runtime_answers,
        (Shape("a: b\r\n"), Shape("1\r\na\r\n"), Shape("0\r\n"), Shape("1;")),
    ),
    Parser(
        "answers of the Runtime API in pieces",
        lambda text: runtime_answers(text, 1),
        (Shape("a: b\r\n"), Shape("1\r\na\r\n")),
        size=8192,
    ),
    Parser("HTTP of Poe", responses, (Shape("a: b\r\n"), Shape("1\r\na\r\n"), Shape("0\r\n"), Shape("1;"))),
    Parser(
        "HTTP of Poe in pieces", lambda text: responses(text, 1), (Shape("a: b\r\n"), Shape("1\r\na\r\n")), size=8192
    ),
    Parser(
        "refusals",
        refusals,
        (Shape("stop "), Shape("'stop' "), Shape("'high'"), Shape(" ", "stop"), Shape("a."), Shape("a[")),
    ),
    Parser("overrides", overrides, (Shape("a-"), Shape("/"), Shape("a/", "", "/b"))),
    Parser("mentions", mention, (Shape("a"), Shape("a "))),
)
