"""Keeping a conversation within a model's window: refused when it is too long, or shortened when the caller asks. Pure.

Sizes are estimates (see `usage`), so a conversation is refused only when it is too long by any count; what lies between
is left to the upstream, whose own word for it means the same to callers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.generation import usage
from gateway.http.errors import TOO_LONG, GatewayError, invalid
from reverse.chat import Attachment, Message

MAX_MESSAGES = 4096


def check_content(turns: Sequence[Message], param: str) -> None:
    """Raises `GatewayError` (400), naming the field `param`, where the turns say nothing."""
    if not turns:
        raise invalid(f"'{param}' must have at least one message.", param=param, code="empty_array")
    if not any(turn.text.strip() or turn.attachments or turn.tool_calls for turn in turns):
        raise invalid(f"'{param}' must have some content.", param=param, code="empty_messages")


def file_places(turns: Sequence[Message], place: Callable[[int], str]) -> dict[int, str]:
    """Where the caller wrote the turns that have files, by their index; `place` tells it of any turn."""
    return {index: place(index) for index, turn in enumerate(turns) if turn.attachments}


def with_files_behind_results(turns: Sequence[Message]) -> tuple[Message, ...]:
    """The turns as OpenAI's API has them: tool results are text only, so their files follow in a turn of the user."""
    told: list[Message] = []
    files: list[Attachment] = []
    for turn in turns:
        if files and turn.role != "tool":
            told.append(_files_turn(files))
            files = []
        if turn.role == "tool" and turn.attachments:
            files += turn.attachments
            told.append(replace(turn, text=turn.text or "The result is in the files that follow.", attachments=()))
        else:
            told.append(turn)
    return (*told, _files_turn(files)) if files else tuple(told)


def _files_turn(files: Sequence[Attachment]) -> Message:
    names = ", ".join(file.name for file in files)
    return Message("user", f"Files of the tool results above: {names}", tuple(files))


def estimate_tokens(turns: Sequence[Message]) -> int:
    """The turns' size in tokens, files not counted."""
    texts = [turn.text for turn in turns]
    texts += [call.name + call.arguments for turn in turns for call in turn.tool_calls]
    return usage.tokens("".join(texts)) + usage.TOKENS_PER_MESSAGE * len(turns)


# How far the estimate may be above the truth, and below it.
_OVERESTIMATE = 1.35
_UNDERESTIMATE = 0.75


def check_window(turns: Sequence[Message], window: int | None, *, also: int = 0) -> None:
    """Raises `GatewayError` (400, `context_length_exceeded`) for what can't fit, with `also` tokens that come along."""
    if window is not None and (size := estimate_tokens(turns) + also) > window * _OVERESTIMATE:
        raise GatewayError(TOO_LONG, f"The messages have about {size} tokens; the model takes {window}.")


def fit_window(turns: Sequence[Message], window: int | None, *, also: int = 0, reserve: int = 0) -> tuple[Message, ...]:
    """The turns without the oldest ones, so that they surely fit and `reserve` tokens are left for the answer.

    `also` is the size of what goes with any turns: tools, an answer's format.

    System instructions stay, and so does the last turn with the tool calls that it answers. A tool's result never
    stays without its call. Raises `GatewayError` (400) when what must stay is too long.
    """
    if window is None:
        return tuple(turns)
    room = int(window * _UNDERESTIMATE) - also - min(reserve, window // 2)
    sizes = [estimate_tokens([turn]) for turn in turns]
    excess = sum(sizes) - room
    last = _last_exchange(turns)
    dropped: set[int] = set()
    for index, turn in enumerate(turns[:last]):
        # A result of a call that went goes with it.
        if (excess > 0 or turn.role == "tool") and (excess > 0 or _is_orphan(turns, index, dropped)):
            if turn.role != "system":
                dropped.add(index)
                excess -= sizes[index]
    kept = tuple(turn for index, turn in enumerate(turns) if index not in dropped)
    check_window(kept, window, also=also)
    return kept


def _last_exchange(turns: Sequence[Message]) -> int:
    """Where the part begins that must stay: the last turn, or the calls whose results it is among."""
    index = len(turns) - 1
    while index > 0 and turns[index].role == "tool":
        index -= 1
    return index


def _is_orphan(turns: Sequence[Message], index: int, dropped: set[int]) -> bool:
    """Whether the calls that this result belongs to were dropped."""
    while index > 0 and turns[index].role == "tool":
        index -= 1
    return index in dropped
