"""A key is created, used up, changed, rotated and revoked; its secret is shown once."""

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
    found.open("keys")
    return found


def _create(watched: Watched, name: str, **fields: str) -> str:
    """Create a key by hand; its secret."""
    page = watched.page
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " ")).fill(value)
    page.get_by_role("button", name="Create", exact=True).click()
    return _secret(watched, name)


def _secret(watched: Watched, name: str) -> str:
    dialog = watched.page.get_by_role("dialog", name=f"The secret of {name}")
    return dialog.get_by_role("region", name="Secret").inner_text().strip()


def _close(watched: Watched) -> None:
    watched.page.get_by_role("button", name="I have copied it").click()
    watched.settle()


def _row(watched: Watched, name: str) -> Locator:
    header = watched.page.get_by_role("rowheader", name=name, exact=True)
    return watched.page.get_by_role("table", name="Keys").get_by_role("row").filter(has=header)


def _ask(house: House, key: str) -> httpx.Response:
    body: dict[str, Any] = {"model": "Assistant", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{house.stack.url}/v1/chat/completions", json=body, headers=headers, timeout=60.0)


def test_a_key_with_a_budget_is_used_up(watched: Watched, house: House, axe: str) -> None:
    secret = _create(watched, "thrifty", Requests_per_minute="1")
    watched.check(axe)
    dialog = watched.page.get_by_role("dialog")
    for program in ("curl", "Python", "Node", "Claude Code", "Codex", "Open WebUI"):
        dialog.get_by_role("button", name=program, exact=True).click()
        expect(dialog.get_by_role("region", name=f"For {program}")).to_contain_text(house.stack.url)
    watched.check(axe)
    _close(watched)
    expect(watched.page.get_by_role("main")).not_to_contain_text(secret)

    watched.page.get_by_role("button", name="Edit thrifty").click()
    watched.page.get_by_label("Requests per minute").fill("")
    watched.page.get_by_label("Points per day").fill("30")
    watched.page.get_by_role("button", name="Save", exact=True).click()
    expect(_row(watched, "thrifty")).to_contain_text("0 of 30 points today")
    watched.settle()
    answers = [_ask(house, secret).status_code for _ in range(40)]
    assert answers[0] == 200
    assert answers[-1] == 429, answers
    watched.open("keys")
    row = _row(watched, "thrifty")
    expect(row.get_by_role("img")).to_have_count(1)
    expect(row).to_contain_text("of 30 points today")
    expect(row).to_contain_text("resets in")
    watched.check(axe)


def test_a_rotated_key_works_with_both_secrets_for_a_while(watched: Watched, house: House, axe: str) -> None:
    old = _create(watched, "turning")
    _close(watched)
    watched.page.get_by_role("button", name="Rotate turning").click()
    watched.check(axe)
    watched.page.get_by_label("The old secret works on for").select_option(label="1 hour")
    watched.page.get_by_role("button", name="Rotate", exact=True).click()
    new = _secret(watched, "turning")
    expect(watched.page.get_by_text("The old secret works until")).to_be_visible()
    assert new != old
    _close(watched)
    assert [_ask(house, key).status_code for key in (old, new)] == [200, 200]
    watched.check()


def test_a_key_that_is_revoked_is_gone(watched: Watched, house: House, axe: str) -> None:
    _create(watched, "short-lived")
    _close(watched)
    watched.page.get_by_role("button", name="Switch off short-lived").click()
    expect(_row(watched, "short-lived")).to_contain_text("Switched off")
    watched.page.get_by_role("button", name="Revoke short-lived").click()
    dialog = watched.page.get_by_role("dialog", name="Revoke short-lived?")
    watched.check(axe)
    dialog.get_by_role("button", name="Revoke").click()
    expect(_row(watched, "short-lived")).to_have_count(0)
    watched.settle()
    watched.check()


def test_a_change_leaves_alone_what_the_form_does_not_show_otherwise(watched: Watched, house: House) -> None:
    made = house.stack.admin(
        "POST",
        "/keys",
        json={
            "name": "detailed",
            "models": ["claude-*"],
            "ip_ranges": ["192.0.2.0/24"],
            "expires_at": "2031-05-06T07:08:09Z",
        },
    )
    watched.open("keys")
    watched.page.get_by_role("button", name="Edit detailed").click()
    watched.page.get_by_role("textbox", name="Name", exact=True).fill("detailed, renamed")
    watched.page.get_by_role("button", name="Save", exact=True).click()
    expect(_row(watched, "detailed, renamed")).to_have_count(1)
    now = house.stack.admin("GET", f"/keys/{made['id']}")
    kept = ("models", "ip_ranges", "expires_at", "routes", "points_per_day")
    assert {name: now[name] for name in kept} == {name: made[name] for name in kept}
    watched.settle()
    watched.check()


def test_a_change_that_comes_too_late_is_refused(watched: Watched, house: House) -> None:
    made = house.stack.admin("POST", "/keys", json={"name": "contested"})
    watched.open("keys")
    watched.page.get_by_role("button", name="Edit contested").click()
    house.stack.admin("PATCH", f"/keys/{made['id']}", json={"points_per_day": 10})
    watched.page.get_by_label("Points per day").fill("99")
    watched.page.get_by_role("button", name="Save", exact=True).click()
    expect(watched.page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    assert house.stack.admin("GET", f"/keys/{made['id']}")["points_per_day"] == 10
    watched.check()
