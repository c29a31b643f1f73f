"""The turns of a conversation: what holds of them whatever API they came through. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.generation import usage
from gateway.http.errors import invalid
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
