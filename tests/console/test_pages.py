"""Every page with data, empty, and with an error; on a desktop and on a phone; for the eye and for a screen reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Route, expect

from tests.console.browser import Watched
from tests.console.conftest import MARKUP, House
from tests.e2e.conftest import RunningStack

Open = Callable[..., Watched]
# Each page with its heading, and what it says where there is nothing to show.
PAGES = {
    "overview": ("Overview", "Nothing was sent to Poe in this range."),
    "accounts": ("Accounts", "There is no account yet."),
    "requests": ("Requests", "No request matches these filters."),
    "usage": ("Usage", "Nothing was sent to Poe in this range"),
    "keys": ("Keys", "There is no key yet."),
    "models": ("Models", None),
    "playground": ("Playground", "There is none yet"),
    "health": ("Health", None),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_data(open_page: Open, house: House, axe: str, name: str, size: tuple[int, int]) -> None:
    watched = open_page(house.stack.url, size)
    watched.sign_in(house.admin_key)
    watched.open(f"{name}?range=7d" if name in ("overview", "requests") else name)
    expect(watched.page.get_by_role("heading", level=1)).to_have_text(PAGES[name][0])
    expect(watched.page.get_by_role("alert")).to_have_count(0)
    watched.check(axe)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_without_data(
    open_page: Open, empty_stack: RunningStack, axe: str, name: str, size: tuple[int, int]
) -> None:
    watched = open_page(empty_stack.url, size)
    watched.sign_in(empty_stack.variables["GATEWAY_ADMIN_KEY"])
    watched.open(name)
    said = PAGES[name][1]
    if said is not None:
        expect(watched.page.get_by_role("main")).to_contain_text(said)
    expect(watched.page.get_by_role("main")).not_to_contain_text("undefined")
    expect(watched.page.get_by_role("main")).not_to_contain_text("NaN")
    watched.check(axe)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_an_error(open_page: Open, house: House, axe: str, name: str, size: tuple[int, int]) -> None:
    watched = open_page(house.stack.url, size)
    watched.sign_in(house.admin_key)
    message = f"The table can't be reached {MARKUP}."
    error = {"message": message, "type": "server_error", "param": None, "code": "store_unavailable"}

    def fail(route: Route) -> None:
        headers = {"content-type": "application/json", "x-request-id": "req_sample"}
        route.fulfill(status=503, headers=headers, body=json.dumps({"error": error}))

    watched.page.route(f"**/console/api/{name}*", fail)
    watched.open("health" if name != "health" else "keys")
    watched.open(name)
    alert = watched.page.get_by_role("alert")
    expect(alert).to_contain_text(message)
    expect(alert).to_contain_text("req_sample")
    watched.check(axe)
    watched.page.unroute(f"**/console/api/{name}*")
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_have_count(0)
    watched.settle()
    watched.check()


def test_every_page_has_a_shape_while_it_loads(open_page: Open, house: House, axe: str, size: tuple[int, int]) -> None:
    watched = open_page(house.stack.url, size)
    watched.sign_in(house.admin_key)
    page = watched.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    # The overview is there already: it comes last, from another page.
    for name in (*list(PAGES)[1:], "overview"):
        title = PAGES[name][0]
        page.route(f"**/console/api/{name}*", hold)
        # From a page that is there, without loading the console again.
        page.evaluate("address => { location.hash = address; }", f"#/{name}?range=30d")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        page.get_by_role("status").filter(has_text="Loading").wait_for()
        watched.check(axe)
        while held:
            held.pop().continue_()
        watched.settle()
        page.unroute(f"**/console/api/{name}*")
        watched.check()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_in_dark_colours(open_page: Open, house: House, axe: str, name: str) -> None:
    watched = open_page(house.stack.url, color_scheme="dark")
    watched.sign_in(house.admin_key)
    watched.open(name)
    background = "() => getComputedStyle(document.body).backgroundColor"
    assert watched.page.evaluate(background) == "rgb(18, 21, 23)"
    watched.check(axe)


def test_one_account_and_one_request(open_page: Open, house: House, axe: str, size: tuple[int, int]) -> None:
    watched = open_page(house.stack.url, size)
    watched.sign_in(house.admin_key)
    account = house.stack.accounts()["sample-official"]
    watched.open(f"accounts/{account['id']}")
    expect(watched.page.get_by_role("heading", level=1)).to_have_text("sample-official")
    expect(watched.page.get_by_role("table", name="Compared with Poe's books")).to_be_visible()
    watched.check(axe)
    # One that was tried twice.
    rows = house.stack.admin("GET", "/requests", params={"limit": 200})["data"]
    twice = next(row["request_id"] for row in rows if row["attempts"] == 2)
    watched.open(f"requests/{quote(twice, safe='')}")
    tries = watched.page.get_by_role("list", name="Tries over time").get_by_role("listitem")
    expect(tries).to_have_count(2)
    expect(watched.page.get_by_role("table", name="Tries").get_by_role("row")).to_have_count(3)
    watched.check(axe)


def test_what_is_not_there_is_said(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    for address in ("accounts/acct_missing", "requests/req_missing"):
        watched.open(address)
        expect(watched.page.get_by_role("alert")).to_be_visible()
        watched.check()


def test_markup_in_names_is_text(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    for name in ("keys", "usage?by=key", "requests?range=7d"):
        watched.open(name)
        expect(watched.page.get_by_text(MARKUP).first).to_be_attached()
        assert watched.page.locator("main img").count() == 0
        watched.check()


# What of an answer comes from outside: people, Poe, and whoever calls.
FROM_OUTSIDE = frozenset(
    "label name text description owned_by model code cause detail remedy actor target key_name account_label "
    "last_error fields surface outcome settled_by aliases address".split()
)


def _poisoned(value: Any) -> Any:
    """An answer with markup in every text that comes from outside."""
    if isinstance(value, list):
        return [_poisoned(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: ([MARKUP] if isinstance(one, list) else MARKUP)
        if key in FROM_OUTSIDE and (isinstance(one, str) or (isinstance(one, list) and _all_texts(one)))
        else _poisoned(one)
        for key, one in value.items()
    }


def _all_texts(values: list[Any]) -> bool:
    return all(isinstance(one, str) for one in values)


def test_markup_in_any_text_from_outside_is_text(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    page = watched.page

    def poison(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=_poisoned(answer.json()))

    page.route("**/console/api/*", poison)
    page.route("**/console/api/*/*", poison)
    account = house.stack.accounts()["sample-official"]["id"]
    newest = house.stack.admin("GET", "/requests", params={"limit": 1})["data"][0]["request_id"]
    ranged = ("overview?range=7d", "requests?range=7d", "usage?by=key,model,account")
    addresses = (*ranged, "accounts", "keys", "models", "playground", "health")
    for address in (*addresses, f"accounts/{account}", f"requests/{quote(newest, safe='')}"):
        watched.open(address)
        expect(page.get_by_role("main")).to_contain_text(MARKUP)
        assert page.locator("main img").count() == 0, address
        watched.check()


def test_the_address_has_the_filters(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    watched.open("requests?range=7d")
    watched.page.get_by_label("Status").select_option("error")
    watched.settle()
    assert watched.page.url.endswith("#/requests?range=7d&status=error")
    shown = watched.page.locator("tbody tr td:nth-of-type(1)").all_inner_texts()
    assert shown
    assert not [text for text in shown if text.startswith("200")], shown
    watched.page.reload()
    watched.settle()
    expect(watched.page.get_by_label("Status")).to_have_value("error")
    watched.check()


def test_a_page_is_one_request(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(request.url))
    for name in PAGES:
        # As a link does: without loading the console again.
        watched.page.evaluate("address => { location.hash = address; }", f"#/{name}")
        watched.page.get_by_role("link", name=PAGES[name][0]).and_(
            watched.page.locator("[aria-current=page]")
        ).wait_for()
        watched.settle()
    api = [address.split("/console/api/")[1].split("?")[0] for address in asked if "/console/api/" in address]
    assert sorted(api) == sorted(set(api)), api
    assert set(api) >= set(PAGES) - {"overview"}


def test_the_keyboard_goes_everywhere(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    watched.open("overview")
    page = watched.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_role("link", name="Keys").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_role("button", name="Create key").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Create a key")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Create key")).to_be_focused()
    watched.check()


def test_the_menu_of_a_phone(open_page: Open, house: House, axe: str) -> None:
    watched = open_page(house.stack.url, (390, 844))
    watched.sign_in(house.admin_key)
    watched.open("overview")
    page = watched.page
    menu = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    watched.check(axe)
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Usage")
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    watched.settle()
    watched.check()
