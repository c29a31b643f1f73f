"""Creates sample accounts and an API key at the first run, through the admin API."""

from __future__ import annotations

import json
import logging
import secrets
from pathlib import Path
from typing import Any

import httpx

from local.files import replace_privately

logger = logging.getLogger(__name__)
WEB_COOKIES = ("sample-web-account-1", "sample-web-account-2")
OFFICIAL_KEY = "sample-official-account-1"
"""Credentials of the simulated accounts; the simulators are started with them."""

_TIMEOUT_SECONDS = 60.0


class SeedError(Exception):
    """The gateway did not take what it was given; the message has its answer."""


class Seed:
    """What the first run left for the later ones, in a file that only its owner can read.

    A damaged file is made anew, which is told: the API key in it is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, Any] = {"api_key": f"sk-local-{secrets.token_urlsafe(24)}", "has_accounts": False}
        try:
            self._values = _read(path)
        except (FileNotFoundError, NotADirectoryError):
            pass  # A first run.
        except (OSError, ValueError, RecursionError):
            logger.warning("%s is damaged. It is made anew, with another API key for this machine.", path)

    @property
    def api_key(self) -> str:
        """The key for this machine: an API key is shown once, so the file is where it is kept."""
        return str(self._values["api_key"])

    async def plant(self, base_url: str, admin_key: str, *, sample_accounts: bool) -> None:
        """Make sure that the key works and, once, that sample accounts exist. Raises `SeedError`, `OSError`."""
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
        replace_privately(self._path, json.dumps(self._values).encode())


def _read(path: Path) -> dict[str, Any]:
    """Raises `OSError`, `ValueError`, `RecursionError`."""
    values = json.loads(path.read_bytes())
    match values:
        case {"api_key": str(key), "has_accounts": bool(_)} if key.startswith("sk-"):
            return dict(values)
    raise ValueError


async def _post(client: httpx.AsyncClient, admin_key: str, path: str, body: dict[str, Any]) -> None:
    reply = await client.post(path, json=body, headers={"Authorization": f"Bearer {admin_key}"})
    if reply.is_error:
        raise SeedError(f"POST {path}: {reply.status_code} {reply.text[:500]}")
