"""A function that is busy refuses some of a page's files and questions; the page comes all the same."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.console.browser import Watched
from tests.console.conftest import House

Open = Callable[..., Watched]


def _refuse_once(route: Route, refused: set[str]) -> None:
    """As Lambda does: without an envelope, and without the gateway's headers."""
    address = route.request.url
    if address in refused or address.endswith("/boot.js"):
        route.continue_()
        return
    refused.add(address)
    route.fulfill(status=429, content_type="application/json", body='{"Reason": "ConcurrentInvocationLimitExceeded"}')


def test_files_and_questions_that_were_refused_are_asked_for_again(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    page = watched.page
    refused: set[str] = set()
    for pattern in ("**/console/static/**", "**/console/api/keys*"):
        page.route(pattern, lambda route: _refuse_once(route, refused))
    watched.sign_in(house.admin_key)
    watched.open("keys")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys")
    expect(page.get_by_role("table", name="Keys")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert {address.rpartition("/")[2].partition("?")[0] for address in refused} >= {
        "app.js",
        "style.css",
        "keys.js",
        "keys",
    }
    watched.check()


def test_a_change_is_not_sent_twice(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    page = watched.page
    watched.sign_in(house.admin_key)
    watched.open("keys")
    sent: list[str] = []

    def refuse(route: Route) -> None:
        sent.append(route.request.method)
        route.fulfill(status=429, content_type="application/json", body="{}")

    page.route("**/console/api/admin/keys", refuse)
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("once")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("too busy")
    assert sent == ["POST"]
    watched.check()


def test_a_console_that_cannot_be_loaded_says_so(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    page = watched.page
    page.route("**/console/static/**/app.js", lambda route: route.fulfill(status=404, body=""))
    page.goto(f"{house.stack.url}/console/")
    expect(page.get_by_text("The console could not be loaded")).to_be_visible()
    watched.problems.clear()
