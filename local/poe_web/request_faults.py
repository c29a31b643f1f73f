"""Faults of a request or a handshake: what is answered in place of the right answer, or what changes before it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from local.poe_web.accounts import SimulatedAccount
from local.poe_web.bots import Bot
from local.poe_web.page import CHALLENGE_PAGE
from local.poe_web.world import World


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone away."""
    while not (await receive())["type"].endswith("disconnect"):
        pass


class Dropped(Response):
    """No answer: the TCP connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Reset it."""
        scope["state"]["transport"].abort()
        await disconnected(receive)


class Unanswered(Response):
    """No answer, for as long as the client waits."""

    async def __call__(self, _scope: Scope, receive: Receive, _send: Send) -> None:
        """Wait with it."""
        await disconnected(receive)


class Late(Response):
    """Another response, `seconds` later, if the client is still there by then."""

    def __init__(self, response: Response, seconds: float) -> None:
        super().__init__(status_code=response.status_code)
        self._response, self._seconds = response, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then answer."""
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            done, _ = await asyncio.wait([gone], timeout=self._seconds)
        finally:
            gone.cancel()
        if not done:
            await self._response(scope, receive, send)


def graphql_error(message: str) -> Response:
    """The envelope of a failed query (docs/reference/poe-web.md#failures)."""
    body = {"data": None, "errors": [{"message": message}], "extensions": {"is_final": True}}
    return JSONResponse(body)


def rejection(message: str, status_code: int = 400) -> Response:
    """The envelope of a request that was not let in."""
    return JSONResponse({"success": False, "errors": [{"message": message}], "data": None}, status_code)


class ResponseFault:
    """A wrong answer. If `applied`, the service does the work all the same, and only the answer is lost."""

    applied: bool = False

    def response(self) -> Response:
        """What is sent."""
        raise NotImplementedError

    def response_to(self, operation: str | None) -> Response:  # noqa: ARG002  # for those that differ
        """What is sent as the answer to this operation, or to a request that is none."""
        return self.response()


@dataclass(frozen=True)
class Struck:
    """Whom a request comes from, and which bot it is about."""

    account: SimulatedAccount | None
    bot: Bot | None
    world: World


class WorldFault:
    """Something that changes on the service's side when the request comes; the request then goes on."""

    def strike(self, struck: Struck) -> None:
        """Change it."""
        raise NotImplementedError


@dataclass(frozen=True)
class HttpError(ResponseFault):
    """A bare HTTP status: 403, 429 with `retry_after` in seconds, 5xx and others."""

    status: int = 500
    retry_after: int | None = None
    body: str = ""
    content_type: str = "text/plain"
    applied: bool = False

    def response(self) -> Response:
        """The status, with the body as it is."""
        headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return Response(self.body, self.status, headers, self.content_type)


@dataclass(frozen=True)
class ChallengePage(ResponseFault):
    """403 with an interstitial page that wants JavaScript."""

    status: int = 403

    def response(self) -> Response:
        """The page."""
        return HTMLResponse(CHALLENGE_PAGE, self.status)


@dataclass(frozen=True)
class LoginRedirect(ResponseFault):
    """A redirect to the login page, as for a visitor who is not signed in."""

    def response(self) -> Response:
        """The redirect; the page behind it is HTML with status 200."""
        return RedirectResponse("/login?redirect_url=%2F", 302)


@dataclass(frozen=True)
class EmptyBody(ResponseFault):
    """200 and nothing in it."""

    status: int = 200

    def response(self) -> Response:
        """No bytes."""
        return Response(b"", self.status, media_type="application/json")


@dataclass(frozen=True)
class WrongJson(ResponseFault):
    """200 and a body that is not the expected envelope, or not JSON at all."""

    body: str = '{"unexpected":true}'

    def response(self) -> Response:
        """The body as it is."""
        return Response(self.body, media_type="application/json")


@dataclass(frozen=True)
class GraphQLError(ResponseFault):
    """The envelope of a failed query."""

    message: str = "Server Error"
    applied: bool = False

    def response(self) -> Response:
        """Status 200, `data` null."""
        return graphql_error(self.message)


@dataclass(frozen=True)
class StaleHash(ResponseFault):
    """The service has forgotten the query's hash."""

    def response(self) -> Response:
        """`PersistedQueryNotFound`."""
        return graphql_error("PersistedQueryNotFound")


WITH_STATUS = {
    "SendMessageMutation": "messageEdgeCreate",
    "Knowledge_CreateKnowledgeSourceMutation": "knowledgeSourceCreate",
    "Knowledge_EditKnowledgeSourceMutation": "knowledgeSourceEdit",
    "PoeBotCreate": "poeBotCreate",
    "PoeBotEdit": "poeBotEdit",
    "ContinueChatCTAButton_continueChatFromPoeShare_Mutation": "continueChatFromPoeShare",
}
"""Mutations that are answered with a status, and the key under which it stands."""


@dataclass(frozen=True)
class MutationStatus(ResponseFault):
    """A mutation that is answered with 200 and a `status` other than success.

    Source: docs/reference/poe-web.md#mutation-statuses, docs/reference/poe-web.md#sending-a-message.
    """

    status: str
    message: str = ""

    def response_to(self, operation: str | None) -> Response:
        """The mutation's envelope."""
        result: dict[str, Any] = {"status": self.status, "statusMessage": self.message}
        root = WITH_STATUS.get(operation or "", "messageEdgeCreate")
        return JSONResponse({"data": {root: result}, "extensions": {"is_final": True}})


@dataclass(frozen=True)
class DropConnection(ResponseFault):
    """The connection is reset before an answer."""

    applied: bool = False

    def response(self) -> Response:
        """None."""
        return Dropped()


@dataclass(frozen=True)
class HangRequest(ResponseFault):
    """The request is never answered."""

    applied: bool = False

    def response(self) -> Response:
        """None."""
        return Unanswered()


@dataclass(frozen=True)
class DelayResponse:
    """The right answer, `seconds` late."""

    seconds: float = 1.0


@dataclass(frozen=True)
class StaleFormKey(WorldFault):
    """The account's form key changes: calls with the old one are rejected until the page is read again."""

    def strike(self, struck: Struck) -> None:
        """Change the key."""
        if struck.account is not None:
            struck.account.form_key = secrets.token_hex(16)


@dataclass(frozen=True)
class SignedOut(WorldFault):
    """The account's cookie has expired, for good."""

    def strike(self, struck: Struck) -> None:
        """Expire it."""
        if struck.account is not None:
            struck.account.signed_out = True


@dataclass(frozen=True)
class BotDeleted(WorldFault):
    """The bot that the request is about has been deleted."""

    def strike(self, struck: Struck) -> None:
        """Delete it."""
        if struck.bot is not None:
            struck.bot.deleted = True


@dataclass(frozen=True)
class NoPoints(WorldFault):
    """The account has no points left."""

    def strike(self, struck: Struck) -> None:
        """Take them."""
        if struck.account is not None:
            struck.world.deplete(struck.account)


RequestFault = ResponseFault | WorldFault | DelayResponse
REQUEST_FAULTS: Sequence[type[RequestFault]] = (
    HttpError,
    ChallengePage,
    LoginRedirect,
    EmptyBody,
    WrongJson,
    GraphQLError,
    StaleHash,
    StaleFormKey,
    SignedOut,
    MutationStatus,
    BotDeleted,
    NoPoints,
    DropConnection,
    HangRequest,
    DelayResponse,
)
