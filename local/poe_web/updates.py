"""The realtime socket: `GET /up/<box>/updates`.

Source: docs/reference/poe-web.md#channel, docs/reference/poe-web.md#frames.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from local.poe_web.accounts import SimulatedAccount
from local.poe_web.channel import Disconnect, RawBytes, Socket
from local.poe_web.request_faults import DelayResponse, Dropped, ResponseFault, Unanswered
from local.poe_web.scenarios import Target
from local.poe_web.simulation import Simulation


async def serve_updates(simulation: Simulation, websocket: WebSocket) -> None:
    """One connection, from the handshake until either side ends it.

    The handshake carries no cookies: the query names the channel.
    """
    account = _listener(simulation, websocket)
    record = websocket.state.record
    record.account = account.p_b if account else None
    target = Target(websocket.url.path, account=record.account, auxiliary=True)
    await asyncio.sleep(simulation.settings.latency_seconds)
    for fault in simulation.scenarios.take(target):
        if isinstance(fault, ResponseFault):
            return await _deny(websocket, fault.response())
        if isinstance(fault, DelayResponse):
            await asyncio.sleep(fault.seconds)
    if account is None:
        record.note = "no such channel, box or hash"
        return await _deny(websocket, Response(status_code=403))
    channel = account.channel
    if channel.refusals:
        channel.refusals -= 1
        return await _deny(websocket, Response(status_code=503))
    await websocket.accept()
    socket = channel.attach(_min_seq(websocket))
    try:
        await _first_of(_send(websocket, socket), _receive(websocket, socket))
    finally:
        channel.detach(socket)


def _listener(simulation: Simulation, websocket: WebSocket) -> SimulatedAccount | None:
    wanted = (websocket.path_params["box"], websocket.query_params.get("channel"), websocket.query_params.get("hash"))
    for account in simulation.world.accounts.values():
        channel = account.channel
        if not account.signed_out and (channel.box, channel.name, channel.hash) == wanted:
            return account
    return None


def _min_seq(websocket: WebSocket) -> int | None:
    text = websocket.query_params.get("min_seq", "")
    return int(text) if text.isascii() and text.isdecimal() else None


async def _deny(websocket: WebSocket, response: Response) -> None:
    if isinstance(response, Dropped | Unanswered):
        return await response(websocket.scope, websocket.receive, websocket.send)
    await websocket.send_denial_response(response)


async def _send(websocket: WebSocket, socket: Socket) -> None:
    """Write what is queued until the socket is to be disconnected or the client is gone."""
    transport = websocket.state.transport
    while True:
        match await socket.outgoing.get():
            case str(text):
                await websocket.send_text(text)
            case RawBytes(data):
                transport.write(data)
            case bytes(data):
                await websocket.send_bytes(data)
            case Disconnect(abrupt=True):
                transport.abort()
                return
            case _:
                return await websocket.close(1001)


async def _receive(websocket: WebSocket, socket: Socket) -> None:
    """Answer application pings; everything else that a client says has no meaning."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        try:
            frame = json.loads(message.get("text") or "null")
        except ValueError:
            continue
        if isinstance(frame, dict) and frame.get("type") == "ping":
            socket.push('{"type":"pong"}')


async def _first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until one of them ends, then cancel the others. A client that is gone is no error."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, WebSocketDisconnect):
                raise outcome
