"""Takes the pictures of docs/console: each page in both themes, from sample data.

    python -m tests.console.pictures [FOLDER]

The stack is the one of `make run`, the data is a month of use that is written into its table.
"""

from __future__ import annotations

import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.console.browser import NoBrowser, Watched, find_browser, open_browser
from tests.console.sample_data import plant
from tests.e2e.conftest import RunningStack, start_stack

ROOT = Path(__file__).parents[2]
DAY = 86_400.0
QUALITY = 75
TALLEST = 1400
WIDE, PHONE = (1280, 800), (390, 844)
KEYS: Mapping[str, Mapping[str, Any]] = {
    "laptop": {"points_per_day": 6000, "requests_per_minute": 60},
    "open-webui": {"points_per_month": 300_000, "models": ["claude-*", "gpt-5-mini", "assistant", "story"]},
    "nightly summary": {"points_per_day": 70, "expires_at": time.time() + 40 * DAY},
}
HOW_MUCH = (6, 4, 1)
PROMPT = "Describe a lighthouse in a storm in a few sentences."


def furnish(stack: RunningStack) -> dict[str, Any]:
    """Accounts, keys and a month of use; what the pages are opened with."""
    official = stack.variables["GATEWAY_POE_OFFICIAL_BASE_URL"] + "/_sim/accounts"
    for account in stack.accounts().values():
        stack.admin("DELETE", f"/accounts/{account['id']}")
    stack.simulated("accounts", p_b="sample-cookie-of-the-family", points=412_000, allotment=1_000_000)

    def add(label: str, points: int, addon: int) -> dict[str, Any]:
        key = f"sample-key-{label}"
        httpx.post(official, json={"api_key": key, "points": points, "addon_points": addon}).raise_for_status()
        new = {"kind": "official", "label": label, "credentials": {"api_key": key}, "max_concurrency": 4}
        account: dict[str, Any] = stack.admin("POST", "/accounts", json=new)
        return account

    made = [add("ada@example.org", 688_200, 120_000), add("work@example.org", 1_240, 0)]
    cookies = {"p_b": "sample-cookie-of-the-family"}
    made.append(stack.admin("POST", "/accounts", json={"kind": "web", "label": "family", "credentials": cookies}))
    keys = {name: stack.admin("POST", "/keys", json={"name": name, **limits}) for name, limits in KEYS.items()}
    for key in stack.admin("GET", "/keys")["data"]:
        if key["name"] not in keys:
            stack.admin("DELETE", f"/keys/{key['id']}")
    stack.admin("POST", "/keys", json={"name": "the family looks on", "role": "viewer"})
    used = {key["id"]: weight for key, weight in zip(keys.values(), HOW_MUCH, strict=True)}
    accounts = {account["id"]: weight for account, weight in zip(made, (6, 1, 3), strict=True)}
    plant(stack.variables, keys=used, accounts=accounts, now=time.time(), days=30, sends=170)
    for name, times in (("laptop", 6), ("nightly summary", 5)):
        for _ in range(times):
            _ask(stack, keys[name]["key"])
    # One that needs a person.
    for account in (*made, add("spare@example.org", 0, 0)):
        stack.admin("POST", f"/accounts/{account['id']}/refresh-points")
    stack.admin("POST", f"/accounts/{made[1]['id']}/disable")
    rows = stack.admin("GET", "/requests", params={"limit": 200})["data"]
    twice = next(row["request_id"] for row in rows if row["attempts"] == 2 and row["status"] == 200)
    return {"account": made[0]["id"], "request": twice, "key": keys["laptop"]["key"]}


def _ask(stack: RunningStack, key: str) -> None:
    body = {"model": "Assistant", "messages": [{"role": "user", "content": PROMPT}]}
    headers = {"authorization": f"Bearer {key}"}
    httpx.post(f"{stack.url}/v1/chat/completions", json=body, headers=headers, timeout=60)


def take(stack: RunningStack, things: Mapping[str, Any], folder: Path) -> None:
    """One file for each page and theme, and two of a phone."""
    pages = {
        "overview": "overview?range=30d",
        "accounts": "accounts",
        "account": f"accounts/{things['account']}",
        "requests": "requests?range=7d",
        "request": f"requests/{quote(things['request'], safe='')}",
        "usage": "usage?range=30d",
        "keys": "keys",
        "models": "models?used=&q=claude",
        "playground": "playground?model=Story",
        "health": "health",
    }
    admin_key = stack.variables["GATEWAY_ADMIN_KEY"]
    with open_browser() as browser:
        for theme in ("light", "dark"):
            for size, suffix, names in ((WIDE, "", tuple(pages)), (PHONE, "-phone", ("overview", "keys"))):
                viewport = {"width": size[0], "height": size[1]}
                context = browser.new_context(viewport=viewport, color_scheme=theme, timezone_id="UTC")
                watched = Watched(context.new_page(), stack.url)
                if not suffix:
                    watched.page.goto(f"{stack.url}/console/")
                    watched.page.get_by_role("button", name="Sign in").wait_for()
                    _save(watched, folder / f"sign-in-{theme}.webp", size)
                watched.sign_in(admin_key)
                for name in names:
                    watched.open(pages[name])
                    if name == "playground":
                        _talk(watched, things["key"])
                    _save(watched, folder / f"{name}{suffix}-{theme}.webp", size)
                context.close()
                if not suffix:
                    context = browser.new_context(viewport=viewport, color_scheme=theme, timezone_id="UTC")
                    watched = Watched(context.new_page(), stack.url)
                    watched.sign_in(things["key"])
                    watched.open("me?range=30d")
                    _save(watched, folder / f"my-key-{theme}.webp", size)
                    context.close()


def _talk(watched: Watched, key: str) -> None:
    page = watched.page
    page.get_by_label("Client key").fill(key)
    page.get_by_role("textbox", name="Message", exact=True).fill(PROMPT)
    page.get_by_role("button", name="Send").click()
    page.get_by_text("The answer is complete").wait_for(state="attached")
    page.get_by_text("the request", exact=True).wait_for()


def _save(watched: Watched, path: Path, size: tuple[int, int]) -> None:
    page = watched.page
    if page.locator(".plot").count():
        page.locator(".plot canvas").first.wait_for()
    page.mouse.move(0, 0)
    # As high as the page, up to where a long list goes on in the same way.
    height = page.evaluate("() => document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size[0], "height": min(max(size[1], height), TALLEST)})
    # The browser's own encoder, which Playwright does not offer for this format.
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    session.detach()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    path.write_bytes(b64decode(shot["data"]))
    watched.check()


def main() -> int:
    """The command's exit status."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "console"
    try:
        find_browser()
    except NoBrowser as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state:
        stack = start_stack(Path(state) / "state", SANDBOXES="8")
        try:
            take(stack, furnish(stack), folder)
        finally:
            stack.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
