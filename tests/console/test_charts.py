"""A chart is drawn under the content security policy, and has its numbers as a table and a file."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.console.browser import Watched
from tests.console.conftest import House

Open = Callable[..., Watched]
PAINTED = """() => {
  const canvas = document.querySelector(".plot canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let painted = 0;
  for (let at = 3; at < data.length; at += 4) if (data[at]) painted++;
  return painted;
}"""


@pytest.fixture
def watched(open_page: Open, house: House) -> Watched:
    found = open_page(house.stack.url)
    found.sign_in(house.admin_key)
    return found


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def test_bars_are_painted(watched: Watched) -> None:
    watched.open("usage")
    watched.page.locator(".plot canvas").wait_for()
    assert watched.page.evaluate(PAINTED) > 1000
    watched.check()


def test_a_chart_has_its_table_and_file(watched: Watched, axe: str) -> None:
    watched.open("usage")
    page = watched.page
    page.get_by_role("button", name="Show as table").first.click()
    table = page.get_by_role("table", name="Points by model and day")
    rows = [row.split("\t") for row in table.inner_text().splitlines()]
    assert len(table.get_by_role("row").all()) == 8, rows  # a heading and seven days
    watched.check(axe)
    with page.expect_download() as started:
        page.locator("figure").get_by_role("button", name="Save as CSV").click()
    with Path(started.value.path()).open(newline="", encoding="utf-8") as file:
        read = list(csv.reader(file))
    total = sum(_number(cell) for row in read[1:] for cell in row[1:] if cell)
    expect(page.locator("dl.tiles").first).to_contain_text(f"{total:,}")
    watched.check()


def test_the_balances_of_an_account_are_a_line_with_its_table_and_file(
    watched: Watched, house: House, axe: str
) -> None:
    account = house.stack.accounts()["sample-official"]
    watched.open(f"accounts/{account['id']}")
    page = watched.page
    chart = page.locator("figure").filter(has_text="Points left by day")
    chart.locator(".plot canvas").wait_for()
    chart.get_by_role("button", name="Show as table").click()
    table = chart.get_by_role("table", name="Points left by day")
    expect(table.get_by_role("row")).to_have_count(31)
    watched.check(axe)
    with page.expect_download() as started:
        chart.get_by_role("button", name="Save as CSV").click()
    with Path(started.value.path()).open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file))
    assert head == ["Day", "points left (points)", "granted or bought"]
    _, *shown = table.evaluate("table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))")
    assert [row[1] for row in rows] == [row[1].replace(",", "").replace("unknown", "") for row in shown]
    assert sum(bool(row[1]) for row in rows) >= 4, "readings of some days"
    assert "yes" in {row[2] for row in rows}
    assert rows[0][1] == "", "a day without a reading is unknown"
    watched.check()


@pytest.mark.parametrize("name", ["usage", "overview"])
def test_totals_are_those_of_the_ledger(watched: Watched, house: House, name: str) -> None:
    page = watched.page
    with page.expect_response(lambda reply: f"/console/api/{name}?from" in reply.url) as heard:
        watched.open(f"{name}?range=7d")
    shown = heard.value.json()
    totals = house.stack.admin("GET", "/usage", params={"from": shown["from"], "to": shown["to"]})["totals"]
    points = totals["points_settled"] + totals["points_estimated"]
    expect(page.get_by_role("main")).to_contain_text(f"{points:,}")
    watched.check()


def test_exports_are_downloads_of_what_is_filtered(watched: Watched) -> None:
    watched.open("requests?range=7d&status=error")
    page = watched.page
    with page.expect_download() as started:
        page.get_by_role("link", name="Save what is filtered as CSV").click()
    with Path(started.value.path()).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(row["code"] for row in rows)
    watched.check()


def test_a_theme_that_changes_draws_again(watched: Watched) -> None:
    watched.open("usage")
    page = watched.page
    page.locator(".plot canvas").wait_for()
    colour = (
        "() => [...document.querySelector('.plot canvas').getContext('2d').getImageData(0, 0, 2000, 400).data].join()"
    )
    before = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => ({colour})() !== before", arg=before)
    watched.check()
