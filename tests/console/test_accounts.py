"""Accounts are added in three ways, tried, changed and deleted, against the simulated Poe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.console.browser import Watched
from tests.console.conftest import House

Open = Callable[..., Watched]


@pytest.fixture
def watched(open_page: Open, house: House) -> Watched:
    found = open_page(house.stack.url)
    found.sign_in(house.admin_key)
    found.open("accounts")
    return found


def _add(watched: Watched, way: str) -> Locator:
    watched.page.get_by_role("button", name="Add account").first.click()
    dialog = watched.page.get_by_role("dialog", name="Add an account")
    dialog.get_by_role("radio", name=way).check()
    return dialog


def _official(house: House, key: str, **fields: Any) -> None:
    address = house.stack.variables["GATEWAY_POE_OFFICIAL_BASE_URL"] + "/_sim/accounts"
    assert httpx.post(address, json={"api_key": key, "points": 1000} | fields).is_success


def _heading(watched: Watched, text: str) -> None:
    expect(watched.page.get_by_role("heading", level=1)).to_have_text(text)
    watched.settle()


def test_an_account_is_added_by_its_key(watched: Watched, house: House, axe: str) -> None:
    _official(house, "console-official-key-1", addon_points=500)
    dialog = _add(watched, "API key")
    watched.check(axe)
    dialog.get_by_label("Label").fill("by key")
    dialog.get_by_label("API key", exact=True).last.fill("console-official-key-1")
    dialog.get_by_role("button", name="Add", exact=True).click()
    _heading(watched, "by key")
    expect(watched.page.get_by_text("1,000 plan, 500 add-on")).to_be_visible()
    watched.check(axe)


def test_a_key_that_poe_refuses_is_not_stored(watched: Watched, house: House, axe: str) -> None:
    dialog = _add(watched, "API key")
    dialog.get_by_label("Label").fill("refused")
    dialog.get_by_label("API key", exact=True).last.fill("console-nobody-knows-this-key")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("refused")
    watched.check(axe)
    assert "refused" not in house.stack.accounts()


def test_an_account_is_added_by_cookies(watched: Watched, house: House, axe: str) -> None:
    house.stack.simulated("accounts", p_b="console-web-cookie-1")
    dialog = _add(watched, "Cookies")
    watched.check(axe)
    dialog.get_by_label("Label").fill("by cookies")
    dialog.get_by_label("Cookies", exact=True).last.fill("theme=dark; no cookie of Poe's")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("p-b")
    dialog.get_by_label("Cookies", exact=True).last.fill("Cookie: theme=dark; p-b=console-web-cookie-1")
    dialog.get_by_role("button", name="Add", exact=True).click()
    _heading(watched, "by cookies")
    watched.check()


def test_an_account_is_added_by_signing_in(watched: Watched, house: House, axe: str) -> None:
    dialog = _add(watched, "Sign in at Poe")
    dialog.get_by_role("button", name="Begin").click()
    link = dialog.get_by_role("link", name="Sign in at Poe")
    expect(link).to_be_visible()
    watched.check(axe)
    # What the viewer's browser does in the other tab: Poe sends it to an address that nobody serves. The page where one
    # agrees is poe.com's; here the stand-in for api.poe.com has it.
    web, official = (house.stack.variables[f"GATEWAY_POE_{name}_BASE_URL"] for name in ("WEB", "OFFICIAL"))
    address = str(link.get_attribute("href")).replace(web, official)
    back = httpx.get(address, follow_redirects=False).headers["location"]
    dialog.get_by_label("Address").fill(back)
    dialog.get_by_label("Label").fill("signed in")
    dialog.get_by_role("button", name="Add", exact=True).click()
    _heading(watched, "signed in")
    watched.check()


def test_an_account_is_tested_changed_and_deleted(watched: Watched, house: House, axe: str) -> None:
    _official(house, "console-official-key-2")
    _official(house, "console-official-key-3", points=77_777)
    new = {"kind": "official", "label": "to be changed", "credentials": {"api_key": "console-official-key-2"}}
    made = house.stack.admin("POST", "/accounts", json=new)
    watched.open(f"accounts/{made['id']}")
    page = watched.page

    page.get_by_role("button", name="Test", exact=True).click()
    dialog = page.get_by_role("dialog", name="Test the account")
    dialog.get_by_role("button", name="Test", exact=True).click()
    expect(dialog.get_by_text("Credentials accepted")).to_be_visible()
    watched.check(axe)
    dialog.get_by_role("button", name="Close", exact=True).last.click()

    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Label").fill("changed")
    page.get_by_label("Slots").fill("3")
    page.get_by_role("button", name="Save").click()
    _heading(watched, "changed")
    expect(page.get_by_text("0 of 3")).to_be_visible()

    page.get_by_role("button", name="Replace credentials").click()
    page.get_by_label("API key").fill("console-official-key-3")
    page.get_by_role("button", name="Replace", exact=True).click()
    expect(page.get_by_text("The new credentials work")).to_be_visible()
    page.get_by_role("button", name="Read points now").click()
    expect(page.get_by_text("77,777").first).to_be_visible()

    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("Switched off", exact=True)).to_be_visible()
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete changed?").get_by_role("button", name="Delete").click()
    _heading(watched, "Accounts")
    assert "changed" not in house.stack.accounts()
    watched.check()
