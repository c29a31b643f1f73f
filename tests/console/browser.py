"""A real Chromium over the console, watched: what it logs, asks for and refuses."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "scripts"))

from console_packages import PACKAGES, NotInstalled, WrongPackage  # noqa: E402  the repository is not installed

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A bound against hangs, not a promise of how fast a page is.
WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)
# What the browser itself logs of an answer that is no success; which answers come is what the tests are about.
_STATUS = "Failed to load resource: the server responded with a status of"
_NOTES = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI || event.sample}`);
});
"""


class NoBrowser(Exception):
    """There is none here; the message says what would change that."""


def find_browser() -> str:
    """The path of the browser. Raises `NoBrowser`."""
    named = os.environ.get("CHROMIUM", "")
    for name in (named, *NAMES):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise NoBrowser("there is no Chromium: apt-get install chromium, or name one in CHROMIUM")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """One browser with a profile of its own. Raises `NoBrowser`."""
    path = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), timeout=2 * WAIT_MS)
        try:
            yield browser
        finally:
            browser.close()


def axe_source() -> str:
    """The accessibility checker, from the lock. Raises `NotInstalled`, `WrongPackage`."""
    return (PACKAGES.folder() / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@dataclass
class Watched:
    """A page, and what went wrong in it."""

    page: Page
    url: str
    """Of the gateway, without a slash at its end."""
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        host = urlsplit(self.url).netloc
        self.page.set_default_timeout(WAIT_MS)
        self.page.add_init_script(_NOTES)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("console", self._note_message)
        self.page.on("request", lambda request: self._note_request(request.url, host))
        self.page.on("response", self._note_response)

    def _note_message(self, message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_STATUS):
            self.problems.append(f"{message.type}: {message.text}")

    def _note_request(self, address: str, host: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("data", "blob") and parts.netloc != host:
            self.problems.append(f"a request to {parts.scheme}://{parts.netloc}")

    def _note_response(self, response: Any) -> None:
        # A file that was refused because the function was busy is asked for again.
        if "/console/static/" in response.url and response.status >= 400 and response.status != 429:
            self.problems.append(f"{response.status} {response.url}")

    def open(self, address: str = "") -> None:
        """Go to a page of the console by its fragment, and wait until it is there."""
        target = f"{self.url}/console/#/{address}"
        if self.page.url == target:
            self.page.reload()
        else:
            self.page.goto(target)
        self.page.locator("main h1").wait_for()
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is being loaded."""
        self.page.locator(".loading").first.wait_for(state="detached")
        self.page.locator("[aria-busy=true]").first.wait_for(state="detached")

    def sign_in(self, key: str) -> None:
        self.page.goto(f"{self.url}/console/")
        self.page.get_by_label("Key", exact=True).fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("nav").wait_for(state="attached")
        # The address of the first page is written after it is drawn, and would replace the one that a test opens next.
        self.page.wait_for_url(re.compile(r"/#/\w"))

    def check(self, axe: str | None = None) -> None:
        """Fail if anything went wrong so far, if the page is wider than its window, or not accessible to everybody."""
        self.problems += [f"policy violation: {one}" for one in self.page.evaluate("() => window.violations.splice(0)")]
        width = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        if (excess := self.page.evaluate(width)) > 0:
            self.problems.append(f"{excess} px wider than the window")
        if axe is not None:
            self.page.evaluate(axe)
            found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
            self.problems += [
                f"axe {one['id']}: {node['target']} {node['failureSummary']}"
                for one in found["violations"]
                for node in one["nodes"]
            ]
        problems, self.problems[:] = list(self.problems), []
        assert not problems, "\n".join(problems)


__all__ = ["NoBrowser", "NotInstalled", "Watched", "WrongPackage", "axe_source", "find_browser", "open_browser"]
