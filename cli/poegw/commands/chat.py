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

    What is piped in is put before the question, or where '-' stands as its first or last word. Ctrl-C stops the answer
    at Poe, too, where the gateway learns of it: behind a Function URL it does not.
    """
    model = model or os.environ.get("POEGW_MODEL")
    if not model:
        raise CommandError(
            "Which model?", hint="Give it with -m, or in POEGW_MODEL. `poegw models` lists them.", status=Exit.USAGE
        )
    text = _composed(question)
    if not text:
        raise CommandError("There is no question.", hint='Try: poegw chat -m MODEL "Say hello"', status=Exit.USAGE)
    messages = [{"role": "user", "content": text}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    gateway = state.client()
    # With the usage, which a stream has only on request.
    body = {"model": model, "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    with gateway.stream("/v1/chat/completions", body) as (headers, events):
        usage: dict[str, Any] = {}
        for data in events:
            if data == b"[DONE]":
                break
            usage = _print(state, data, headers.get("x-request-id")) or usage
    # The answer may end without a line break, and the prompt of the shell would stand behind it.
    state.output.text("")
    # For people: in a pipe the answer stands alone.
    if sys.stderr.isatty():
        points = usage.get("points")
        cost = "points unknown" if points is None else f"{points} points"
        state.output.note(f"({usage.get('total_tokens', 'unknown')} tokens, {cost})")


def _print(state: State, data: bytes, request_id: str | None) -> dict[str, Any] | None:
    try:
        chunk = json.loads(data)
    except ValueError:
        raise CommandError("The gateway sent something that is not JSON.", request_id=request_id) from None
    # The status was 200 long before this failure.
    if error := chunk.get("error"):
        raise CommandError(str(error.get("message")), request_id=request_id)
    for choice in chunk.get("choices", ()):
        if text := choice.get("delta", {}).get("content"):
            state.output.text(text, end="")
    usage: dict[str, Any] | None = chunk.get("usage")
    return usage


def _composed(words: tuple[str, ...]) -> str:
    """The question, with the standard input in front of it, or where `-` stands as the first or the last word."""
    before = words[:1] == ("-",)
    after = len(words) > 1 and words[-1] == "-"
    asked = " ".join(words[before : len(words) - after]).strip()
    # Not waited for at a terminal unless it is named: nobody would know what it waits for.
    given = _input() if before or after or (sys.stdin is not None and not sys.stdin.isatty()) else ""
    parts = (asked, given) if after and not before else (given, asked)
    return "\n\n".join(part for part in parts if part)


def _input() -> str:
    """What comes on the standard input. Raises `CommandError` for what is no text, or too much."""
    if sys.stdin is None:
        return ""
    try:
        text = sys.stdin.read(MAX_INPUT_CHARACTERS + 1)
        text.encode()  # some locales smuggle bytes that are no text through the decoder
    except UnicodeError:
        raise CommandError("The input is not text.", status=Exit.USAGE) from None
    if len(text) > MAX_INPUT_CHARACTERS:
        raise CommandError(f"The input is longer than {MAX_INPUT_CHARACTERS} characters.", status=Exit.USAGE)
    return text.strip()
