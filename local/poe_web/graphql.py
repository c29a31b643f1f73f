"""GraphQL calls: reading them in each form, checking who sent them, and running the operation.

Source: docs/reference/poe-web.md#graphql-calls.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.poe_web.accounts import SimulatedAccount
from local.poe_web.catalogue import OPERATIONS, lower_first, operation_for
from local.poe_web.journal import RequestRecord
from local.poe_web.operations import TABLE, Query, QueryFailed
from local.poe_web.request_faults import graphql_error, rejection
from local.poe_web.scenarios import Fault, Target
from local.poe_web.signing import is_signed
from local.poe_web.simulation import Simulation
from local.poe_web.uploads import BadUpload, ReceivedFile, keep, query_in, read_parts

STARTS_ANSWER = frozenset({"SendMessageMutation", "RegenerateMessageMutation"})
_BY_SPELLING = {lower_first(name): name for name in OPERATIONS}


@dataclass(slots=True)
class Call:
    """One call as it was sent. `payload` is the text that the signature covers."""

    payload: str
    query_name: str
    query_hash: str
    variables: dict[str, Any]
    files: dict[str, ReceivedFile] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        """The catalogue's spelling of the name, whether or not the hash is right."""
        return _BY_SPELLING.get(lower_first(self.query_name), self.query_name)


class BadCall(ValueError):
    """A body that is no call."""


async def read_call(request: Request) -> Call:
    """The call in a request's body, JSON or multipart. Raises `BadCall`."""
    files: dict[str, ReceivedFile] = {}
    try:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            payload, files = query_in(await read_parts(request))
        else:
            payload = (await request.body()).decode()
        value = json.loads(payload)
    except (BadUpload, ValueError) as error:
        raise BadCall(str(error)) from None
    if not isinstance(value, dict):
        raise BadCall("the payload is no object")
    name, variables, extensions = (value.get(key) for key in ("queryName", "variables", "extensions"))
    if not isinstance(name, str) or not isinstance(variables, dict) or not isinstance(extensions, dict):
        raise BadCall("queryName, variables and extensions are needed")
    return Call(payload, name, str(extensions.get("hash")), variables, files)


def target_of(simulation: Simulation, account: SimulatedAccount | None, path: str, call: Call) -> Target:
    """What scenarios can match the call by."""
    p_b = account.p_b if account else None
    name = next((v for k in ("bot", "botHandle", "botName") if isinstance(v := call.variables.get(k), str)), None)
    message_id = call.variables.get("messageId")
    if name is None and account and isinstance(message_id, int) and (found := account.find_message(message_id)):
        name = found[1].author
    bot = simulation.world.bots.named(name, p_b) if name else None
    return Target(path, call.operation, p_b, bot.handle if bot else None, call.operation in STARTS_ANSWER)


async def answer_call(
    simulation: Simulation,
    request: Request,
    account: SimulatedAccount | None,
    call: Call,
    faults: Iterable[Fault],
) -> Response:
    """Check the call and run its operation; if a bot is to answer, start that."""
    record: RequestRecord = request.state.record
    if account is None:
        record.note = "no cookie of a known account"
        return rejection("Unauthorized", 401)
    if refusal := _refusal(request, account, call, record):
        return refusal
    name = operation_for(call.query_name, call.query_hash)
    if name is None:
        record.note = "the name or the hash is not known"
        return graphql_error("PersistedQueryNotFound")
    channel = request.headers.get("poe-tchannel")
    query = Query(simulation.world, simulation.out, account, name, call.variables, channel)
    query.history_delay_seconds = simulation.settings.history_delay_seconds
    query.files = {label: keep(simulation.world, file) for label, file in call.files.items()}
    try:
        data = TABLE[name](query)
    except QueryFailed as failure:
        record.note = failure.note
        return graphql_error(failure.message)
    if query.job is not None:
        answered: asyncio.Event = request.state.answered
        await simulation.answer(query.job, faults, answered).early_done.wait()
    return JSONResponse({"data": data, "extensions": {"is_final": True}})


def _refusal(request: Request, account: SimulatedAccount, call: Call, record: RequestRecord) -> Response | None:
    """The answer to a caller whose form key or signature is wrong."""
    if request.headers.get("poe-formkey") != account.form_key:
        record.note = "the form key is not the account's"
        return rejection("Invalid form key")
    if not is_signed(call.payload, account.form_key, request.headers.get("poe-tag-id")):
        record.note = "poe-tag-id does not fit the payload"
        return rejection("Invalid poe-tag-id")
    return None
