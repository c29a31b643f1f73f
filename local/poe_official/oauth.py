"""Signing in: a page that agrees at once, and the exchange of the code for a key, PKCE checked."""

from __future__ import annotations

import base64
import hashlib
import secrets
from urllib.parse import urlencode, urlsplit

from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp

from local.poe_official.application import Call, Simulation
from local.poe_official.dialect import Refused, bad_request
from local.poe_official.world import OfficialAccount

_LOOPBACK = ("127.0.0.1", "localhost")


async def authorize(simulation: Simulation, call: Call) -> ASGIApp:
    """GET /oauth/authorize: redirects back with a code; a client called "refused" comes back with an error."""
    query = dict(call.request.query_params)
    redirect_uri = query.get("redirect_uri", "")
    if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
        raise bad_request("only a code with an S256 challenge")
    if query.get("scope") != "apikey:create" or urlsplit(redirect_uri).hostname not in _LOOPBACK:
        raise bad_request("unknown scope or redirect address")
    back = {"state": query.get("state", "")}
    if query.get("client_id") == "refused":
        back["error"] = "access_denied"
    else:
        back["code"] = secrets.token_urlsafe(24)
        simulation.world.codes[back["code"]] = query
    return RedirectResponse(f"{redirect_uri}?{urlencode(back)}", 302)


async def token(simulation: Simulation, call: Call) -> ASGIApp:
    """POST /token: a key for a code, once, for the verifier that belongs to it."""
    async with call.request.form() as form:
        given = {name: str(value) for name, value in form.items()}
    asked = simulation.world.codes.pop(given.get("code", ""), None)
    digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    same = asked is not None and all(asked.get(name) == given.get(name) for name in ("client_id", "redirect_uri"))
    if asked is None or not same or asked["code_challenge"] != challenge:
        raise Refused(401, "authentication_error", "invalid_grant", "The code is not valid")
    key = f"signed-in-{secrets.token_urlsafe(24)}"
    simulation.world.accounts[key] = OfficialAccount(key, key_name="signed in")
    expires = 3600 if given["client_id"] == "short-lived" else None
    return JSONResponse({"api_key": key, "api_key_expires_in": expires, "token_type": "Bearer"})
