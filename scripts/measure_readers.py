"""Compares the gateway's readers of chat completions with the same body as msgspec structs.

    python scripts/measure_readers.py

Prints the time to import each, the time to read a body of 21 messages and one of 1,000, and for each of some wrong
bodies whether the error names OpenAI's `param` and `code`. Times are the least processor time of several runs. msgspec
is no dependency of the gateway: without it (`pip install msgspec`) only the gateway's own rows are printed.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PATHS = [str(ROOT / path) for path in ("", "functions", "layers/accounts", "layers/pool")]
RUNS = 30
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
# What a caller got wrong, and what OpenAI's error says of it.
WRONG: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"model": None}, "model", "missing_required_parameter"),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
        "messages[0].content[0].text",
        "invalid_type",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        "messages[0].content[0].image_url",
        "missing_required_parameter",
    ),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
    ({"temperature": 3}, "temperature", "out_of_range"),
    ({"temperature": "hot"}, "temperature", "invalid_type"),
    ({"n": 0}, "n", "out_of_range"),
    ({"stream": "yes"}, "stream", "invalid_type"),
    ({"stop": [1]}, "stop", "invalid_type"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage", "invalid_type"),
)


def body(messages: int) -> dict[str, Any]:
    """A conversation with a tool, an image, and text parts."""
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "What is in it? " * 10}, image]},
        {"role": "assistant", "content": "A cat sits on a mat. " * 20},
        {"role": "user", "content": "And in the second one?"},
    ]
    return {
        "model": "GPT-5",
        "messages": [turns[index % 3] for index in range(messages)],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": _CITY}}],
    }


def milliseconds(work: Callable[[], Any]) -> float:
    """The least processor time of several runs."""
    least = float("inf")
    for _ in range(RUNS):
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
    return least * 1000


def import_milliseconds(code: str) -> float:
    """The processor time that `code` adds to an interpreter that has the internal request and the bodies of HTTP."""
    program = (
        f"import sys, time; sys.path[:0] = {PATHS!r}\n"
        "import gateway.http.bodies, gateway.prompt.request\n"
        f"start = time.process_time()\n{code}\nprint((time.process_time() - start) * 1000)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)
        for _ in range(7)
    ]
    return min(times)


def precision(read: Callable[[bytes], Any], explain: Callable[[Exception], tuple[str | None, str | None]]) -> str:
    """How many of the wrong bodies are refused with the right field, and with the right code."""
    fields = codes = 0
    for wrong, param, code in WRONG:
        try:
            read(json.dumps(body(1) | wrong).encode())
        except Exception as error:  # noqa: BLE001 - each reader has its own
            named, coded = explain(error)
            fields += named == param
            codes += (named, coded) == (param, code)
    return f"{fields} and {codes} of {len(WRONG)}"


def own_reader() -> tuple[Callable[[bytes], Any], Callable[[Exception], tuple[str | None, str | None]]]:
    from gateway.surfaces.chat.request import read_chat_request

    return lambda data: read_chat_request(json.loads(data)), lambda error: (
        getattr(error, "param", None),
        getattr(error, "code", None),
    )


STRUCTS = """
from typing import Annotated, Any, Literal
import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Name = Annotated[str, Meta(min_length=1, max_length=256, pattern="[^ ]")]
class Url(Struct): url: Name; detail: str | None = None
class TextPart(Struct, tag="text"): text: str | None = None
class ImagePart(Struct, tag="image_url"): image_url: Url
class File(Struct): filename: str | None = None; file_data: str | None = None; file_url: str | None = None
class FilePart(Struct, tag="file"): file: File
class Sound(Struct): data: Name; format: Literal["wav", "mp3"] | None = None
class AudioPart(Struct, tag="input_audio"): input_audio: Sound
Part = TextPart | ImagePart | FilePart | AudioPart
class Called(Struct): name: Name; arguments: str = "{}"
class Call(Struct): id: str | None = None; type: str | None = None; function: Called | None = None
class Message(Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
class Function(Struct):
    name: Name; description: str | None = None; parameters: dict[str, Any] | None = None; strict: bool | None = None
class Tool(Struct): function: Function; type: str | None = None
class StreamOptions(Struct): include_usage: bool | None = None; include_obfuscation: bool | None = None
class Schema(Struct): name: str | None = None; schema: dict[str, Any] | None = None; strict: bool | None = None
class Format(Struct): type: Literal["text", "json_object", "json_schema"]; json_schema: Schema | None = None
class Chat(Struct):
    model: Name
    messages: Annotated[list[Message], Meta(min_length=1, max_length=4096)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=8)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=16)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    tools: Annotated[list[Tool], Meta(max_length=128)] | None = None
    tool_choice: Any = None
    response_format: Format | None = None
    parameters: dict[str, Any] | None = None
decoder = msgspec.json.Decoder(Chat)
"""
# msgspec raises on the first fault with a sentence: "Expected `int` >= 1 - at `$.n`".
_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]*)`")


def struct_reader() -> tuple[Callable[[bytes], Any], Callable[[Exception], tuple[str | None, str | None]]]:
    names: dict[str, Any] = {"__name__": "structs"}
    exec(compile(STRUCTS, "structs", "exec", dont_inherit=True), names)
    decode = names["decoder"].decode
    known = frozenset(names["Chat"].__struct_fields__)

    def read(data: bytes) -> Any:
        # Fields that no struct has are options of bots: they must be known, too, which takes a second look.
        return decode(data), {name for name in json.loads(data) if name not in known}

    def explain(error: Exception) -> tuple[str | None, str | None]:
        text = str(error)
        found, missing = _PLACE.search(text), _MISSING.search(text)
        place = found[1] if found else ""
        if missing:
            return f"{place}.{missing[1]}".lstrip("."), "missing_required_parameter"
        if "Invalid enum value" in text or "Invalid value" in text:
            return place, "invalid_value"
        if ">=" in text or "<=" in text:
            return place, "out_of_range"
        return place, "invalid_type"

    return read, explain


def main() -> None:
    sys.path[:0] = PATHS
    rows: list[tuple[str, str, Any]] = [
        ("own fields", "import gateway.surfaces.chat.request", own_reader),
    ]
    if importlib.util.find_spec("msgspec") is not None:
        rows.append(("msgspec structs", STRUCTS, struct_reader))
    small, large = (json.dumps(body(count)).encode() for count in (21, 1000))
    print("| readers | import | 21 messages | 1,000 messages | errors with the right param, and code too |")
    print("|---|---|---|---|---|")
    print(
        f"| json.loads alone | | {milliseconds(lambda: json.loads(small)):.3f} ms "
        f"| {milliseconds(lambda: json.loads(large)):.2f} ms | |"
    )
    for name, code, make in rows:
        read, explain = make()
        times = [milliseconds(partial(read, data)) for data in (small, large)]
        print(
            f"| {name} | {import_milliseconds(code):.1f} ms | {times[0]:.3f} ms | {times[1]:.2f} ms "
            f"| {precision(read, explain)} |"
        )


if __name__ == "__main__":
    main()
