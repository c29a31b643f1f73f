"""`chat`: one question, and its answer as it comes."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from poegw.errors import CommandError, Exit
from poegw.state import State, pass_state

MAX_INPUT_CHARACTERS = 5_000_000


@click.command()
@click.argument("question", nargs=-1)
@click.option("-m", "--model", metavar="MODEL", help="Model to ask.  [default: POEGW_MODEL]")
@click.option("-s", "--system", metavar="TEXT", help="What the model is told first.")
@pass_state
def chat_command(state: State, question: tuple[str, ...], model: str | None, system: str | None) -> None:
    """Ask a model, and stream its answer. This spends points.

    What is piped in is added to the question. Ctrl-C stops the answer at Poe, too.
    """
    model = model or os.environ.get("POEGW_MODEL")
    if not model:
        raise CommandError(
            "Which model?", hint="Give it with -m, or in POEGW_MODEL. `poegw models` lists them.", status=Exit.USAGE
        )
    text = "\n\n".join(part for part in (_piped(), " ".join(question)) if part.strip())
    if not text.strip():
        raise CommandError("There is no question.", hint='Try: poegw chat -m MODEL "Say hello"', status=Exit.USAGE)
    messages = [{"role": "user", "content": text}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    gateway = state.client()
    body = {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    with gateway.stream("/v1/chat/completions", body) as (headers, events):
        usage: dict[str, Any] = {}
        for data in events:
            if data == b"[DONE]":
                break
            usage = _print(state, data, headers.get("x-request-id")) or usage
    state.output.text("")
    if sys.stderr.isatty():
        points = usage.get("points")
        cost = "points unknown" if points is None else f"{points} points"
        state.output.note(f"({usage.get('total_tokens', 'unknown')} tokens, {cost})")


def _print(state: State, data: bytes, request_id: str | None) -> dict[str, Any] | None:
    try:
        chunk = json.loads(data)
    except ValueError:
        raise CommandError("The gateway sent something that is not JSON.", request_id=request_id) from None
    if error := chunk.get("error"):
        raise CommandError(str(error.get("message")), request_id=request_id)
    for choice in chunk.get("choices", ()):
        if text := choice.get("delta", {}).get("content"):
            state.output.text(text, end="")
    usage: dict[str, Any] | None = chunk.get("usage")
    return usage


def _piped() -> str:
    return "" if sys.stdin.isatty() else sys.stdin.read(MAX_INPUT_CHARACTERS)
