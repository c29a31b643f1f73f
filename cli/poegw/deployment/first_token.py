"""The end of a deployment: logged in, an account added, a key made, and one token streamed with its time."""

from __future__ import annotations

import json
import platform
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from poegw.api import Gateway
from poegw.aws import Stack
from poegw.errors import CommandError
from poegw.profiles import DEFAULT_NAME
from poegw.prompts import is_interactive
from poegw.state import State

_KEY_DAYS = 90
_MODEL = "GPT-5-nano"


def greet(state: State, stack: Stack) -> None:
    """Log in, add an account if there is none and somebody gives a key, and stream a token. Raises `CommandError`."""
    gateway = state.connect(stack.base_url, stack.read_admin_key())
    profile = _log_in(state, stack, gateway)
    # An upgrade finds accounts, and asks for none.
    account = next(gateway.pages("/admin/accounts", limit=1), None)
    if account is None and is_interactive():
        key = click.prompt(
            "Poe API key (empty to add an account later)", hide_input=True, default="", show_default=False, err=True
        )
        if key.strip():
            body = {"kind": "official", "label": "official", "credentials": {"api_key": key.strip()}}
            account = _add_account(state, gateway, body)
    state.output.note(f"Base URL for OpenAI's clients: {stack.outputs['GatewayUrl']}")
    if account is None:
        state.output.note("Next: `poegw accounts add official`, then `poegw chat -m MODEL Hello`.")
        return
    state.output.note("For programs: `poegw env`. In the browser: `poegw open`. Checks: `poegw doctor --aws`.")
    # With the client's key, as programs will: an administrator's opens no model.
    _stream_a_token(state, state.connect(stack.base_url, profile["client_key"]))


def _add_account(state: State, gateway: Gateway, body: dict[str, Any]) -> dict[str, Any] | None:
    try:
        account: dict[str, Any] = gateway.send("POST", "/admin/accounts", body)
    except CommandError as error:
        # The deployment is done, and a key can be given again.
        state.output.note(f"The gateway is deployed, but the account was not added: {error.message}")
        return None
    state.output.note(f"Added an account with {account['message_point_balance']} points.")
    return account


def _log_in(state: State, stack: Stack, gateway: Gateway) -> dict[str, Any]:
    expires_at = (datetime.now(UTC) + timedelta(days=_KEY_DAYS)).isoformat(timespec="seconds")
    machine = platform.node() or "this machine"
    own = gateway.send(
        "POST", "/admin/keys", {"name": f"poegw on {machine}", "role": "admin", "expires_at": expires_at}
    )
    client = gateway.send("POST", "/admin/keys", {"name": f"chats from {machine}", "role": "client"})
    profile = {
        "url": stack.base_url,
        "key": own["key"],
        "key_id": own["id"],
        "client_key": client["key"],
        "client_key_id": client["id"],
        "role": "admin",
        "expires_at": expires_at,
        "stack": stack.name,
        "region": stack.region,
    }
    # A second gateway must not take the place of the first.
    state.profiles.put(DEFAULT_NAME if state.profiles.current is None else stack.name, profile)
    return profile


def _stream_a_token(state: State, client: Gateway) -> None:
    # Cheap and short: it is to show that streaming works.
    body = {"model": _MODEL, "messages": [{"role": "user", "content": "Say hello."}], "stream": True, "max_tokens": 16}
    started = time.monotonic()
    with client.stream("/v1/chat/completions", body) as (_, events):
        for data in events:
            if data == b"[DONE]":
                break
            choices = json.loads(data).get("choices") or [{}]
            if text := choices[0].get("delta", {}).get("content"):
                state.output.note(f"First token after {time.monotonic() - started:.2f} s: {text!r}")
                return
    raise CommandError("The answer had no text.", hint="`poegw requests` shows how it ended.")
