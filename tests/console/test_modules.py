"""The small modules below the pages: numbers, times, files, cookies. Run by the browser that they are for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.console.browser import Watched
from tests.e2e.conftest import RunningStack

Open = Callable[..., Watched]
Call = Callable[..., Any]
NEW_YORK = "America/New_York"


def _caller(watched: Watched) -> Call:
    watched.page.goto(f"{watched.url}/console/", wait_until="networkidle")
    base = watched.page.locator("script[src]").first.get_attribute("src")
    assert base is not None
    folder = base.rpartition("/")[0]

    def call(module: str, function: str, *arguments: Any) -> Any:
        # With all sandboxes busy a file is refused for the moment, and a browser does not ask for a module again.
        script = """async ([path, name, given]) => {
            const address = new URL(path, document.baseURI).href;
            while (!(await fetch(address)).ok) await new Promise((done) => setTimeout(done, 200));
            return (await import(address))[name](...given);
        }"""
        return watched.page.evaluate(script, [f"{folder}/lib/{module}.js", function, list(arguments)])

    return call


@pytest.fixture
def call(open_page: Open, empty_stack: RunningStack) -> Call:
    return _caller(open_page(empty_stack.url))


# No line ends between a number and its unit.
UNIT_SPACE = "\u00a0"


def test_numbers_have_units_and_unknown_is_not_zero(call: Call) -> None:
    shown = [call("format", "points", value) for value in (None, 0, 1, 1234567)]
    assert shown == ["unknown", "0 points", "1 point", "1,234,567 points"]
    assert [call("format", "dollars", value) for value in (None, 0, 12.5, 0.000003, 0.15)] == [
        "unknown", "$0", "$12.50", "$0.000003", "$0.15",
    ]  # fmt: skip
    shown = [call("format", "percent", value) for value in (None, 0, 0.0042, 0.5)]
    assert shown == ["unknown", f"0{UNIT_SPACE}%", f"0.4{UNIT_SPACE}%", f"50{UNIT_SPACE}%"]


def test_durations_have_two_units_at_most(call: Call) -> None:
    shown = [call("format", "duration", value) for value in (None, 0.34, 2.14, 59.9, 3_599.0, 15_000, 183_600, 86_399)]
    parted = [text.replace(UNIT_SPACE, "_") for text in shown]
    assert parted == ["unknown", "340_ms", "2.1_s", "60_s", "60_min", "4_h 10_min", "2_d 3_h", "24_h"]


def test_formulas_are_neutralised(call: Call) -> None:
    rows = [["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", 'say "no", twice'], [-5, None, True, "plain", "a\nb", "1"]]
    text = call("csv", "toCsv", list("abcdef"), rows)
    assert text == (
        'a,b,c,d,e,f\r\n\'=HYPERLINK(1),\'+1,\'-1,\'@x,\'\tx,"say ""no"", twice"\r\n-5,,true,plain,"a\nb",1\r\n'
    )


def test_cookies_are_read_in_three_forms(call: Call) -> None:
    header = "Cookie: a=1; p-b=one==; p-lat=two; __cf_bm=three"
    netscape = (
        "# HTTP Cookie File\n#HttpOnly_.poe.com\tTRUE\t/\tTRUE\t0\tp-b\tone\nnot.poe.org\tTRUE\t/\tTRUE\t0\tp-lat\tx"
    )
    export = (
        '[{"domain": ".poe.com", "name": "p-b", "value": "one"}, {"domain": "evil.com", "name": "p-lat", "value": "x"}]'
    )
    assert call("cookies", "readCookies", header) == {"p_b": "one==", "p_lat": "two", "cf_bm": "three"}
    assert call("cookies", "readCookies", netscape) == {"p_b": "one"}
    assert call("cookies", "readCookies", export) == {"p_b": "one"}
    assert [call("cookies", "readCookies", text) for text in ("", "a=1", "{", "[null]", "null", '{"p-b": 1}')] == [
        None
    ] * 6


def test_days_are_those_of_the_viewer(open_page: Open, empty_stack: RunningStack) -> None:
    """Across the end of summer time one day has 25 hours."""
    watched = open_page(empty_stack.url)
    context = watched.page.context.browser.new_context(timezone_id=NEW_YORK)
    there = Watched(context.new_page(), empty_stack.url)
    call = _caller(there)
    # From midnight of 31 October 2026 in New York; clocks go back on 1 November.
    start = 1_793_419_200
    places = call("ranges", "places", {"start_seconds": start, "step_seconds": 3600, "count": 73})
    assert places["labels"] == ["31 Oct", "1 Nov", "2 Nov"]
    assert [places["of"].count(day) for day in range(3)] == [24, 25, 24]
    assert call("ranges", "addUp", places, [1] * 73) == [24, 25, 24]
    hours = {"start_seconds": start, "step_seconds": 3600}
    assert call("ranges", "byWeekday", hours, [1] * 73)[6][1] == 2  # Sunday, one o'clock, twice
    today = call("ranges", "rangeQuery", {"range": "today"}, (start + 30 * 3600) * 1000)
    assert today == {"from": "2026-11-01T04:00:00.000Z", "to": None}
    custom = call("ranges", "rangeQuery", {"range": "custom", "from": "2026-11-01", "to": "2026-11-01"}, start * 1000)
    assert custom == {"from": "2026-11-01T04:00:00.000Z", "to": "2026-11-02T05:00:00.000Z"}
    context.close()


def test_rows_without_a_value_come_last(open_page: Open, empty_stack: RunningStack) -> None:
    watched = open_page(empty_stack.url)
    _caller(watched)
    script = """async () => {
      const src = document.querySelector("script[src]").src;
      const { sorted } = await import(src.replace("boot.js", "lib/table.js"));
      const rows = [3, null, 10, 1].map((n) => ({ n }));
      const column = { name: "n", value: (row) => row.n };
      return [false, true].map((isDown) => sorted(rows, column, isDown).map((row) => row.n));
    }"""
    assert watched.page.evaluate(script) == [[1, 3, 10, None], [10, 3, 1, None]]
