"""The calls. Imports nothing but the published client, in its own virtual environment: started by run.py."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import io
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import fastapi_poe as fp
import httpx
from fastapi_poe.client import AttachmentUploadError, BotError, BotErrorNoRetry, _BotContext

BASE, KEY = sys.argv[1:3]
BOT, UPLOAD = f"{BASE}/bot/", f"{BASE}/poe_api/"
CALLS: list[tuple[str, Callable[[], Awaitable[None]]]] = []
PARIS = '[[call: {"city": "Paris"}]]'
TOOL = fp.ToolDefinition(
    type="function",
    function={
        "name": "weather",
        "description": "the weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
)


def call(name: str) -> Callable[[Callable[[], Awaitable[None]]], Callable[[], Awaitable[None]]]:
    """Add a function to the table."""

    def add(function: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        CALLS.append((name, function))
        return function

    return add


def expect(got: Any, wanted: Any) -> None:
    """Fail the call unless both are equal."""
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def user(text: str, **fields: Any) -> fp.ProtocolMessage:
    """A message of the user."""
    return fp.ProtocolMessage(role="user", content=text, **fields)


def query(text: str) -> fp.QueryRequest:
    """A query as the client itself makes one."""
    return fp.QueryRequest(
        query=[user(text)], user_id="", conversation_id="", message_id="", version="1.2", type="query"
    )


async def ask(bot: str, *messages: fp.ProtocolMessage, key: str = KEY, **fields: Any) -> list[Any]:
    """All that the client yields."""
    made = fp.get_bot_response(list(messages), bot, key, base_url=BOT, **fields)
    return [partial async for partial in made]


def text_of(partials: list[Any]) -> str:
    """The text in the end, as the client folds it."""
    text = ""
    for partial in partials:
        if not isinstance(partial, fp.MetaResponse) and not partial.is_suggested_reply:
            text = partial.text if partial.is_replace_response else text + partial.text
    return text


async def break_next(*faults: dict[str, Any], **fields: Any) -> None:
    """Let the next request go wrong."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{BASE}/_sim/scenarios", json={"faults": list(faults), **fields})
        answer.raise_for_status()


@call("get_bot_response: text in pieces, meta first")
async def _() -> None:
    partials = await ask("Echo", user("hello there"))
    expect(isinstance(partials[0], fp.MetaResponse), True)
    expect([partial.text for partial in partials[1:]], ["You ", "said: ", "hello ", "there"])


@call("get_bot_response: system and bot messages, stop, temperature, parameters")
async def _() -> None:
    turns = [
        fp.ProtocolMessage(role="system", content="Be brief."),
        user("one"),
        fp.ProtocolMessage(role="bot", content="1"),
    ]
    last = user("two", parameters={"reasoning_effort": "high"})
    partials = await ask("Reasoner", *turns, last, temperature=0.5, stop_sequences=["END"])
    expect("high effort" in text_of(partials), True)


@call("get_bot_response: message attachments")
async def _() -> None:
    file = fp.Attachment(url="https://example.com/a.pdf", content_type="application/pdf", name="a.pdf")
    expect(text_of(await ask("Echo", user("see", attachments=[file]))), "You said: see\n[a.pdf]")


@call("get_bot_response: replace_response, suggested_reply")
async def _() -> None:
    partials = await ask("Suggester", user("x"))
    expect(text_of(partials), "Answer: x")
    expect([partial.text for partial in partials if partial.is_suggested_reply], ["Tell me more", "Why?"])


@call("get_bot_response: file event")
async def _() -> None:
    files = [partial.attachment for partial in await ask("Painter", user("x")) if partial.attachment]
    expect([(file.name, file.content_type) for file in files], [("x.png", "image/png")])
    async with httpx.AsyncClient() as client:
        expect((await client.get(files[0].url)).content[:4], b"\x89PNG")


@call("get_bot_response: tools, executed by the client")
async def _() -> None:
    def weather(city: str) -> str:
        return f"sunny in {city}"

    partials = await ask("BotOnly", user(PARIS), tools=[TOOL], tool_executables=[weather])
    expect(text_of(partials).strip(), 'The tool said: "sunny in Paris"')


@call("get_bot_response: tools, deltas handed to the caller")
async def _() -> None:
    partials = await ask("BotOnly", user(f"{PARIS} {PARIS}"), tools=[TOOL])
    deltas = [delta for partial in partials for delta in partial.tool_calls]
    expect({delta.index for delta in deltas}, {0, 1})
    arguments = "".join(delta.function.arguments for delta in deltas if delta.index == 1)
    expect(arguments, '{"city": "Paris"}')


@call("get_bot_response: tools offered, none called")
async def _() -> None:
    partials = await ask("Echo", user("x"), tools=[TOOL])
    expect(text_of(partials), "You said: x")


@call("get_bot_response_sync")
async def _() -> None:
    def run() -> str:
        return text_of(list(fp.get_bot_response_sync([user("x")], "Echo", KEY, base_url=BOT)))

    expect(await asyncio.to_thread(run), "You said: x")


@call("get_final_response")
async def _() -> None:
    expect(await fp.get_final_response(query("x"), "Echo", KEY, base_url=BOT), "You said: x")


@call("stream_request: 500 first, the client's own retry")
async def _() -> None:
    await break_next({"type": "http_error", "status": 500, "body": "oops"}, operation="/bot")
    expect(
        await fp.get_final_response(
            query("x"), "Echo", KEY, base_url=BOT, on_error=lambda *_: None, retry_sleep_time=0
        ),
        "You said: x",
    )


@call("stream_request: error event, retry allowed and used up")
async def _() -> None:
    await break_next({"type": "error_event", "at": 0, "message": "oops"}, times=2, operation="/bot")
    await _fails(
        BotError,
        fp.get_final_response(query("x"), "Echo", KEY, base_url=BOT, on_error=lambda *_: None, retry_sleep_time=0),
    )


@call("stream_request: points run out, no retry")
async def _() -> None:
    await break_next({"type": "points_run_out", "at": 3}, operation="/bot")
    await _fails(BotErrorNoRetry, fp.get_final_response(query("x"), "Echo", KEY, base_url=BOT))
    async with httpx.AsyncClient() as client:
        await client.post(f"{BASE}/_sim/accounts", json={"api_key": KEY, "points": 1_000_000})


@call("stream_request: cut socket, twice: the client tries once more even after text")
async def _() -> None:
    await break_next({"type": "cut_socket", "at": 4}, times=2, operation="/bot")
    await _fails(
        BotError,
        fp.get_final_response(query("a b c"), "Echo", KEY, base_url=BOT, on_error=lambda *_: None, retry_sleep_time=0),
    )


@call("stream_request: wrong key, unknown bot")
async def _() -> None:
    for bot, key in (("Echo", "wrong"), ("NoSuchBot", KEY)):
        await _fails(
            BotError,
            fp.get_final_response(query("x"), bot, key, base_url=BOT, on_error=lambda *_: None, retry_sleep_time=0),
        )


@call("settings: fetch_settings, validated")
async def _() -> None:
    async with httpx.AsyncClient() as session:
        context = _BotContext(endpoint=f"{BOT}Echo", session=session, api_key=KEY)
        settings = fp.SettingsResponse.model_validate(await context.fetch_settings())
    expect((settings.response_version, settings.introduction_message), (2, "This is Echo."))


@call("settings: sync_bot_settings, fetched and updated")
async def _() -> None:
    await asyncio.to_thread(fp.sync_bot_settings, "Echo", KEY, base_url=BOT)
    settings = {"introduction_message": "Hello from the settings."}
    await asyncio.to_thread(fp.sync_bot_settings, "Echo", KEY, settings=settings, base_url=BOT)
    async with httpx.AsyncClient() as session:
        context = _BotContext(endpoint=f"{BOT}Echo", session=session, api_key=KEY)
        expect((await context.fetch_settings())["introduction_message"], "Hello from the settings.")
    await _fails(BotError, asyncio.to_thread(fp.sync_bot_settings, "Echo", "wrong", base_url=BOT))


@call("reports: error, feedback, reaction")
async def _() -> None:
    async with httpx.AsyncClient() as session:
        context = _BotContext(endpoint=f"{BOT}Echo", session=session, api_key=KEY)
        await context.report_error("x")
        await context.report_feedback("m", "u", "c", "like")
        await context.report_reaction("m", "u", "c", "heart")
    async with httpx.AsyncClient() as client:
        latest = (await client.get(f"{BASE}/_sim/requests")).json()[-3:]
    expect([record["status"] for record in latest], [200, 200, 200])


@call("upload_file: bytes, file object, address")
async def _() -> None:
    kept = await fp.upload_file(b"\x89PNG", file_name="a.png", api_key=KEY, base_url=UPLOAD)
    expect((kept.name, kept.content_type), ("a.png", "image/png"))
    async with httpx.AsyncClient() as client:
        expect((await client.get(kept.url)).content, b"\x89PNG")
    opened = io.BytesIO(b"hello")
    opened.name = "b.txt"  # type: ignore[attr-defined]
    expect((await fp.upload_file(opened, api_key=KEY, base_url=UPLOAD)).name, "b.txt")
    far = await fp.upload_file(file_url="https://example.com/c.pdf", file_name="c.pdf", api_key=KEY, base_url=UPLOAD)
    expect(far.url.startswith(BASE), True)


@call("upload_file_sync")
async def _() -> None:
    kept = await asyncio.to_thread(fp.upload_file_sync, b"x", file_name="x.txt", api_key=KEY, base_url=UPLOAD)
    expect(kept.content_type, "text/plain")


@call("upload_file: wrong key")
async def _() -> None:
    made = fp.upload_file(
        b"x", file_name="x.txt", api_key="wrong", base_url=UPLOAD, on_error=lambda *_: None, retry_sleep_time=0
    )
    await _fails(AttachmentUploadError, made)


@call("an uploaded file in a message")
async def _() -> None:
    kept = await fp.upload_file(b"x", file_name="x.txt", api_key=KEY, base_url=UPLOAD)
    expect(text_of(await ask("Echo", user("see", attachments=[kept]))), "You said: see\n[x.txt]")


async def _fails(error: type[Exception], pending: Awaitable[Any]) -> None:
    try:
        await pending
    except error as caught:
        expect(type(caught), error)
        return
    raise AssertionError(f"no {error.__name__}")


async def main() -> int:
    """Run every call, print the table."""
    print(f"fastapi_poe {importlib.metadata.version('fastapi-poe')} against the simulator of the documented API\n")
    width = max(len(name) for name, _ in CALLS)
    failed = 0
    for name, function in CALLS:
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # the client prints
                await asyncio.wait_for(function(), 20)
            print(f"  {name:<{width}}  ok")
        except Exception as error:  # noqa: BLE001  every failure is a row of the table
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"  {name:<{width}}  FAILED  {type(error).__name__}: {str(error)[:160]} (line {where.lineno})")
        async with httpx.AsyncClient() as client:
            await client.delete(f"{BASE}/_sim/scenarios")
    print(f"\n{len(CALLS) - failed} of {len(CALLS)} calls ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
