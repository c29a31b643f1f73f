"""A message streams in pieces, with its time and its price, and can be made again elsewhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.console.browser import Watched
from tests.console.conftest import House

Open = Callable[..., Watched]


@pytest.fixture
def paced(house: House) -> Iterator[None]:
    """Poe's stand-ins leave time between the pieces, so that a page that waits for the whole is seen to wait."""
    official = house.stack.variables["GATEWAY_POE_OFFICIAL_BASE_URL"] + "/_sim/settings"
    before = httpx.get(official).json()["pace_seconds"], house.stack.simulated("state")["settings"]["pace_seconds"]
    httpx.patch(official, json={"pace_seconds": 0.4}).raise_for_status()
    house.stack.simulated("settings", pace_seconds=0.4)
    yield
    httpx.patch(official, json={"pace_seconds": before[0]}).raise_for_status()
    house.stack.simulated("settings", pace_seconds=before[1])


@pytest.fixture
def watched(open_page: Open, house: House) -> Watched:
    found = open_page(house.stack.url)
    found.sign_in(house.admin_key)
    found.open("playground?model=Story")
    return found


@pytest.mark.usefixtures("paced")
def test_an_answer_arrives_in_pieces(watched: Watched, house: House, axe: str) -> None:
    page = watched.page
    page.get_by_label("Client key").fill(house.client_key)
    page.get_by_role("textbox", name="Message", exact=True).fill("Tell me a story")
    page.evaluate(
        """() => {
          window.seen = new Set();
          const answer = "[aria-label='Text of the answer']";
          const look = () => window.seen.add(document.querySelector(answer)?.textContent ?? "");
          new MutationObserver(look).observe(document.querySelector("main"),
            {subtree: true, childList: true, characterData: true});
        }"""
    )
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The answer is complete")).to_be_attached(timeout=90_000)
    lengths = sorted({len(text) for text in page.evaluate("() => [...window.seen]")})
    assert len([length for length in lengths if length]) > 3, lengths
    answer = page.get_by_role("region", name="Text of the answer")
    assert len(answer.inner_text()) == lengths[-1]
    tiles = page.get_by_role("main")
    expect(tiles.get_by_text("the request")).to_be_visible()
    expect(tiles.get_by_text("First token")).to_be_visible()
    watched.check(axe)
    page.get_by_role("link", name="the request").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Request")
    watched.settle()
    watched.check(axe)


@pytest.mark.usefixtures("paced")
def test_an_answer_is_stopped(watched: Watched, house: House) -> None:
    page = watched.page
    page.get_by_label("Client key").fill(house.client_key)
    page.get_by_role("textbox", name="Message", exact=True).fill("Tell me a story")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("region", name="Text of the answer")).not_to_be_empty()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    expect(page.get_by_text("stopped", exact=True)).to_be_visible()
    watched.check()


def test_the_same_call_elsewhere(watched: Watched, house: House, axe: str) -> None:
    page = watched.page
    page.get_by_label("Client key").fill(house.client_key)
    page.get_by_role("textbox", name="Message", exact=True).fill('It\'s "quoted" <b>text</b>')
    call = page.get_by_role("region", name="The call in curl")
    expect(call).to_contain_text(f"{house.stack.url}/v1/chat/completions")
    expect(call).not_to_contain_text(house.client_key)
    page.get_by_role("button", name="Show the key").click()
    expect(call).to_contain_text(house.client_key)
    _, _, url, _, key, _, kind, _, body = shlex.split(call.inner_text().replace("\\\n", " "))
    with page.expect_request("**/v1/chat/completions") as sent:
        page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The answer is complete")).to_be_attached(timeout=90_000)
    made = sent.value
    assert (url, json.loads(body)) == (made.url, made.post_data_json), "the same call, word for word"
    headers = {name: value for name, _, value in (line.partition(": ") for line in (key.lower(), kind.lower()))}
    assert headers == {name: made.headers[name].lower() for name in ("authorization", "content-type")}
    page.get_by_role("button", name="Python", exact=True).click()
    program = page.get_by_role("region", name="The call in python").inner_text()
    compile(program, "example.py", "exec")
    assert 'It\'s \\"quoted\\" <b>text</b>' in program
    watched.check(axe)


def test_a_refusal_says_why(watched: Watched, axe: str) -> None:
    page = watched.page
    page.get_by_label("Client key").fill("sk-no-key-of-anybody-0000000000000000000000")
    page.get_by_role("textbox", name="Message", exact=True).fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("key")
    watched.check(axe)


def test_a_key_that_was_just_made_is_offered_until_signing_out(watched: Watched, house: House) -> None:
    page = watched.page
    watched.open("keys")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("fresh")
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("link", name="Try it in the playground").click()
    watched.settle()
    expect(page.get_by_label("Client key").locator("option:checked")).to_have_text("fresh, made just now")
    page.get_by_role("textbox", name="Message", exact=True).fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The answer is complete")).to_be_attached(timeout=60_000)
    page.get_by_role("button", name="Sign out", exact=True).click()
    watched.sign_in(house.admin_key)
    page.get_by_role("link", name="Playground").click()
    watched.settle()
    expect(page.get_by_text("fresh, made just now")).to_have_count(0)
    watched.check()
