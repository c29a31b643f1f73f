"""The console in a browser, over the whole stack as `make run` starts it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.console.browser import NoBrowser, NotInstalled, Watched, axe_source, open_browser
from tests.console.sample_data import plant
from tests.e2e.conftest import RunningStack, start_stack

MARKUP = "<img src=x onerror=alert(1)>"
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.console)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with open_browser() as found:
            yield found
    except NoBrowser as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def axe() -> str:
    try:
        return axe_source()
    except NotInstalled as reason:
        pytest.skip(f"the accessibility checker can't be had: {reason}")


@dataclass
class House:
    """A stack with people who use it."""

    stack: RunningStack
    viewer_key: str
    client_key: str
    client_id: str

    @property
    def admin_key(self) -> str:
        return self.stack.variables["GATEWAY_ADMIN_KEY"]


@contextmanager
def _running(folder: Path, **settings: str) -> Iterator[RunningStack]:
    stack = start_stack(folder / "state", **settings)
    try:
        yield stack
    except BaseException:
        stack.stop()
        raise
    assert stack.stop() == 0, stack.output.read_text()


@pytest.fixture(scope="session")
def empty_stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Without an account, a key or a request, with as few sandboxes as by default. Not started without a browser."""
    with _running(tmp_path_factory.mktemp("console-empty")) as stack:
        for account in stack.accounts().values():
            stack.admin("DELETE", f"/accounts/{account['id']}")
        for key in stack.admin("GET", "/keys")["data"]:
            stack.admin("DELETE", f"/keys/{key['id']}")
        yield stack


@pytest.fixture(scope="session")
def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With accounts, keys, and a week of use. Some names are such as a page must not take for markup."""
    # Pages whose requests are watched have no cache, and ask for all modules at once.
    with _running(tmp_path_factory.mktemp("console"), GATEWAY_POE_CLIENT_ID="sample-client", SANDBOXES="12") as stack:
        yield _furnish(stack)


def _furnish(stack: RunningStack) -> House:
    roles = {
        "laptop": ("client", {"points_per_day": 5000, "requests_per_minute": 120}),
        MARKUP: ("client", {"points_per_month": 200_000}),
        "looks on": ("viewer", {}),
    }
    made = {
        name: stack.admin("POST", "/keys", json={"name": name, "role": role, **limits})
        for name, (role, limits) in roles.items()
    }
    used = {made["laptop"]["id"]: 5, made[MARKUP]["id"]: 2}
    accounts = {account["id"]: 1 for account in stack.accounts().values()}
    plant(stack.variables, keys=used, accounts=accounts, now=time.time(), days=7, sends=60)
    for account in accounts:
        stack.admin("POST", f"/accounts/{account}/refresh-points")
    return House(stack, made["looks on"]["key"], made["laptop"]["key"], made["laptop"]["id"])


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return SIZES[request.param]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """`open_page(url, size=…, **context_options)`: a page with cookies of its own, checked at the end of the test."""
    pages: list[Watched] = []

    def open_one(url: str, size: tuple[int, int] = SIZES["desktop"], **options: Any) -> Watched:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, timezone_id="UTC", **options)
        pages.append(Watched(context.new_page(), url))
        return pages[-1]

    yield open_one
    problems = [problem for watched in pages for problem in watched.problems]
    for watched in pages:
        watched.page.context.close()
    assert not problems, "\n".join(problems)
