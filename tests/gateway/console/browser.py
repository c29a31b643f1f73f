"""A browser with a page of the console open, as far as the gateway sees it: its cookie and the headers it sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.gateway.scripted import ADMIN_KEY, Answer, House

HOST = "gateway.example"
ORIGIN = f"https://{HOST}"


class Browser:
    """Keeps the cookie that the gateway sets. `headers` are sent besides what a browser sends by itself."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cookie: str | None = None

    async def sign_in(self, key: str = ADMIN_KEY) -> Answer:
        return await self.call("/session", {"key": key})

    async def call(
        self,
        path: str,
        body: Any = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        root: str = "/console/api",
        **more: Any,
    ) -> Answer:
        """A request of a page of ours. A header that is `None` is not sent."""
        method = method or ("GET" if body is None else "POST")
        sent: dict[str, str | None] = {"host": HOST, "sec-fetch-site": "same-origin"}
        if method != "GET":
            sent |= {"origin": ORIGIN, "x-console": "1"}
        if self.cookie is not None:
            sent["cookie"] = f"__Host-poegw={self.cookie}"
        sent |= headers or {}
        kept = {name: value for name, value in sent.items() if value is not None}
        answer = await self.house.call(f"{root}{path}", body, method=method, headers=kept, key=None, **more)
        if (told := answer.headers.get("set-cookie")) is not None:
            found = re.match(r"__Host-poegw=([^;]*); Max-Age=(\d+);", told)
            assert found is not None, told
            self.cookie = found[1] if int(found[2]) else None
        return answer


async def signed_in(house: House, key: str = ADMIN_KEY) -> Browser:
    browser = Browser(house)
    answer = await browser.sign_in(key)
    assert answer.status == 200, answer.body
    return browser


async def key_of_role(house: House, role: str, **settings: Any) -> tuple[str, str]:
    """Id and secret of a new key."""
    made = await house.admin("/keys", {"name": f"{role} key", "role": role, **settings})
    assert made.status == 201, made.body
    return made.json["id"], made.json["key"]
