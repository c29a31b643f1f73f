"""Calls of Poe's operations: payload, signature, envelope, and the form key that goes with them.

Who asks for an operation gets its `data` object or a typed error. A rejected form key is renewed once per call. A
mutation is repeated only where Poe certainly did nothing: it was never delivered, or was rejected for its form key. A
message to a bot is never repeated here: that is for those to decide who pay for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

from reverse.config import PoeConfig
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.web._bundle import ChannelSettings, HomePage, form_key_program, parse_channel_settings, parse_home_page
from reverse.web._envelope import find_token, read_envelope
from reverse.web._form_key import evaluate_form_key
from reverse.web._operations import operation_hash, wire_name
from reverse.web._protocol import load_object
from reverse.web._session import Session
from reverse.web._signing import Signer, tag_id
from reverse.web._transport import Part, Transport, check_reply

# What an answer's status says when a renewed form key was rejected too.
_REFUSED = {401: ErrorCode.NOT_AUTHENTICATED, 403: ErrorCode.BLOCKED}
_UPLOAD = "/api/finish_upload_POST"
_MAX_API_BYTES = 8 * 1024 * 1024


class GraphQL:
    """The operations of one account, over one transport and one session. Every method raises `PoeError`."""

    def __init__(
        self,
        config: PoeConfig,
        session: Session,
        transport: Transport,
        *,
        signer: Signer = tag_id,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._session = session
        self._transport = transport
        self._signer = signer
        self._wall_clock = wall_clock
        # A form key that took the place of a rejected one, and may be rejected as well.
        self._doubted_form_key: str | None = None
        # One page is fetched at a time, however many calls find out together that the form key is stale.
        self._refreshing = asyncio.Lock()

    async def query(self, name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Read. Repeated once when the network or Poe fails, because asking twice changes nothing."""
        try:
            return await self._call(name, variables)
        except PoeError as error:
            if error.code is not ErrorCode.CONNECTION_FAILED and (error.status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
        return await self._call(name, variables)

    async def mutate(self, name: str, variables: Mapping[str, Any], *, parts: Sequence[Part] = ()) -> dict[str, Any]:
        """Change something. Repeated once only if the request was certainly not delivered."""
        try:
            return await self._call(name, variables, parts)
        except PoeError as error:
            # A timeout has used up the time, even where nothing was delivered.
            if error.delivery is not Delivery.NOT_SENT or error.code is ErrorCode.TIMEOUT:
                raise
        return await self._call(name, variables, parts)

    async def send(self, name: str, variables: Mapping[str, Any], *, parts: Sequence[Part] = ()) -> dict[str, Any]:
        """Let a bot answer: one request, whatever comes of it.

        A rejected form key is renewed, so that it is good for another try, and `STALE_FORM_KEY` raised; when a key that
        was renewed for that reason is rejected again, what the answer's status says.
        """
        try:
            form_key = await self.ensure_form_key()
        except PoeError as error:
            error.delivery = Delivery.NOT_SENT
            raise
        try:
            return await self._exchange(name, variables, parts, form_key)
        except PoeError as error:
            if error.code is not ErrorCode.STALE_FORM_KEY:
                raise
            stale = error
        try:
            # Renewed once already: it is not the key that is wrong.
            if form_key == self._doubted_form_key:
                raise _refused_again(name, stale)
            self._doubted_form_key = await self._renew_form_key(form_key)
        except PoeError as error:
            error.delivery = Delivery.REFUSED
            raise
        raise stale

    async def upload(self, part: Part) -> str:
        """Send one file ahead of its message and return the token that stands for it.

        A file without its message has no effect, so a renewed form key is tried once after any refusal.
        """
        for form_key in (await self.ensure_form_key(), None):
            reply = await self._transport.request(
                "POST", _UPLOAD, headers=self.headers(), parts=[part], max_bytes=_MAX_API_BYTES, operation="upload"
            )
            if form_key is None or reply.is_html or reply.status not in (400, 401, 403):
                break
            await self._renew_form_key(form_key)
        check_reply(reply, "upload")
        token = find_token(reply.body)
        if token is None:
            raise poe_error(ErrorCode.PROTOCOL, "Poe gave no token for the file", operation="upload")
        return token

    async def _call(self, name: str, variables: Mapping[str, Any], parts: Sequence[Part] = ()) -> dict[str, Any]:
        form_key = await self.ensure_form_key()
        try:
            return await self._exchange(name, variables, parts, form_key)
        except PoeError as error:
            if error.code is not ErrorCode.STALE_FORM_KEY:
                raise
        renewed = await self._renew_form_key(form_key)
        try:
            return await self._exchange(name, variables, parts, renewed)
        except PoeError as second:
            if second.code is not ErrorCode.STALE_FORM_KEY:
                raise
            raise _refused_again(name, second) from None

    async def _exchange(
        self, name: str, variables: Mapping[str, Any], parts: Sequence[Part], form_key: str
    ) -> dict[str, Any]:
        sent_name = wire_name(name, self._config)
        extensions = {"hash": operation_hash(name, self._config)}
        body = {"queryName": sent_name, "variables": variables, "extensions": extensions}
        # The exact text is signed. Half a surrogate pair can't be sent as UTF-8, and no prompt needs one.
        payload = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        signature = self._signer(payload.decode(), form_key)
        headers = {**self.headers(), "Poe-Formkey": form_key, "poe-tag-id": signature}
        if self._config.operation_generation == "newer":
            headers |= {"poe-queryname": sent_name, "poegraphql": "1"}
        if parts:
            form = [Part("queryInfo", payload), *parts]
            reply = await self._transport.request(
                "POST", "/api/gql_upload_POST", headers=headers, parts=form, max_bytes=_MAX_API_BYTES, operation=name
            )
        else:
            headers["Content-Type"] = "application/json"
            reply = await self._transport.request(
                "POST", "/api/gql_POST", headers=headers, content=payload, max_bytes=_MAX_API_BYTES, operation=name
            )
        return read_envelope(reply, name)

    def headers(self) -> dict[str, str]:
        """Poe's own headers, as far as the session knows them (docs/reference/poe-web.md#headers)."""
        session = self._session
        values = {
            "Poe-Formkey": session.form_key,
            "Poe-Tchannel": session.channel.channel if session.channel else None,
            "Poe-Revision": session.credentials.revision,
        }
        return {name: value for name, value in values.items() if value}

    async def ensure_form_key(self) -> str:
        """The form key, derived from the home page if there is none yet."""
        return self._session.form_key or await self._renew_form_key(None)

    async def fetch_channel_settings(self) -> ChannelSettings:
        """New channel settings: from `/api/settings`, else from the home page, which carries them as well.

        Source: docs/reference/poe-web.md#channel-settings.
        """
        known = self._session.channel
        await self.ensure_form_key()
        if self._session.channel is not None and self._session.channel is not known:
            # The page that gave the form key brought them along.
            return self._session.channel
        reply = await self._transport.request(
            "GET", "/api/settings", headers=self.headers(), max_bytes=_MAX_API_BYTES, operation="settings"
        )
        settings = None
        if reply.status == HTTPStatus.NOT_FOUND:  # the newer client no longer asks here
            settings = (await self.fetch_home_page()).channel
        else:
            check_reply(reply, "settings")
            settings = parse_channel_settings(load_object(reply.body).get("tchannelData"))
        if settings is None:
            raise poe_error(ErrorCode.PROTOCOL, "Poe gave no channel settings", operation="settings")
        self._session.remember_channel(settings, self._wall_clock())
        return settings

    async def _renew_form_key(self, rejected: str | None) -> str:
        async with self._refreshing:
            # Looked at inside of the lock: another call may have renewed it meanwhile.
            known = self._session.form_key
            if known is not None and known != rejected:
                return known
            page = await self.fetch_home_page()
            try:
                secret_script = await self._fetch_secret_script(page)
                program = form_key_program(page, secret_script, self._config.form_key_rules)
                self._session.form_key = form_key = await evaluate_form_key(program)
            except PoeError as error:
                if rejected is None or error.code is not ErrorCode.PROTOCOL:
                    raise
                raise poe_error(
                    ErrorCode.STALE_FORM_KEY, "Poe refused the form key and no other could be derived"
                ) from error
            # Only where there is none: settings in use belong to an open connection.
            if page.channel is not None and self._session.channel is None:
                self._session.remember_channel(page.channel, self._wall_clock())
            return form_key

    async def fetch_home_page(self) -> HomePage:
        """The home page, parsed: what the form key is derived from."""
        reply = await self._transport.request("GET", "/", operation="home page")
        check_reply(reply, "home page")
        return parse_home_page(reply.body.decode("utf-8", "replace"))

    async def _fetch_secret_script(self, page: HomePage) -> str:
        src = page.secret_script()
        if src is None:
            return ""
        base = self._config.web_base_url
        try:
            url = urljoin(base + "/", src)
            host, own_host = urlsplit(url).hostname or "", urlsplit(base).hostname or ""
        except ValueError:
            raise poe_error(ErrorCode.PROTOCOL, "the home page's script has no proper address") from None
        # The script is run: it comes from Poe's own hosts or not at all.
        if host != own_host and not host.endswith((f".{own_host}", ".poecdn.net")):
            raise poe_error(ErrorCode.PROTOCOL, "the home page's script is on a host that is not Poe's")
        reply = await self._transport.request("GET", url, operation="script")
        check_reply(reply, "script")
        return reply.body.decode("utf-8", "replace")


def _refused_again(name: str, stale: PoeError) -> PoeError:
    """What it means that a renewed form key was rejected, too."""
    code = _REFUSED.get(stale.status or 0)
    return stale if code is None else poe_error(code, operation=name, status=stale.status)
