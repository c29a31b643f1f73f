"""Who may come in, what each role sees, and the ways out."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.sync_api import Route, expect

from tests.console.browser import Watched
from tests.console.conftest import House

Open = Callable[..., Watched]


def test_a_wrong_key_is_refused_in_words(open_page: Open, house: House, axe: str, size: tuple[int, int]) -> None:
    watched = open_page(house.stack.url, size)
    page = watched.page
    page.goto(f"{house.stack.url}/console/")
    expect(page.get_by_role("heading", name="Poe gateway")).to_be_visible()
    watched.check(axe)
    page.get_by_label("Key", exact=True).fill("sk-nobody-has-this-one-000000000000000000000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    watched.check(axe)


def test_the_key_is_kept_nowhere(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    kept = watched.page.evaluate("() => [document.cookie, {...localStorage}, {...sessionStorage}, location.href]")
    assert house.admin_key not in json.dumps(kept)
    assert kept[0] == ""  # the session's cookie is not for scripts
    cookies = watched.page.context.cookies()
    assert [(one["httpOnly"], one["sameSite"], one["secure"]) for one in cookies] == [(True, "Strict", True)]
    assert house.admin_key not in json.dumps(cookies)


def test_signing_out_ends_the_session(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    page = watched.page
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    watched.check()


def test_signing_out_everywhere_ends_the_other_sessions(open_page: Open, house: House) -> None:
    first, second = open_page(house.stack.url), open_page(house.stack.url)
    for watched in (first, second):
        watched.sign_in(house.admin_key)
    first.page.get_by_role("button", name="Sign out everywhere").click()
    dialog = first.page.get_by_role("dialog", name="Sign out everywhere?")
    dialog.get_by_role("button", name="Sign out everywhere").click()
    expect(first.page.get_by_text("Everybody is signed out.")).to_be_visible()

    def is_out() -> bool:
        # A sandbox that knows the epoch already may go by it for some seconds.
        second.page.reload()
        second.page.locator("main h1").wait_for()
        return second.page.get_by_role("button", name="Sign in").count() == 1

    house.stack.wait_until(is_out, 120.0)
    for watched in (first, second):
        watched.check()


def test_a_session_that_ended_meanwhile_leads_to_the_sign_in(open_page: Open, house: House) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    watched.open("keys")
    watched.page.context.clear_cookies()
    watched.page.get_by_role("link", name="Usage").click()
    expect(watched.page.get_by_role("button", name="Sign in")).to_be_visible()
    watched.check()


def test_a_viewer_changes_nothing(open_page: Open, house: House, axe: str) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.viewer_key)
    page = watched.page
    account = next(iter(house.stack.accounts().values()))
    for name in ("overview", "accounts", f"accounts/{account['id']}", "keys", "health"):
        watched.open(name)
        buttons = page.get_by_role("main").get_by_role("button").all_inner_texts()
        changes = ("Add", "Create", "Edit", "Rotate", "Revoke", "Switch", "Delete", "Test", "Replace", "Remove", "Read")
        assert not [text for text in buttons if text.startswith(changes)], name
        watched.check(axe)
    expect(page.get_by_role("button", name="Sign out everywhere")).to_have_count(0)
    expect(page.get_by_text("Overrides of the web protocol")).to_have_count(0)


def test_the_holder_of_a_client_key_sees_it(open_page: Open, house: House, axe: str, size: tuple[int, int]) -> None:
    watched = open_page(house.stack.url, size)
    watched.sign_in(house.client_key)
    page = watched.page
    watched.open("me?range=7d")
    expect(page.get_by_role("heading", level=1)).to_have_text("laptop")
    expect(page.locator("nav a")).to_have_count(1)
    expect(page.get_by_text("of 5,000 points today")).to_be_visible()
    expect(page.get_by_role("table", name="Requests")).to_be_visible()
    for label in house.stack.accounts():
        expect(page.get_by_role("main")).not_to_contain_text(label)
    watched.check(axe)
    # Another page's address leads there, too.
    watched.open("keys")
    expect(page.get_by_role("heading", level=1)).to_have_text("laptop")
    watched.settle()
    watched.check()


def test_what_shows_a_secret_asks_for_the_key_again(open_page: Open, house: House, axe: str) -> None:
    watched = open_page(house.stack.url)
    watched.sign_in(house.admin_key)
    watched.open("keys")
    page = watched.page
    error = {"message": "Sign in again first.", "type": "x", "param": None, "code": "sign_in_again"}
    refusals: list[str] = []

    def refuse_once(route: Route) -> None:
        if refusals:
            route.continue_()
            return
        refusals.append(route.request.url)
        route.fulfill(status=403, content_type="application/json", body=json.dumps({"error": error}))

    page.route("**/console/api/admin/keys", refuse_once)
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("after a while")
    page.get_by_role("button", name="Create", exact=True).click()
    again = page.get_by_role("dialog", name="Enter your key again")
    expect(again).to_be_visible()
    watched.check(axe)
    again.get_by_label("Key", exact=True).fill(house.admin_key)
    again.get_by_role("button", name="Go on").click()
    made = page.get_by_role("dialog", name="The secret of after a while")
    expect(made).to_be_visible()
    made.get_by_role("button", name="I have copied it").click()
    watched.settle()
    watched.check()
