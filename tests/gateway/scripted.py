"""A gateway over an in-memory store and a scripted Poe, and ways to call it: fakes of the outside world only."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accounts import (
    AccountKind,
    InMemoryAccountStore,
    Intention,
    Lease,
    LeaseRequest,
    Outcome,
    RequestRecord,
    SendRecord,
)
from gateway.app import Gateway, create_app
from gateway.bootstrap import build_services
from gateway.http.request_log import Journal
from gateway.prompt.attachments import Fetch
from gateway.settings import Settings
from gateway.surfaces.context import Services
from reverse.chat import NOTHING_LEFT, Aftermath, ChatRequest, PointsReading
from reverse.errors import PoeError
from reverse.events import Event, Finished, TextDelta

# Loggers live as long as the process: each house has its own.
_NUMBERS = itertools.count()
ADMIN_KEY = "admin-key-for-tests-0123456789"
API_KEY = "sk-test-q7Zk3vP8RmT5xWn2LyB9dHc4JgF6sAe1"


class Hang:
    """In a script: say nothing more until stopped."""


@dataclass
class Pause:
    """In a script: wait until the test sets it."""

    event: asyncio.Event = field(default_factory=asyncio.Event)


Step = Event | PoeError | Exception | Hang | Pause
Reply = Callable[[ChatRequest], Sequence[Step]]
"""In a script: steps that depend on what was asked."""
Script = list[Step | Reply]


class ScriptedPoe:
    """The outside world: what Poe says, in the order of `enqueue`; without a script it greets."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.by_account: dict[str, list[Script]] = {}
        self.requests: list[ChatRequest] = []
        self.clients: list[FakePoeClient] = []
        self.stopped = 0
        self.active = 0
        self.most_active = 0
        self.readings: list[PointsReading | PoeError] = []
        self.stopped_event = threading.Event()
        self.aftermaths: list[Aftermath] = []

    def enqueue(self, *steps: Step | Reply, secret: str | None = None) -> None:
        """What the next answer is; of the account with this secret, if one is named."""
        (self.scripts if secret is None else self.by_account.setdefault(secret, [])).append(list(steps))

    def make_client(
        self, kind: AccountKind, credentials: Mapping[str, str], session_data: Mapping[str, Any] | None
    ) -> FakePoeClient:
        client = FakePoeClient(self, kind, dict(credentials), dict(session_data or {}))
        self.clients.append(client)
        return client

    def next_script(self, secret: str) -> Script:
        if self.by_account.get(secret):
            return self.by_account[secret].pop(0)
        return self.scripts.pop(0) if self.scripts else [TextDelta("Hello"), TextDelta(" there"), Finished()]


def _resolved(step: Step | Reply, request: ChatRequest) -> Sequence[Step]:
    return step(request) if callable(step) else [step]


class FakePoeClient:
    """Keeps the contract of `PoeClient`, without a network."""

    def __init__(
        self, poe: ScriptedPoe, kind: AccountKind, credentials: dict[str, str], session_data: dict[str, Any]
    ) -> None:
        self.kind = kind
        self.credentials = credentials
        self.derived = session_data
        self.is_closed = False
        self.videos = None
        self._poe = poe

    async def __aenter__(self) -> FakePoeClient:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        self.is_closed = True

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        poe = self._poe
        assert not self.is_closed
        poe.requests.append(request)
        poe.active += 1
        poe.most_active = max(poe.active, poe.most_active)
        is_done = False
        try:
            script = poe.next_script(next(iter(self.credentials.values())))
            for step in [step for part in script for step in _resolved(part, request)]:
                if isinstance(step, Exception):
                    is_done = True
                    raise step
                if isinstance(step, Hang):
                    await asyncio.Event().wait()
                elif isinstance(step, Pause):
                    await step.event.wait()
                else:
                    is_done = isinstance(step, Finished)
                    yield step
            is_done = True
        finally:
            poe.active -= 1
            if not is_done:
                # The bounded call that stops the answer upstream.
                await asyncio.sleep(0)
                poe.stopped += 1
                poe.stopped_event.set()

    async def points(self) -> PointsReading:
        reading = self._poe.readings.pop(0) if self._poe.readings else PointsReading(1234)
        if isinstance(reading, PoeError):
            raise reading
        return reading

    def aftermath(self) -> Aftermath:
        return self._poe.aftermaths.pop(0) if self._poe.aftermaths else NOTHING_LEFT

    def session_data(self) -> dict[str, Any]:
        return self.derived


@dataclass
class Answer:
    """A response as a caller sees it."""

    status: int
    headers: dict[str, str]
    parts: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        return error

    @property
    def events(self) -> list[str]:
        """The data of each server-sent event, comments left out."""
        blocks = self.body.decode().split("\n\n")
        return [block.removeprefix("data: ") for block in blocks if block.startswith("data: ")]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [json.loads(event) for event in self.events if event != "[DONE]"]

    @property
    def text(self) -> str:
        deltas = [choice["delta"] for chunk in self.chunks for choice in chunk.get("choices", ())]
        return "".join(delta.get("content") or "" for delta in deltas)


class RecordingStore(InMemoryAccountStore):
    """The store in memory, remembering what was leased and what was booked."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Lease] = []
        self.leases: list[Lease] = []
        self.intentions: list[Intention] = []
        self.released: list[tuple[Outcome, SendRecord | None]] = []
        self.kept_session_data: list[Mapping[str, Any] | None] = []
        self.extended = 0
        self.most_held = 0

    async def lease(self, request: LeaseRequest) -> Lease:
        lease = await super().lease(request)
        if request.intention is not None:
            self.intentions.append(request.intention)
        self.held.append(lease)
        self.leases.append(lease)
        self.most_held = max(self.most_held, len(self.held))
        return lease

    async def extend(self, lease: Lease, ttl_seconds: float) -> Lease:
        self.extended += 1
        return await super().extend(lease, ttl_seconds)

    async def release(
        self,
        lease: Lease,
        outcome: Outcome,
        *,
        usage: SendRecord | None = None,
        request: RequestRecord | None = None,
        session_data: Mapping[str, Any] | None = None,
    ) -> None:
        await super().release(lease, outcome, usage=usage, request=request, session_data=session_data)
        self.held = [held for held in self.held if (held.account.id, held.slot) != (lease.account.id, lease.slot)]
        self.released.append((outcome, usage))
        self.kept_session_data.append(session_data)


class House:
    """One gateway with what is around it."""

    def __init__(self, settings: Settings, *, fetch: Fetch | None = None) -> None:
        self.poe = ScriptedPoe()
        self.store = RecordingStore()
        self.log = io.StringIO()
        self.settings = settings
        self.services: Services = build_services(
            settings,
            store=self.store,
            make_client=self.poe.make_client,
            fetch=fetch,
            journal=Journal(level="debug", stream=self.log, service=f"gateway-{next(_NUMBERS)}"),
        )
        self.app: Gateway = create_app(lambda: self.services)

    async def add_key(self, **limits: Any) -> None:
        await self.store.create_key(name="tests", secret=API_KEY, **limits)

    async def add_account(
        self, secret: str = "poe-key-1", kind: AccountKind = AccountKind.OFFICIAL, **more: Any
    ) -> str:
        name = "api_key" if kind is AccountKind.OFFICIAL else "p_b"
        account = await self.store.put_account(kind=kind, label=f"of {secret}", credentials={name: secret}, **more)
        return account.id

    async def until_asked(self, times: int = 1) -> None:
        """Wait until Poe was asked so often, and the answers so far were taken."""
        async with asyncio.timeout(30):
            while len(self.poe.requests) < times:  # noqa: ASYNC110 - the fake has no event for every count
                await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if event in (None, line["message"])]

    async def call(
        self,
        path: str = "/v1/chat/completions",
        body: Any = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = API_KEY,
        raw: bytes | None = None,
        scope: Mapping[str, Any] | None = None,
        on_part: Callable[[Answer, bytes], Any] | None = None,
        disconnect: asyncio.Event | None = None,
        send_error_after: int | None = None,
    ) -> Answer:
        """Call the app in process. `on_part` sees each body part; `disconnect` closes the connection when set."""
        payload = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", "content-length": str(len(payload))}
        sent |= {"authorization": f"Bearer {key}"} if key else {}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        raw_path, _, query = path.partition("?")
        full: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method or ("GET" if body is None and raw is None else "POST"),
            "scheme": "http",
            "path": raw_path,
            "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            **(scope or {}),
        }
        answer = Answer(0, {}, [])
        gone = disconnect or asyncio.Event()
        is_read = False

        async def receive() -> dict[str, Any]:
            nonlocal is_read
            if not is_read:
                is_read = True
                return {"type": "http.request", "body": payload, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                assert not answer.status, "a response starts once"
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
                return
            if send_error_after is not None and len(answer.parts) >= send_error_after:
                raise BrokenPipeError
            part = message.get("body", b"")
            if part:
                answer.parts.append(part)
                if on_part is not None:
                    on_part(answer, part)
                await asyncio.sleep(0)

        await self.app(full, receive, send)
        return answer

    async def admin(self, path: str, body: Any = None, *, method: str | None = None, key: str = ADMIN_KEY) -> Answer:
        return await self.call(f"/admin{path}", body, method=method, key=key)


def ask(content: Any = "Hi", **more: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    return {"model": "GPT-5", "messages": [{"role": "user", "content": content}], **more}
