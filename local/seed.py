"""Creates sample accounts and an API key at the first run, through the admin API."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import httpx

WEB_COOKIES = ("sample-web-account-1", "sample-web-account-2")
OFFICIAL_KEY = "sample-official-account-1"
"""Credentials of the simulated accounts; the simulators are started with them."""

_TIMEOUT_SECONDS = 60.0


class SeedError(Exception):
    """The gateway did not take what it was given; the message has its answer."""


class Seed:
    """What the first run left for the later ones, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            # A first run, or a file that was being written when the last run was killed.
            self._values = {"api_key": f"sk-local-{secrets.token_urlsafe(24)}", "has_accounts": False}

    @property
    def api_key(self) -> str:
        """The key for this machine: an API key is shown once, so the file is where it is kept."""
        return str(self._values["api_key"])

    async def plant(self, base_url: str, admin_key: str, *, sample_accounts: bool) -> None:
        """Make sure that the key works and, once, that sample accounts exist. Raises `SeedError`."""
        async with httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            own = await client.get("/v1/models", headers={"Authorization": f"Bearer {self.api_key}"})
            if own.status_code == 401:
                await _post(client, admin_key, "/admin/keys", {"name": "local", "secret": self.api_key})
            elif own.is_error:
                raise SeedError(f"GET /v1/models: {own.status_code} {own.text[:500]}")
            if sample_accounts and not self._values["has_accounts"]:
                for number, cookie in enumerate(WEB_COOKIES, 1):
                    account = {"kind": "web", "label": f"sample-web-{number}", "credentials": {"p_b": cookie}}
                    await _post(client, admin_key, "/admin/accounts", account)
                account = {"kind": "official", "label": "sample-official", "credentials": {"api_key": OFFICIAL_KEY}}
                await _post(client, admin_key, "/admin/accounts", account)
                self._values["has_accounts"] = True
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self._values, file)


async def _post(client: httpx.AsyncClient, admin_key: str, path: str, body: dict[str, Any]) -> None:
    reply = await client.post(path, json=body, headers={"Authorization": f"Bearer {admin_key}"})
    if reply.is_error:
        raise SeedError(f"POST {path}: {reply.status_code} {reply.text[:500]}")
