"""What a soak asks: requests on all surfaces, and what goes wrong at Poe, drawn from one seed.

Each prompt holds the id of its request, so that the stand-ins' charges tell what they were for.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ID = re.compile(r"soak-\d{6}")
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"word": {"type": "string"}},
            "required": ["word"],
            "additionalProperties": False,
        },
    },
}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
# On both kinds of account, on official ones, on web accounts.
TEXT_MODELS = ("Echo", "Story", "Assistant", "GPT-5.2", "Claude-Sonnet-4.5", "Reasoner", "Picky", "Helper", "Thinker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. `most_sends` is how often it may be paid for: its answers, and a correction of each."""

    id: str
    surface: str
    path: str
    body: dict[str, Any] = field(repr=False)
    most_sends: int = 1
    leaves_after: float | None = None
    """Seconds after which the caller goes away."""

    @property
    def is_streamed(self) -> bool:
        return bool(self.body.get("stream"))


Fault = dict[str, Any]
"""As the stand-ins' control takes it."""
Draw = Callable[[random.Random, str], Asked]


def _prompt(rng: random.Random, id_: str) -> str:
    return f"{id_} {rng.choice(['count 3', 'count 12', 'hello there', 'say it again'])}"


def _chat(rng: random.Random, id_: str) -> Asked:
    body: dict[str, Any] = {"model": rng.choice(TEXT_MODELS), "messages": _messages(_prompt(rng, id_))}
    if rng.random() < 0.6:
        body["stream"] = True
    answers = rng.choice([1, 1, 1, 1, 2, 3])
    if answers > 1:
        body["n"] = answers
    return Asked(id=id_, surface="chat", path="/v1/chat/completions", body=body, most_sends=answers)


def _corrected(rng: random.Random, id_: str) -> Asked:
    """An answer that has to be corrected, and is as wrong the second time, or is right the first time."""
    model = rng.choice(["Story", "Puppet", "Structured"])
    body: dict[str, Any] = {"model": model, "messages": _messages(f"{id_} [[say: no JSON, no call]]")}
    if model == "Structured" or rng.random() < 0.5:
        body["response_format"] = SCHEMA
    else:
        body |= {"tools": [TOOL], "tool_choice": "required"}
    if model == "Structured":
        body["messages"] = _messages(id_)
    return Asked(id=id_, surface="corrected", path="/v1/chat/completions", body=body, most_sends=2)


def _completions(rng: random.Random, id_: str) -> Asked:
    prompts = [_prompt(rng, id_) for _ in range(rng.choice([1, 2]))]
    body = {"model": rng.choice(["Echo", "Story"]), "prompt": prompts, "stream": rng.random() < 0.5}
    return Asked(id=id_, surface="completions", path="/v1/completions", body=body, most_sends=len(prompts))


def _responses(rng: random.Random, id_: str) -> Asked:
    body = {"model": rng.choice(TEXT_MODELS), "input": _prompt(rng, id_), "stream": rng.random() < 0.6}
    return Asked(id=id_, surface="responses", path="/v1/responses", body=body)


def _anthropic(rng: random.Random, id_: str) -> Asked:
    body = {"model": rng.choice(TEXT_MODELS), "max_tokens": 500, "messages": _messages(_prompt(rng, id_))}
    body["stream"] = rng.random() < 0.6
    return Asked(id=id_, surface="messages", path="/v1/messages", body=body)


def _image(rng: random.Random, id_: str) -> Asked:
    count = rng.choice([1, 1, 2])
    body = {"model": rng.choice(["Painter", "GPT-Image-1"]), "prompt": f"{id_} a square", "n": count}
    return Asked(
        id=id_,
        surface="images",
        path="/v1/images/generations",
        body=body | {"response_format": "url"},
        most_sends=count,
    )


def _speech(rng: random.Random, id_: str) -> Asked:
    body = {"model": rng.choice(["Speaker", "ElevenLabs-v3"]), "input": f"{id_} hello"}
    return Asked(id=id_, surface="speech", path="/v1/audio/speech", body=body)


def _video(rng: random.Random, id_: str) -> Asked:
    body = {"model": rng.choice(["Sora-2", "Veo-3.1"]), "prompt": f"{id_} a film"}
    return Asked(id=id_, surface="videos", path="/v1/videos", body=body)


SURFACES: dict[Draw, int] = {
    _chat: 40,
    _corrected: 10,
    _completions: 8,
    _responses: 14,
    _anthropic: 14,
    _image: 6,
    _speech: 5,
    _video: 3,
}


def draw(rng: random.Random, number: int) -> Asked:
    """The request of this number; the first ones go through all surfaces."""
    id_ = f"soak-{number:06d}"
    if number < len(SURFACES):
        return list(SURFACES)[number](rng, id_)
    asked = rng.choices(list(SURFACES), list(SURFACES.values()))[0](rng, id_)
    if rng.random() < 0.06:
        return Asked(**{name: getattr(asked, name) for name in _COPIED}, leaves_after=rng.uniform(0.01, 1.0))
    return asked


_COPIED = ("id", "surface", "path", "body", "most_sends")


def _messages(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def official_fault(rng: random.Random, *, may_hang: bool) -> Fault:
    """A fault of the documented API's stand-in."""
    at = rng.randint(0, 6)
    faults: list[Fault] = [
        {"type": "http_error", "status": 500},
        {"type": "http_error", "status": 502, "kind": "upstream_error", "code": 502},
        {"type": "http_error", "status": 503, "retry_after": 1},
        {"type": "http_error", "status": 429, "kind": "rate_limit_error", "code": 429, "retry_after": 1},
        {"type": "http_error", "status": 402, "kind": "insufficient_credits", "code": 402},
        {"type": "http_error", "status": 403, "kind": "moderation_error", "code": 403},
        {"type": "http_error", "status": 529, "kind": "overloaded_error", "code": 529},
        {"type": "challenge_page"},
        {"type": "empty_body"},
        {"type": "wrong_json"},
        {"type": "drop_connection"},
        {"type": "drop_connection", "charged": True},
        {"type": "delay_response", "seconds": 0.5},
        {"type": "no_points"},
        {"type": "cut_socket", "at": at},
        {"type": "close_early", "at": at},
        {"type": "error_event", "at": at},
        {"type": "points_run_out", "at": at},
        {"type": "garbage_frame", "at": at},
        {"type": "missing_finish"},
        {"type": "missing_done"},
        {"type": "missing_usage"},
        {"type": "split_bytes", "size": 3},
        {"type": "join_frames", "size": 4},
    ]
    hanging: list[dict[str, Any]] = [
        {"type": "hang_request"},
        {"type": "stall_stream", "at": at},
        {"type": "ping_only"},
    ]
    return rng.choice(hanging if may_hang and rng.random() < 0.05 else faults)


def web_fault(rng: random.Random, *, may_hang: bool) -> Fault:
    """A fault of the web API's stand-in."""
    at, is_applied = rng.randint(0, 4), rng.random() < 0.5
    faults: list[Fault] = [
        {"type": "http_error", "status": rng.choice([429, 500, 502]), "applied": is_applied},
        {"type": "challenge_page"},
        {"type": "empty_body"},
        {"type": "graphql_error", "applied": is_applied},
        {"type": "wrong_json"},
        {"type": "drop_connection", "applied": is_applied},
        {"type": "stale_hash"},
        {"type": "stale_form_key"},
        {"type": "drop_events", "at": at},
        {"type": "duplicate_events", "at": at},
        {"type": "delay_events"},
        {"type": "reorder_events", "at": at},
        {"type": "batch_events"},
        {"type": "cut_socket", "at": at},
        {"type": "refetch_channel", "at": at},
        {"type": "missed_messages", "at": at},
        {"type": "early_events"},
        {"type": "message_state", "at": at, "state": "error_user_message_too_long"},
        {"type": "title_first"},
        {"type": "late_cost", "seconds": 0.5},
    ]
    return rng.choice([{"type": "hang_stream", "at": at}] if may_hang and rng.random() < 0.05 else faults)
