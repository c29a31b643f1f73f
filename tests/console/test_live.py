"""Live views ask only while they are seen, and do not keep a session alive."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Request

from tests.console.browser import Watched
from tests.console.conftest import House

Open = Callable[..., Watched]
HIDE = """is_hidden => {
  Object.defineProperty(document, "visibilityState", {value: is_hidden ? "hidden" : "visible", configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def watched(open_page: Open, house: House) -> Watched:
    found = open_page(house.stack.url)
    found.page.clock.install()
    found.sign_in(house.admin_key)
    return found


def _polls(watched: Watched) -> list[Request]:
    asked: list[Request] = []
    watched.page.on("request", lambda request: "/api/requests" in request.url and asked.append(request))
    return asked


def test_a_live_view_asks_while_it_is_seen(watched: Watched, house: House) -> None:
    page = watched.page
    watched.open("requests?live=1")
    asked = _polls(watched)
    page.clock.run_for(35_000)
    watched.settle()
    assert 2 <= len(asked) <= 4, [request.url for request in asked]
    assert all(request.headers["x-console-poll"] == "1" for request in asked)
    page.evaluate(HIDE, True)
    seen = len(asked)
    page.clock.run_for(120_000)
    assert len(asked) == seen
    with page.expect_request("**/api/requests*"):
        page.evaluate(HIDE, False)
    watched.settle()
    watched.check()


def test_a_view_that_is_not_live_asks_once(watched: Watched) -> None:
    watched.open("requests")
    asked = _polls(watched)
    watched.page.clock.run_for(300_000)
    assert not asked
    watched.check()


def test_another_page_ends_the_asking(watched: Watched) -> None:
    watched.open("requests?live=1")
    watched.page.get_by_role("link", name="Models").click()
    watched.settle()
    asked = _polls(watched)
    watched.page.clock.run_for(60_000)
    assert not asked
    watched.check()
