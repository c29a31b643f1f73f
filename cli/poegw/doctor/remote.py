"""What can be checked of any gateway over HTTP, deployed or local."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from poegw import __version__
from poegw.api import Gateway, is_plain_and_remote
from poegw.doctor import Check, Finding, State

_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
# The gateway sends the events of its stream check 150 ms apart.
_APART_SECONDS = 0.1
_MOST_SKEW_SECONDS = 60.0
_ORIGIN = "https://doctor.invalid"


class RemoteChecks:
    """The checks. `admin` has the key of the administration, `anonymous` none, `connect` makes one with another key."""

    def __init__(
        self,
        admin: Gateway,
        anonymous: Gateway,
        connect: Callable[[str], Gateway],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._admin = admin
        self._anonymous = anonymous
        self._connect = connect
        self._clock = clock
        self._now = now

    def all(self) -> list[tuple[str, Check]]:
        """By name, in the order in which one thing needs the other."""
        return [
            ("address", self.address),
            ("version", self.version),
            ("clock", self.clock),
            ("keys", self.keys),
            ("cors", self.cors),
            ("streaming", self.streaming),
            ("ready", self.ready),
            ("gateway", self.server),
        ]

    def address(self) -> Iterator[Finding]:
        """It answers, over TLS."""
        reply = self._anonymous.request("GET", "/healthz", raises=False)
        if reply.status != _OK:
            yield Finding(
                "address",
                State.FAIL,
                f"{self._anonymous.url}/healthz answers {reply.status}.",
                "Check the address: `poegw profiles`. For a deployment, look at the function's log: `sam logs`.",
            )
            return
        if is_plain_and_remote(self._anonymous.url):
            yield Finding("address", State.WARN, "Keys travel unencrypted.", "Use the https address.")
        else:
            yield Finding("address", State.OK, f"{self._anonymous.url} answers.")

    def version(self) -> Iterator[Finding]:
        """Both sides are of the same version."""
        theirs = str(self._anonymous.get("/version").get("version"))
        if theirs == __version__:
            yield Finding("version", State.OK, f"Both are {theirs}.")
        else:
            yield Finding(
                "version",
                State.WARN,
                f"The gateway is {theirs}, poegw is {__version__}.",
                "Bring the older one up to date: `poegw upgrade`, or `uv tool upgrade poe-gateway`.",
            )

    def clock(self) -> Iterator[Finding]:
        """The clocks agree, on which signatures, leases and budgets depend."""
        reply = self._anonymous.request("GET", "/healthz", raises=False)
        if (told := reply.headers.get("date")) is None:
            yield Finding("clock", State.SKIPPED, "The answer has no Date header.")
            return
        skew = abs((parsedate_to_datetime(told) - self._now()).total_seconds())
        if skew <= _MOST_SKEW_SECONDS:
            yield Finding("clock", State.OK, "The clocks agree.")
        else:
            yield Finding(
                "clock",
                State.WARN,
                f"The gateway's clock and this machine's are {skew:.0f} seconds apart.",
                "Set this machine's clock: `timedatectl set-ntp true`.",
            )

    def keys(self) -> Iterator[Finding]:
        """The administration takes its key and no other; models take no administrator's."""
        self._admin.get("/admin/whoami")
        yield Finding("admin key", State.OK, "The administration takes this key.")
        # In the form of a real key, so that it is looked up and not refused by its looks.
        stranger = self._connect("sk-poe-" + secrets.token_urlsafe(24))
        for path in ("/admin/whoami", "/v1/models"):
            status = stranger.request("GET", path, raises=False).status
            if status == _UNAUTHORIZED:
                yield Finding(f"wrong key {path}", State.OK, "A wrong key is refused.")
            else:
                yield Finding(
                    f"wrong key {path}",
                    State.FAIL,
                    f"A wrong key is answered with {status}.",
                    "Take the gateway off the net with `poegw pause`, and check what stands before it.",
                )
        # A page that spends nothing, should the key be taken after all.
        status = self._admin.request("GET", "/v1/usage", raises=False).status
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            yield Finding("separate keys", State.OK, "An administrator's key opens no model.")
        else:
            yield Finding(
                "separate keys",
                State.FAIL,
                f"The administrator's key is answered with {status} below /v1.",
                "Create keys of role client for programs: `poegw keys create`.",
            )

    def cors(self) -> Iterator[Finding]:
        """Browsers get the header once: twice is refused by all of them."""
        reply = self._anonymous.request("GET", "/healthz", raises=False, headers={"origin": _ORIGIN})
        told = reply.headers.get("access-control-allow-origin")
        if told is None:
            yield Finding("cors", State.OK, "Pages of other origins can't call it.")
        elif "," in told:
            yield Finding(
                "cors",
                State.FAIL,
                "Access-Control-Allow-Origin is there twice.",
                "Behind a Function URL leave GATEWAY_CORS_ORIGINS empty: Lambda adds the header.",
            )
        else:
            yield Finding("cors", State.OK, f"Pages of {told} can call it.")

    def streaming(self) -> Iterator[Finding]:
        """Events that are sent apart arrive apart. A buffered deployment hands them over at the end."""
        times: list[float] = []
        with self._admin.stream("/admin/stream-check", None, method="GET") as (_, events):
            for data in events:
                if "n" in json.loads(data):
                    times.append(self._clock())
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        # The smallest: a buffer hands over several at once, however long the first took.
        if gaps and min(gaps) >= _APART_SECONDS:
            yield Finding("streaming", State.OK, f"Events arrive as they are sent, {min(gaps) * 1000:.0f} ms apart.")
        else:
            yield Finding(
                "streaming",
                State.FAIL,
                "Events that are sent apart arrive together: something buffers.",
                "`poegw doctor --aws` checks the deployment; otherwise look at what stands between.",
            )

    def ready(self) -> Iterator[Finding]:
        """It could serve a request now: an account is free to, and a connection to Poe comes about."""
        reply = self._admin.request("GET", "/readyz", raises=False)
        if reply.status == _OK:
            yield Finding("ready", State.OK, "A request would be served.")
            return
        message = _message(reply.body) or f"/readyz answers {reply.status}."
        remedy = "`poegw accounts list` says what each account waits for; docs/runbook.md what to do."
        yield Finding("ready", State.FAIL, message, remedy)

    def server(self) -> Iterator[Finding]:
        """What the gateway finds out about itself."""
        for check in self._admin.get("/admin/health")["checks"]:
            yield Finding(check["name"], State(check["state"]), check["detail"], check.get("remedy") or "")


def _message(body: bytes) -> str | None:
    """The sentence of an error envelope; `None` for anything else."""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, LookupError, TypeError):
        return None
    return message if isinstance(message, str) else None
