"""The home page and the form key: parsing, collecting, evaluating; with pages made for these tests."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.errors import ErrorCode, PoeError
from reverse.web import _form_key
from reverse.web._bundle import (
    ChannelSettings,
    KeyProgram,
    form_key_program,
    parse_channel_settings,
    parse_home_page,
)
from reverse.web._form_key import evaluate_form_key
from reverse.web.client import PoeWebClient
from tests.reverse.official.raw_server import RawServer, always, whole

KEY = "0123456789abcdef0123456789abcdef"
CHANNEL = {
    "minSeq": "4800000001",
    "channel": "poe-chan100-8888-abcdefghijklmnopqrst",
    "channelHash": "12345678901234567890",
    "boxName": "chan100-8888",
    "baseHost": "poe.com",
}
SMALLEST = f'<script>window.v="{KEY}tail";window.k1=function(){{return window.v}};</script>'
NEXT_DATA = json.dumps({"props": {"initialProps": {"tchannelData": CHANNEL}}, "buildId": "build_1"})
DECODER = """
window.dec=function(s){
  if(typeof process!=="undefined"||typeof QuickJS!=="undefined")return "decoy";
  return window.secret==="abc"&&window.document&&window.navigator?s.slice(0,32):"f".repeat(32)
};window.Key7=function(){return window.dec("SEED")}
""".replace("SEED", KEY + KEY)
FAITHFUL = f"""<html><head>
<script>document.title="x"</script>
<script src="https://psc2.cf2.poecdn.net/webpack-1.js"></script>
<script src="https://psc2.cf2.poecdn.net/pages/_app-2.js"></script>
<script>{DECODER}</script>
<script>(function(){{throw new Error("needs a browser")}})()</script>
<script type="application/json" id="other">{{"function":1}}</script>
<script id="__NEXT_DATA__" type="application/json">{NEXT_DATA}</script></head></html>"""
APP = 'var a=1;let useFormkeyDecode=b;c();window.secret="abc";window.other="later"'


async def derive(html: str, app: str = "") -> str:
    return await evaluate_form_key(form_key_program(parse_home_page(html), app))


async def test_derives_from_the_smallest_page():
    assert await derive(SMALLEST) == KEY


@pytest.mark.parametrize(
    "source", ["https://[::1/_app.js", "https://poe.com:port/_app.js", "https://evil.example/_app.js"]
)
async def test_a_script_with_an_address_of_no_use_is_a_typed_failure(source: str):
    page = f'<script src="{source}"></script>{SMALLEST}'.encode()
    async with RawServer(always(whole(page))).serve() as server:
        async with PoeWebClient(WebCredentials("cookie"), PoeConfig(web_base_url=server.url)) as client:
            with pytest.raises(PoeError) as caught:
                await client._graphql.ensure_form_key()
    assert caught.value.code is ErrorCode.PROTOCOL
    assert len(server.requests) == 1


async def test_a_missing_semicolon_does_no_harm():
    assert await derive(SMALLEST.replace(";</script>", "</script><script>function other(){}</script>")) == KEY


async def test_derives_from_a_faithful_page_with_the_secret_of_the_app_script():
    page = parse_home_page(FAITHFUL)
    assert page.secret_script() == "https://psc2.cf2.poecdn.net/pages/_app-2.js"
    assert await derive(FAITHFUL, APP) == KEY
    assert await derive(FAITHFUL) != KEY


async def test_a_call_without_a_key_function_is_evaluated():
    html = f'<script>window.dec=function(s){{return s.slice(0,32)}};(function(){{return window.dec("{KEY}")}})</script>'
    assert await derive(html) == KEY


@pytest.mark.parametrize("html", ["", "<html>Just a moment...</html>", "<script>function f(){}</script>", "<script"])
async def test_a_page_without_key_function_says_what_to_do(html):
    with pytest.raises(PoeError) as caught:
        await derive(html)
    assert caught.value.code is ErrorCode.PROTOCOL and "supply" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "while(1){}",
        "var a=[];while(1)a.push('x'.repeat(1e6)+a.length)",
        "function g(){g()};g()",
        "return 'short'",
        "return {}",
        "return '\\ud800'.repeat(32)",
        "throw 'secret of the page'",
        "return Array(1e9).join('x')",
        "return 'x'.repeat(1e6).replace(/(x+x+)+y/, '')",
        "return JSON.stringify(Array(1e8))",
        "var a=Array(5e8);a.sort();return a.indexOf(1)",
    ],
    ids="endless memory stack short object surrogates throw join regular-expression stringify sort".split(),
)
async def test_a_hostile_page_is_stopped_by_limits(body, monkeypatch):
    monkeypatch.setattr(_form_key, "TIME_LIMIT_SECONDS", 0.3)
    monkeypatch.setattr(_form_key, "_START_SECONDS", 1.0)
    with pytest.raises(PoeError) as caught:
        await evaluate_form_key(KeyProgram((f"function key(){{{body}}}",), ("String(key())",)))
    assert caught.value.code is ErrorCode.PROTOCOL and "secret" not in str(caught.value)


async def test_the_process_is_gone_when_its_time_is_over_or_nobody_waits(monkeypatch):
    """One call of a built-in function, during which the engine does not look at its own time limit."""
    processes = []
    is_started = asyncio.Event()
    create = asyncio.create_subprocess_exec

    async def note(*command, **options):
        processes.append(await create(*command, **options))
        is_started.set()
        return processes[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", note)
    monkeypatch.setattr(_form_key, "TIME_LIMIT_SECONDS", 0.3)
    monkeypatch.setattr(_form_key, "_START_SECONDS", 1.0)
    program = KeyProgram((), ("String(Array(1e9).join('x').length)",))
    with pytest.raises(PoeError):
        await evaluate_form_key(program)
    is_started.clear()
    task = asyncio.create_task(evaluate_form_key(program))
    await is_started.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert [process.returncode is not None for process in processes] == [True, True]


async def test_the_process_is_told_no_secret_of_ours(monkeypatch):
    seen = []

    async def note(*command, env, **options):
        seen.append(env)
        raise OSError

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", note)
    with pytest.raises(PoeError):
        await evaluate_form_key(KeyProgram((), ("1",)))
    assert seen and "planted" not in str(seen)


async def test_without_the_engine_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PoeError, match="needs quickjs-ng"):
        await evaluate_form_key(KeyProgram((), ("1",)))


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<script>a</script>", [(None, "a")]),
        ("<SCRIPT src = '/x.js' async></SCRIPT ><script\nid=b>b</script>", [("/x.js", ""), (None, "b")]),
        ('<script src="/a?b&amp;c" data-x=">">x<y</script>', [("/a?b&c", "x<y")]),
        ("<!-- <script>no</script> --><script>a</script><scripts>b</scripts>", [(None, "a")]),
        ("<script>a</scripts></script>", [(None, "a</scripts>")]),
        ("<script src=a src=b></script>", [("a", "")]),
        ("<script>a</script><script>b", [(None, "a")]),
        ("<script>a</script><!-- <script>b</script>", [(None, "a")]),
        ('<script>a</script><script x="> <script>b</script>', [(None, "a")]),
        ('<script src="&#' + "9" * 5000 + ';"></script>', [("&#" + "9" * 5000 + ";", "")]),
    ],
    ids=["plain", "spelling", "entity", "comment", "inside", "twice", "open", "open comment", "open quote", "number"],
)
def test_scripts_of_a_page(html, found):
    assert [(script.src, script.text) for script in parse_home_page(html).scripts] == found


async def test_the_evaluator_has_no_door_to_the_outside():
    for name in ("require", "fetch", "XMLHttpRequest", "std", "os", "load", "print"):
        program = KeyProgram((), (f'(typeof {name} === "undefined" ? "{KEY}" : "")',))
        assert await evaluate_form_key(program) == KEY


def test_channel_settings_are_found_wherever_they_are():
    assert parse_home_page(FAITHFUL).channel == ChannelSettings(
        CHANNEL["channel"], CHANNEL["channelHash"], "chan100-8888", "poe.com", 4800000001
    )
    assert parse_home_page(FAITHFUL).build_id == "build_1"
    loose = f'<script>var x={{"tchannelData":{json.dumps(CHANNEL)}}}</script>'
    assert parse_home_page(loose).channel is not None
    assert parse_home_page(SMALLEST).channel is None and parse_home_page(SMALLEST).build_id is None


@pytest.mark.parametrize(
    "changed",
    [
        {"baseHost": "evil.example/path"},
        {"baseHost": "a@b"},
        {"boxName": "../../x"},
        {"boxName": "a?b"},
        {"minSeq": "x"},
        {"minSeq": "9" * 5000},
        {"channel": ""},
        {"channel": "a\nb"},
        {"channelHash": None},
    ],
)
def test_settings_that_could_bend_an_address_are_refused(changed):
    assert parse_channel_settings({**CHANNEL, **changed}) is None


def test_no_secret_in_the_repr():
    text = repr(parse_home_page(FAITHFUL))
    assert CHANNEL["channelHash"] not in text and KEY not in text


@settings(max_examples=100, deadline=None)
@given(st.text() | st.lists(st.sampled_from(re.findall(r"<[^>]*>|[^<]+", FAITHFUL))).map("".join))
def test_any_page_parses(html):
    page = parse_home_page(html)
    try:
        form_key_program(page, html)
    except PoeError as error:
        assert error.code is ErrorCode.PROTOCOL
