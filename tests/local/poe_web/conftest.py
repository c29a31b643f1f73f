"""A web client of nothing but httpx and websockets, to see what the simulator does on the wire."""

import asyncio
import hashlib
import json
import uuid
from contextlib import asynccontextmanager

import httpx
import pytest
import websockets

from local.poe_web import PoeWebSimulator
from local.poe_web.catalogue import OPERATIONS, SUBSCRIPTIONS, lower_first

OLDER, NEWER = 0, -1


class WireClient:
    """Speaks as docs/reference/poe-web.md says, holds no opinion about the answers, and remembers every frame."""

    def __init__(self, simulator, account, generation=OLDER):
        self.simulator, self.account, self.generation = simulator, account, generation
        self.http = httpx.AsyncClient(base_url=simulator.base_url, cookies={"p-b": account.p_b}, timeout=10)
        self.channel = {}
        self.frames = []
        self._news = asyncio.Event()
        self._reader = None
        self.socket = None

    def payload(self, name, variables):
        spelled = name if self.generation == OLDER else lower_first(name)
        body = {"queryName": spelled, "variables": variables, "extensions": {"hash": OPERATIONS[name][self.generation]}}
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False)

    def headers(self, payload=""):
        key = self.account.form_key
        tag = hashlib.md5((payload + key + "4LxgHM6KpFqokX0Ox").encode()).hexdigest()
        return {"Poe-Formkey": key, "Poe-Tchannel": self.channel.get("channel", ""), "poe-tag-id": tag}

    async def raw(self, name, variables=None):
        payload = self.payload(name, variables or {})
        headers = {"Content-Type": "application/json", **self.headers(payload)}
        return await self.http.post("/api/gql_POST", content=payload.encode(), headers=headers)

    async def query(self, name, variables=None):
        """The `data` of a query that has to succeed."""
        answer = (await self.raw(name, variables)).json()
        assert answer["data"] is not None, answer
        return answer["data"]

    async def fetch_settings(self):
        self.channel = (await self.http.get("/api/settings", headers=self.headers())).json()["tchannelData"]
        return self.channel

    async def subscribe(self, names=tuple(SUBSCRIPTIONS)):
        entries = [
            {"subscriptionName": name, "query": None, "queryHash": SUBSCRIPTIONS[name][self.generation]}
            for name in names
        ]
        return await self.query("SubscriptionsMutation", {"subscriptions": entries})

    def socket_url(self, min_seq=None):
        c = self.channel
        base = self.simulator.channel_url.format(base_host=c["baseHost"])
        seq = c["minSeq"] if min_seq is None else min_seq
        return f"{base}/up/{c['boxName']}/updates?min_seq={seq}&channel={c['channel']}&hash={c['channelHash']}"

    async def open_socket(self, min_seq=None):
        await self.close_socket()
        self.socket = await websockets.connect(self.socket_url(min_seq))
        self._reader = asyncio.create_task(self._read())

    async def connect(self):
        await self.fetch_settings()
        await self.subscribe()
        await self.open_socket()

    async def _read(self):
        try:
            async for frame in self.socket:
                self.frames.append(frame)
                self._news.set()
        except websockets.ConnectionClosed as end:
            self.frames.append(end)
            self._news.set()
        else:
            self.frames.append(None)
            self._news.set()

    async def until(self, condition, seconds=5):
        """Wait until `condition()` is true, looking after every frame."""
        async with asyncio.timeout(seconds):
            while not condition():
                await self._news.wait()
                self._news.clear()

    def events(self, name=None):
        """The (name, data) of every well-formed event so far, or only the data of those called `name`."""
        found = []
        for frame in self.frames:
            try:
                texts = json.loads(frame)["messages"]
            except (TypeError, ValueError, KeyError):
                continue
            for text in texts if isinstance(texts, list) else []:
                try:
                    payload = json.loads(text)["payload"]
                    found.append((payload["subscription_name"], payload["data"][payload["subscription_name"]]))
                except (TypeError, ValueError, KeyError):
                    continue
        return found if name is None else [data for found_name, data in found if found_name == name]

    def bot_messages(self):
        """What bots said, event by event."""
        return [data for data in self.events("messageAdded") if data["author"] not in ("human", "chat_break")]

    def is_over(self):
        return any(data["state"] != "incomplete" for data in self.bot_messages())

    def send_variables(self, bot, text, chat_id=None, **more):
        base = {
            "chatId": chat_id,
            "bot": bot,
            "query": text,
            "shouldFetchChat": chat_id is None,
            "source": {"sourceType": "chat_input", "chatInputMetadata": {"useVoiceRecord": False}},
            "clientNonce": uuid.uuid4().hex[:16],
            "sdid": "",
            "attachments": [],
            "existingMessageAttachmentsIds": [],
        }
        return base | more

    async def send(self, bot, text, chat_id=None, **more):
        data = await self.query("SendMessageMutation", self.send_variables(bot, text, chat_id, **more))
        return data["messageEdgeCreate"]

    async def ask(self, bot, text, chat_id=None, **more):
        """Send, and wait for the end of the answer."""
        edge = await self.send(bot, text, chat_id, **more)
        await self.until(self.is_over)
        return edge

    async def close_socket(self):
        if self._reader:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            await self.socket.close()
            self._reader = None

    async def aclose(self):
        await self.close_socket()
        await self.http.aclose()


@pytest.fixture
async def simulator():
    async with PoeWebSimulator(pace_seconds=0.002, answer_delay_seconds=0.01) as running:
        yield running


@pytest.fixture
def wire_client():
    """`async with wire_client(simulator, account) as client`: not connected yet."""

    @asynccontextmanager
    async def make(simulator, account):
        client = WireClient(simulator, account)
        try:
            yield client
        finally:
            await client.aclose()

    return make


@pytest.fixture
def make_client(simulator):
    """`async with make_client() as client` is connected; `connected=False` leaves it at that."""

    @asynccontextmanager
    async def make(p_b="cookie-1", generation=OLDER, connected=True, **fields):
        known = any(a.p_b == p_b for a in simulator.accounts)
        account = simulator.account(p_b) if known else simulator.add_account(p_b, **fields)
        client = WireClient(simulator, account, generation)
        try:
            if connected:
                await client.connect()
            yield client
        finally:
            await client.aclose()

    return make
