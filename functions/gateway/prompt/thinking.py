"""Reasoning of earlier answers that callers send back. Pure.

What of it has the provider's seal is given back to it; the rest is left out and reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accounts import AccountKind
from reverse.chat import Message, Thinking

# Only these models seal their thinking and take it back, while they go on with calls.
FAMILY = "claude"
# Agents send all that was thought since the user's last words.
MAX_BLOCKS = 256


def read_thinking_block(values: Mapping[str, Any]) -> Thinking | None:
    """A block of Anthropic's API, or what other gateways make of it; `None` where it has no seal."""
    # Redacted: nothing to read, but the provider wants it back unchanged.
    data = values.get("data")
    if isinstance(data, str) and data:
        return Thinking("", data, is_redacted=True)
    text, signature = values.get("thinking", values.get("text")), values.get("signature")
    # Unsealed thinking is refused by the provider, so it is not sent at all.
    if not isinstance(signature, str) or not signature:
        return None
    return Thinking(text if isinstance(text, str) else "", signature)


def read_thinking_blocks(*lists: Any) -> tuple[Thinking, ...]:
    """The sealed blocks of the first list that has any."""
    for values in lists:
        blocks = values[:MAX_BLOCKS] if isinstance(values, list) else []
        found = [one for block in blocks if isinstance(block, dict) and (one := read_thinking_block(block)) is not None]
        if found:
            return tuple(found)
    return ()


def is_given_back(turns: Sequence[Message], *, bot: str, kind: AccountKind) -> bool:
    """Whether sealed thinking reaches the provider: at its own endpoint, which answers where calls were made."""
    # Without calls the provider does not read earlier thinking, so that nothing is lost by leaving it out.
    return kind.traits.is_native and FAMILY in bot.lower() and any(turn.tool_calls for turn in turns)
