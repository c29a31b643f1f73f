"""Runs the published client, as it is, through its calls; writes a JSON line per check. Needs nothing but that client.

Usage: python exercise.py async|sync CONTROL_URL
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
from importlib import metadata
from pathlib import Path

CHECKS = {"async": [], "sync": []}
ALPHABET = [f"w{n:04d}" for n in range(1, 6)]


def check(name, kind="async"):
    def enter(function):
        CHECKS[kind].append((name, function))
        return function

    return enter


class Failed(Exception):
    """A check whose outcome is not the expected one."""


def expect(condition, what):
    if not condition:
        raise Failed(str(what)[:300])


class Control:
    """The simulator's own addresses, reached directly."""

    def __init__(self, url):
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def post(self, path, **body):
        request = urllib.request.Request(f"{self.url}/_sim/{path}", json.dumps(body).encode(), method="POST")
        return json.load(self.opener.open(request, timeout=10))

    def get(self, path):
        return json.load(self.opener.open(f"{self.url}/_sim/{path}", timeout=10))

    def account(self, p_b):
        return next(a for a in self.get("state")["accounts"] if a["p_b"] == p_b)

    def fault(self, *faults, **where):
        self.post("scenarios", faults=list(faults), **where)


class Run:
    """What the checks share: a connected client, its account, and what earlier checks left behind."""

    def __init__(self, client, control):
        self.client, self.control = client, control
        self.chat, self.sources = {}, {}

    async def fresh(self):
        """A run with a client of its own: after an error the published one counts a message as open for ever."""
        from poe_api_wrapper import AsyncPoeApi

        return Run(await AsyncPoeApi({"p-b": "cookie-1", "p-lat": "lat"}).create(), self.control)

    async def ask(self, bot, message, **more):
        chunks = [dict(chunk) async for chunk in self.client.send_message(bot=bot, message=message, **more)]
        expect(chunks, "no chunk")
        return chunks


@check("the installed package is the published one")
async def unmodified(run):
    files = [f for f in metadata.files("poe-api-wrapper") if f.hash]
    for file in files:
        digest = hashlib.new(file.hash.mode, Path(file.locate()).read_bytes()).digest()
        expect(base64.urlsafe_b64encode(digest).decode().rstrip("=") == file.hash.value, file)
    expect(metadata.version("poe-api-wrapper") == "1.7.1" and files, "version")


@check("create with a supplied form key")
async def create_supplied(run):
    from poe_api_wrapper import AsyncPoeApi

    form_key = run.control.account("cookie-2")["form_key"]
    client = await AsyncPoeApi({"p-b": "cookie-2", "p-lat": "lat", "formkey": form_key}).create()
    expect(client.formkey == form_key, "form key")
    paths = [r["path"] for r in run.control.get("requests") if r["account"] == "cookie-2"]
    expect("/api/settings" in paths and "/" not in paths, paths)


@check("create with a derived form key")
async def create_derived(run):
    expect(run.client.formkey == run.control.account("cookie-1")["form_key"], "form key")


@check("get_settings")
async def settings(run):
    data = await run.client.get_settings()
    expect(data["messagePointInfo"]["messagePointBalance"] == run.control.account("cookie-1")["points"], data)
    expect(data["subscription"]["isActive"], data)


@check("get_botInfo")
async def bot_info(run):
    data = await run.client.get_botInfo("GPT-4o")
    expect(data["model"] == "gpt4_o" and data["supportsFileUpload"], data)


@check("send_message: new chat, streamed")
async def new_chat(run):
    chunks = await run.ask("GPT-4o", "count 5")
    expect(chunks[-1]["text"].split() == ALPHABET, chunks[-1])
    expect("".join(c["response"] for c in chunks).split() == ALPHABET, [c["response"] for c in chunks])
    expect(len(chunks) >= 5, f"{len(chunks)} chunks")
    run.chat = chunks[-1]


@check("send_message: existing chat by code")
async def existing_chat(run):
    chunks = await run.ask("GPT-4o", "count 2", chatCode=run.chat["chatCode"])
    expect(chunks[-1]["text"] == "w0001 w0002" and chunks[-1]["chatId"] == run.chat["chatId"], chunks[-1])


@check("send_message: 8 in parallel")
async def parallel(run):
    answers = await asyncio.gather(*(run.ask("Echo", f"number {n}", timeout=10) for n in range(8)))
    expect([a[-1]["text"] for a in answers] == [f"You said: number {n}" for n in range(8)], answers[-1][-1])


@check("send_message: two local files")
async def local_files(run):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, "a.txt"), Path(folder, "b.py")]
        for path in paths:
            path.write_text("hello")
        text = (await run.ask("Echo", "look", file_path=[str(p) for p in paths]))[-1]["text"]
    expect("a.txt (text/plain, 5 bytes)" in text and "b.py (text/x-python, 5 bytes)" in text, text)


@check("send_message: data URI")
async def data_uri(run):
    data = base64.b64encode(b"\x89PNG\r\n").decode()
    text = (await run.ask("Echo", "look", file_path=[f"data:image/png;base64,{data}"]))[-1]["text"]
    expect("(image/png, 6 bytes)" in text, text)


@check("send_message: attachment by URL (httpx below 0.28)")
async def url_attachment(run):
    url = (await run.ask("Painter", "a tree"))[-1]["attachments"][0]["file"]["url"]
    expect(url.startswith("https://poe.com/"), url)
    text = (await run.ask("Echo", "look", file_path=[url]))[-1]["text"]
    expect("(image/png, " in text, text)


@check("send_message: suggested replies (8 final events)")
async def suggested(run):
    chunks = await run.ask("Helper", "hi", suggest_replies=True)
    expect("Tell me more" in chunks[-1]["suggestedReplies"], chunks[-1]["suggestedReplies"])


@check("cancel_message")
async def cancel(run):
    count = 0
    async for chunk in run.client.send_message(bot="Story", message="count 400"):
        count += 1
        if count == 3:
            await run.client.cancel_message(chunk)
    expect(3 <= count < 100, count)
    names = [r["name"] for r in run.control.get("sent")]
    expect("messageCancelled" in names, names[-5:])


@check("retry_message")
async def retry(run):
    first = (await run.ask("Echo", "again"))[-1]
    chunks = [dict(c) async for c in run.client.retry_message(first["chatCode"])]
    expect(chunks[-1]["text"] == "You said: again" and chunks[-1]["messageId"] > first["messageId"], chunks[-1])


@check("chat_break")
async def chat_break(run):
    await run.client.chat_break("GPT-4o", chatCode=run.chat["chatCode"])
    page = await run.client.get_previous_messages("GPT-4o", chatCode=run.chat["chatCode"], count=10)
    expect(page[-1]["author"] == "chat_break", page[-1])


async def raises(awaitable, what):
    try:
        await awaitable
    except Exception as error:  # noqa: BLE001  # the client raises nothing more precise
        return expect(what.lower() in str(error).lower(), f"{error!r} does not say {what!r}")
    raise Failed("no error")


@check("statuses reached_limit, no_access and unknown are errors")
async def statuses(run):
    run = await run.fresh()
    for status, says in (("reached_limit", "limit"), ("no_access", "Because"), ("something_new", "Because")):
        run.control.fault({"type": "mutation_status", "status": status, "message": "Because"}, bot="Echo")
        await raises(run.ask("Echo", "hi"), says)


@check("status rate_limit_exceeded: sent again after a pause")
async def rate_limit(run):
    run = await run.fresh()
    run.control.fault({"type": "mutation_status", "status": "rate_limit_exceeded"}, bot="Echo")
    begin = time.monotonic()
    expect((await run.ask("Echo", "hi"))[-1]["text"] == "You said: hi", "text")
    expect(time.monotonic() - begin >= 4, "no pause")


@check("403 and 500: one retry, then success")
async def http_errors(run):
    for status in (403, 500):
        run.control.fault({"type": "http_error", "status": status}, operation="SettingsPageQuery")
        expect(await run.client.get_settings(), "settings")


@check("Server Error, PersistedQueryNotFound, empty body: exceptions")
async def graphql_errors(run):
    for fault in ("graphql_error", "stale_hash", "empty_body"):
        run.control.fault(fault, operation="SettingsPageQuery")
        await raises(run.client.get_settings(), "SettingsPageQuery")


@check("get_chat_history: all, by bot, count")
async def history(run):
    everything = (await run.client.get_chat_history())["data"]
    expect(
        len(everything["echo"]) >= 8 and run.chat["chatId"] in [c["chatId"] for c in everything["gpt4_o"]], everything
    )
    by_bot = (await run.client.get_chat_history("Echo"))["data"]
    expect(len(next(iter(by_bot.values()))) == len(everything["echo"]), by_bot)
    page = await run.client.get_chat_history(count=2)
    expect(page["cursor"] and sum(map(len, page["data"].values())) == 2, page)
    more = await run.client.get_chat_history(count=2, cursor=page["cursor"])
    seen = [c["chatId"] for data in (page, more) for chats in data["data"].values() for c in chats]
    expect(len(set(seen)) == 4, seen)


@check("get_threadData")
async def thread_data(run):
    data = await run.client.get_threadData("gpt4_o", chatCode=run.chat["chatCode"])
    expect(data["chatId"] == run.chat["chatId"], data)


@check("get_previous_messages: count, extended, all pages")
async def previous_messages(run):
    arguments = {"bot": "GPT-4o", "chatCode": run.chat["chatCode"]}
    expect(len(await run.client.get_previous_messages(**arguments, count=2)) == 2, "count")
    everything = await run.client.get_previous_messages(**arguments, get_all=True, include_extended=True)
    expect([m["author"] for m in everything] == ["human", "gpt4_o", "human", "gpt4_o", "chat_break"], everything)
    expect(all(m["state"] == "complete" and m["creationTime"] for m in everything), everything)


@check("share_chat and import_chat")
async def share(run):
    code = await run.client.share_chat("GPT-4o", chatCode=run.chat["chatCode"])
    expect(code, "no code")
    imported = await run.client.import_chat("gpt4_o", code)
    expect(imported["chatId"] != run.chat["chatId"], imported)
    texts = [m["text"] for m in await run.client.get_previous_messages("GPT-4o", chatId=imported["chatId"])]
    expect(texts[0] == "count 5", texts)


@check("get_available_categories, explore, users, user bots, available bots")
async def explore(run):
    expect("ImageGen" in await run.client.get_available_categories(), "categories")
    expect(len(await run.client.explore(count=5)) == 5, "default")
    expect(await run.client.explore(categoryName="ImageGen", explore_all=True) == ["Painter", "Sketcher"], "category")
    expect("GPT-4o" in await run.client.explore(search="gpt-4"), "search")
    expect(await run.client.explore(search="maker", entity_type="user") == ["maker"], "users")
    expect(await run.client.get_user_bots("maker") == [], "user bots")
    bots = await run.client.get_available_bots(get_all=True)
    expect({"Echo", "GPT-4o"} <= set(bots) and len(bots) > 10, bots)
    expect(len(await run.client.get_available_bots(count=3)) >= 3, "count")


@check("knowledge: upload text and file, edit, list")
async def knowledge(run):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "facts.txt")
        path.write_text("facts")
        texts = [{"title": f"note {n}", "content": "x"} for n in range(1)]
        sources = await run.client.upload_knowledge(file_path=[str(path)], text_knowledge=texts)
    expect(set(sources) == {"facts.txt", "note 0"}, sources)
    run.sources = sources
    await run.client.edit_knowledge(sources["note 0"][0], title="renamed", content="y")


@check("get_available_creation_models")
async def creation_models(run):
    models = await run.client.get_available_creation_models()
    expect("gpt4_o" in models["text"] and models["image"] and models["video"], models)


@check("create_bot, get_botData, edit_bot, delete_bot (own and foreign)")
async def own_bot(run):
    sources = run.sources | {"old notes": list(range(1000, 1007))}  # the simulator starts with these
    await run.client.create_bot("MyBot_1", "Be brief", base_model="gpt4_o", knowledgeSourceIds=sources)
    expect((await run.client.get_botData("MyBot_1"))["viewerIsCreator"], "creator")
    expect((await run.ask("MyBot_1", "hi"))[-1]["text"] == "(Be brief) You said: hi", "answer")
    listed = await run.client.get_available_knowledge("MyBot_1", get_all=True)
    expect(sum(map(len, listed.values())) == 3, listed)  # the client begins behind the sixth of nine
    edited = await run.client.edit_bot("MyBot_1", "Be long", new_handle="MyBot_2", base_model="gpt4_o")
    expect(edited["status"] == "success", edited)
    await run.client.delete_bot("MyBot_2")
    await run.client.delete_bot("Slow")
    handles = set(await run.client.get_available_bots(get_all=True))
    expect("MyBot_2" not in handles and "Slow" not in handles, handles)


@check("get_citations, set_context_optimization, complete_profile")
async def small_things(run):
    message = (await run.ask("Librarian", "hi"))[-1]
    expect((await run.client.get_citations(message["messageId"]))[0]["url"], "citations")
    expect((await run.client.set_context_optimization(message["chatId"], False))["data"], "context")
    await run.client.complete_profile("new_handle")
    expect(run.control.account("cookie-1")["handle"] == "new_handle", "handle")


@check("a socket closed while idle: the next send connects again")
async def idle_close(run):
    run = await run.fresh()
    for how in ("close", "abrupt"):
        run.control.post("disconnect", p_b="cookie-1", how=how)
        await asyncio.sleep(0.5)
        expect((await run.ask("Echo", "back"))[-1]["text"] == "You said: back", how)


@check("delete_message, purge_conversation, delete_chat, purge_all_conversations")
async def deleting(run):
    first = (await run.ask("Echo", "to be deleted"))[-1]
    where = {"bot": "Echo", "chatId": first["chatId"]}
    await run.client.delete_message([first["messageId"]])
    expect(len(await run.client.get_previous_messages(**where)) == 1, "delete")
    await run.client.purge_conversation(**where, del_all=True)
    expect(await run.client.get_previous_messages(**where) == [], "purge")
    await run.client.delete_chat("Echo", chatId=first["chatId"])
    ids = [chat["chatId"] for chat in run.control.account("cookie-1")["chats"]]
    expect(ids and first["chatId"] not in ids, ids)
    await run.client.purge_all_conversations()
    expect(run.control.account("cookie-1")["chats"] == [], "purge all")


@check("sync class: connect, settings, send, bot info", "sync")
def sync_class(control):
    from poe_api_wrapper import PoeApi

    client = PoeApi({"p-b": "cookie-3", "p-lat": "lat"})
    expect(client.get_settings()["messagePointInfo"]["messagePointBalance"] == 3000, "settings")
    chunks = [dict(chunk) for chunk in client.send_message(bot="GPT-4o", message="count 5")]
    expect(chunks[-1]["text"].split() == ALPHABET, chunks[-1])
    expect(client.get_botInfo("Echo")["handle"] == "Echo", "bot info")
    expect("Echo" in client.get_available_bots(), "bots")
    client.disconnect_ws()


class LastingLoop(asyncio.SelectorEventLoop):
    """A loop that the client's socket threads cannot close: they try to, whenever a socket ends."""

    def close(self):
        if threading.current_thread() is threading.main_thread():
            super().close()

    def run_to_the_end(self, coroutine):
        """As `run_until_complete`, but goes on when somebody else stops the loop."""
        task = self.create_task(coroutine)
        task.add_done_callback(lambda _: self.stop())
        while not task.done():
            self.run_forever()
        return task.result()


def report(name, error, begin):
    row = {"check": name, "ok": error is None, "seconds": round(time.monotonic() - begin, 2), "error": error}
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


async def run_async(control):
    from poe_api_wrapper import AsyncPoeApi

    client = await AsyncPoeApi({"p-b": "cookie-1", "p-lat": "lat"}).create()
    run = Run(client, control)
    for name, function in CHECKS["async"]:
        begin, error = time.monotonic(), None
        control.post("reset")
        try:
            await asyncio.wait_for(function(run), 60)
        except Exception as problem:  # noqa: BLE001  # whatever goes wrong is the check's result
            traceback.print_exc()
            error = f"{type(problem).__name__}: {problem}"[:300]
        report(name, error, begin)


def main():
    control = Control(sys.argv[2])
    if sys.argv[1] == "async":
        loop = LastingLoop()
        asyncio.set_event_loop(loop)
        loop.run_to_the_end(run_async(control))
        os._exit(0)  # the client's finalizers run the loop again
    for name, function in CHECKS["sync"]:
        begin, error = time.monotonic(), None
        try:
            function(control)
        except Exception as problem:  # noqa: BLE001  # as above
            traceback.print_exc()
            error = f"{type(problem).__name__}: {problem}"[:300]
        report(name, error, begin)


if __name__ == "__main__":
    main()
