"""POST /bot/<name>: the bot protocol. Knows every bot, also those without endpoint.

Source: docs/reference/poe-official.md#bot-protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from local.poe_official.application import Call, Simulation
from local.poe_official.bots import Question, Turn, pieces
from local.poe_official.dialect import Completion, Json, Refused, Store, bad_request
from local.poe_official.frames import Frame, Part, data_frame
from local.poe_official.model import Model

REPORTS = ("report_error", "report_feedback", "report_reaction")
_ROLES = ("system", "user", "bot", "tool")
_ERROR_TYPES = {"insufficient_points": "insufficient_fund", "context_length_exceeded": "user_message_too_long"}


class BotProtocol:
    """The dialect for one bot."""

    endpoint = "/bot"

    def __init__(self, name: str) -> None:
        self._name = name

    def model_name(self, _body: Json) -> str:
        """The bot of the path."""
        return self._name

    def streams(self, _body: Json) -> bool:
        """Always."""
        return True

    def question(self, body: Json, model: Model, store: Store) -> Question:
        """The query, checked."""
        if body.get("type") != "query" or not str(body.get("version", "")).startswith("1."):
            raise bad_request("Unsupported request type or version", "type")
        query = body.get("query")
        if not isinstance(query, list) or not query:
            raise bad_request("query must not be empty", "query")
        turns = tuple(_turn(message) for message in query)
        turns += tuple(Turn("tool", str(result.get("content", ""))) for result in body.get("tool_results") or [])
        parameters: Json = {}
        for message in query:
            parameters |= message.get("parameters") or {}
        tools = [tool.get("function", {}) for tool in body.get("tools") or []]
        return Question(
            turns=turns,
            tools=tools if model.tools else [],
            parameters=parameters,
            stops=tuple(body.get("stop_sequences") or ()),
            store=store,
        )

    def frames(self, completion: Completion, body: Json) -> list[Frame]:
        """meta, a ping, the draft, its replacement, text or chunks with calls, files, suggestions, done."""
        answer = completion.answer
        meta = {"content_type": "text/markdown", "linkify": True, "suggested_replies": False, "refetch_settings": False}
        frames = [data_frame(Part.OPENING, meta, "meta"), data_frame(Part.OPENING, {}, "ping")]
        if answer.draft:
            frames.append(_event("text", {"text": answer.draft}))
            frames.append(_event("replace_response", {"text": ""}))
        words = pieces(answer.reasoning) + pieces(answer.text)
        if body.get("tools") and not body.get("tool_results"):
            # A model that is offered tools answers in chunks, also where it calls none; some have no choices. Once it
            # has its results it speaks plainly: the published client looks for nothing else then.
            frames.append(_event("json", {"choices": []}))
            frames += [_event("json", _chunk({"content": word})) for word in words]
            frames += [_event("json", _chunk({"tool_calls": [call]})) for call in _call_pieces(completion)]
            frames.append(_event("json", _chunk({}, "tool_calls" if answer.calls else "stop")))
        else:
            frames += [_event("text", {"text": word}) for word in words]
        for file in answer.files:
            frames.append(_event("file", {"url": file.url, "content_type": file.content_type, "name": file.name}))
        frames += [_event("suggested_reply", {"text": text}) for text in answer.suggestions]
        return [*frames, data_frame(Part.FINISH, {}, "done")]

    def whole(self, _completion: Completion, /) -> Json:
        """Never asked for."""
        raise Refused(500, "provider_error", 500, "the protocol always streams")

    def error(self, kind: str, code: int | str | None, message: str) -> Frame:
        """An `error` event."""
        known = _ERROR_TYPES.get(str(code))
        values: Json = {"allow_retry": known is None, "text": message, "raw_response": kind}
        return data_frame(Part.CONTENT, values | ({"error_type": known} if known else {}), "error")


def sync_settings(simulation: Simulation, call: Call, path: str) -> Response:
    """`fetch_settings/<bot>/<key>/<version>` and `update_settings/…`: the key stands in the path."""
    action, name, key, _ = [*path.split("/", 3), "", "", ""][:4]
    model = simulation.world.model(name)
    if model is None or key not in simulation.world.accounts:
        return Response("Unknown bot or key", 403)
    if action == "update_settings":
        simulation.world.bot_settings[model.id] = call.body
    return Response("Settings synced")


def settings(model: Model, changed: Mapping[str, Json]) -> Json:
    """The answer to a `settings` request: defaults, and what was changed by model id."""
    defaults = {
        "response_version": 2,
        "server_bot_dependencies": {},
        "allow_attachments": True,
        "introduction_message": f"This is {model.name}.",
        "expand_text_attachments": True,
        "enable_image_comprehension": "image" in model.inputs,
    }
    return defaults | changed.get(model.id, {})


def _turn(message: Any) -> Turn:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise bad_request("Invalid 'role': Input should be 'system', 'user' or 'bot'", "query")
    files = tuple(str(file.get("name")) for file in message.get("attachments") or [])
    return Turn(
        "assistant" if message["role"] == "bot" else str(message["role"]), str(message.get("content", "")), files
    )


def _event(name: str, values: Json) -> Frame:
    return data_frame(Part.CONTENT, values, name)


def _chunk(delta: Json, finish: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _call_pieces(completion: Completion) -> list[Json]:
    found: list[Json] = []
    for index, (name, arguments) in enumerate(completion.answer.calls):
        call_id = f"call_{completion.id[:8]}_{index}"
        found.append({"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}})
        half = len(arguments) // 2
        found += [{"index": index, "function": {"arguments": text}} for text in (arguments[:half], arguments[half:])]
    return found
