"""/v1/responses, with its gaps: `instructions` is ignored, `previous_response_id` fails.

Source: docs/reference/poe-official.md#responses-endpoint.
"""

from __future__ import annotations

import base64
from typing import Any

from local.poe_official.bots import Question, Turn, pieces
from local.poe_official.checks import check_item_pairs, check_options, check_size, check_value
from local.poe_official.dialect import (
    Completion,
    Json,
    NamedInBody,
    Refused,
    Store,
    bad_request,
    error_object,
    read_limit,
    without_tools,
)
from local.poe_official.frames import Frame, Part, data_frame
from local.poe_official.limits import Ending
from local.poe_official.model import RESPONSES, Model

_KNOWN = "model input stream instructions tools tool_choice parallel_tool_calls text reasoning max_output_tokens"
_KNOWN += " temperature top_p store metadata previous_response_id include truncation user"
_FIELDS = frozenset(_KNOWN.split())
_NULLS = (
    *("error", "incomplete_details", "instructions", "max_output_tokens", "max_tool_calls", "previous_response_id"),
    *("safety_identifier", "prompt_cache_key"),
)


class Responses(NamedInBody):
    """The dialect."""

    endpoint = RESPONSES

    def question(self, body: Json, model: Model, store: Store) -> Question:
        """The input, checked."""
        parameters = check_options(body, _FIELDS, model)
        if body.get("previous_response_id"):
            raise Refused(500, "provider_error", 500, "previous_response_id can not be used")
        if body.get("tools") and not model.tools:
            raise without_tools(model)
        given = body.get("input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        if not isinstance(items, list) or not items:
            raise bad_request("input must not be empty")
        turns = tuple(_turn(item) for item in items)
        check_item_pairs(items)
        effort = (body.get("reasoning") or {}).get("effort")
        if effort is not None:
            declared = model.parameters.get("reasoning_effort") or ({"enum": model.efforts} if model.efforts else None)
            check_value("reasoning.effort", effort, declared or {"enum": ["low", "medium", "high"]}, model)
        question = Question(
            turns=turns,
            tools=body.get("tools") or [],
            tool_choice=body.get("tool_choice"),
            schema=((body.get("text") or {}).get("format") or {}).get("schema"),
            parameters=parameters | ({"reasoning_effort": effort} if effort else {}),
            max_tokens=read_limit(body, "max_output_tokens"),
            store=store,
        )
        check_size(question.words, question.max_tokens, model)
        return question

    def frames(self, completion: Completion, _body: Json, /) -> list[Frame]:
        """created, in_progress, the items with their deltas, completed, and the end mark that Poe adds."""
        events: list[tuple[Part, Json]] = []
        unfinished = self._response(completion, "in_progress", [])
        events.append((Part.OPENING, {"type": "response.created", "response": unfinished}))
        events.append((Part.OPENING, {"type": "response.in_progress", "response": unfinished}))
        items = _items(completion)
        for index, item in enumerate(items):
            events += [(Part.CONTENT, event) for event in _item_events(item, index)]
        done = self.whole(completion)
        events.append((Part.FINISH, {"type": f"response.{done['status']}", "response": done}))
        frames = [
            data_frame(part, event | {"sequence_number": number}, event["type"])
            for number, (part, event) in enumerate(events)
        ]
        return [*frames, data_frame(Part.DONE, "[DONE]")]

    def whole(self, completion: Completion) -> Json:
        """A `response`."""
        usage = {
            "input_tokens": completion.prompt_tokens,
            "input_tokens_details": {"cached_tokens": completion.cached_tokens},
            "output_tokens": completion.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": completion.reasoning_tokens},
            "total_tokens": completion.prompt_tokens + completion.completion_tokens,
        }
        if completion.ending is not Ending.CUT:
            return self._response(completion, "completed", _items(completion)) | {"usage": usage}
        cut = {"incomplete_details": {"reason": "max_output_tokens"}, "usage": usage}
        return self._response(completion, "incomplete", _items(completion)) | cut

    def error(self, kind: str, code: int | str | None, message: str) -> Frame:
        """An `error` event."""
        return data_frame(Part.CONTENT, {"type": "error", "error": error_object(message, kind, code)}, "error")

    @staticmethod
    def _response(completion: Completion, status: str, output: list[Json]) -> Json:
        # The id decodes to what stands behind the endpoint (recorded).
        inner = f"litellm:custom_llm_provider:openai;model_id:None;response_id:resp_{completion.id}"
        model = completion.model
        effort = completion.question.parameters.get("reasoning_effort")
        return {
            "id": "resp_" + base64.b64encode(inner.encode()).decode(),
            "created_at": completion.created,
            "metadata": {},
            "model": model.provider_name or model.id,
            "object": "response",
            "output": output,
            "parallel_tool_calls": True,
            "temperature": 1,
            "tool_choice": completion.question.tool_choice or "auto",
            "tools": list(completion.question.tools),
            "top_p": 1,
            "reasoning": {"effort": effort, "summary": "detailed" if effort else None},
            "status": status,
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "truncation": "disabled",
            "usage": None,
            "store": False,
            "background": False,
            "billing": {"payer": "developer"},
            "completed_at": completion.created if output else None,
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "service_tier": "default",
            "top_logprobs": 0,
            **dict.fromkeys(_NULLS),
        }


def _turn(item: Any) -> Turn:
    if not isinstance(item, dict):
        raise bad_request("Invalid input item")
    match item.get("type"):
        case "function_call":
            return Turn("assistant", "")
        case "function_call_output":
            return Turn("tool", str(item.get("output", "")))
    if item.get("role") not in ("system", "developer", "user", "assistant"):
        raise bad_request("Invalid role")
    content = item.get("content")
    if isinstance(content, str):
        return Turn(item["role"], content)
    parts = content or []
    text = "".join(part.get("text", "") for part in parts if part.get("type") in ("input_text", "output_text"))
    files = [part.get("filename", "image") for part in parts if part.get("type") in ("input_file", "input_image")]
    return Turn(item["role"], text, tuple(files))


def _items(completion: Completion) -> list[Json]:
    answer, items = completion.answer, list[Json]()
    if answer.reasoning:
        summary = [{"type": "summary_text", "text": answer.reasoning}]
        items.append({"id": f"rs_{completion.id}", "type": "reasoning", "summary": summary})
    if answer.text:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        items.append(
            {
                "id": f"msg_{completion.id}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        )
    for n, (name, arguments) in enumerate(answer.calls):
        call = {"call_id": f"call_{completion.id[:8]}_{n}", "name": name, "arguments": arguments}
        items.append({"id": f"fc_{completion.id}_{n}", "type": "function_call", "status": "completed", **call})
    return items


def _item_events(item: Json, index: int) -> list[Json]:
    where: Json = {"item_id": item["id"], "output_index": index}
    opened = {"type": "response.output_item.added", "output_index": index}
    closed = {"type": "response.output_item.done", "output_index": index, "item": item}
    match item["type"]:
        case "reasoning":
            part, start = item["summary"][0], item | {"summary": []}
            where |= {"summary_index": 0}
            kind = "response.reasoning_summary_text"
            deltas = [{"type": "response.reasoning_summary_part.added", **where, "part": part | {"text": ""}}]
            deltas += [{"type": f"{kind}.delta", **where, "delta": piece} for piece in pieces(part["text"])]
            deltas.append({"type": f"{kind}.done", **where, "text": part["text"]})
            deltas.append({"type": "response.reasoning_summary_part.done", **where, "part": part})
        case "message":
            part, start = item["content"][0], item | {"content": [], "status": "in_progress"}
            where |= {"content_index": 0}
            deltas = [{"type": "response.content_part.added", **where, "part": part | {"text": ""}}]
            deltas += [
                {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
                for piece in pieces(part["text"])
            ]
            deltas.append({"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []})
            deltas.append({"type": "response.content_part.done", **where, "part": part})
        case _:
            text, start = item["arguments"], item | {"arguments": "", "status": "in_progress"}
            kind = "response.function_call_arguments"
            halves = text[: len(text) // 2], text[len(text) // 2 :]
            deltas = [{"type": f"{kind}.delta", **where, "delta": half} for half in halves]
            deltas.append({"type": f"{kind}.done", **where, "arguments": text})
    return [opened | {"item": start}, *deltas, closed]
