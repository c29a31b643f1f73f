"""Maps Poe's refusals in JSON (statuses of mutations, states of messages) to typed errors.

Both come from one family of words (docs/reference/poe-web.md#sending-a-message,
docs/reference/poe-web.md#message-states), a state with `error_` in front. Words that no source names
are marked as assumed: their meaning is taken from their wording. An unknown word is blamed on the bot.
"""

from __future__ import annotations

from reverse.errors import ErrorCode, PoeError, poe_error

_CODES = {
    "user_message_too_long": ErrorCode.MESSAGE_TOO_LONG,
    "too_many_tokens": ErrorCode.MESSAGE_TOO_LONG,
    "insufficient_fund": ErrorCode.INSUFFICIENT_POINTS,
    "insufficient_funds": ErrorCode.INSUFFICIENT_POINTS,  # assumed
    "reached_limit": ErrorCode.BOT_LIMIT_REACHED,
    "no_access": ErrorCode.BOT_ACCESS_DENIED,
    "rate_limit_exceeded": ErrorCode.RATE_LIMITED,
    "rate_limit": ErrorCode.RATE_LIMITED,  # assumed
    "rate_limited": ErrorCode.RATE_LIMITED,  # assumed
    "concurrent_messages": ErrorCode.RATE_LIMITED,
    "unsupported_file_type": ErrorCode.UNSUPPORTED_FILE,
    "file_too_large": ErrorCode.FILE_TOO_LARGE,
    "bot_deleted": ErrorCode.BOT_NOT_FOUND,  # assumed
    "bot_not_found": ErrorCode.BOT_NOT_FOUND,  # assumed
    "bot_down": ErrorCode.BOT_UNAVAILABLE,  # assumed
    "bot_unavailable": ErrorCode.BOT_UNAVAILABLE,  # assumed
    "handle_already_taken": ErrorCode.INVALID_REQUEST,
}


def refusal(word: str, *, operation: str | None = None, upstream_text: str | None = None) -> PoeError:
    """The error for a status or a state that is not a good one."""
    code = _CODES.get(word.removeprefix("error_"), ErrorCode.BOT_FAILED)
    return poe_error(code, operation=operation, upstream_text=upstream_text or word)
