"""Cuts an answer at its token limit or at a stop sequence. Pure."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from local.poe_official.bots import Answer, Question, pieces


class Ending(StrEnum):
    """Why an answer ends."""

    DONE = "done"
    CALLS = "calls"
    STOPPED = "stopped"
    """At a stop sequence."""
    CUT = "cut"
    """At the limit of tokens."""


def bounded(answer: Answer, question: Question) -> tuple[Answer, Ending]:
    """As much of the answer as the question allows; a word of reasoning or text, or a call, is a token."""
    ending = Ending.CALLS if answer.calls else Ending.DONE
    found = [at for stop in question.stops if (at := answer.text.find(stop)) >= 0]
    if found:
        answer, ending = replace(answer, text=answer.text[: min(found)], calls=()), Ending.STOPPED
    limit = question.max_tokens
    if limit is None:
        return answer, ending
    reasoning, words = pieces(answer.reasoning), pieces(answer.text)
    if len(reasoning) + len(words) + len(answer.calls) <= limit:
        return answer, ending
    left = max(0, limit - len(reasoning))
    cut = replace(
        answer,
        reasoning="".join(reasoning[:limit]),
        text="".join(words[:left]),
        calls=answer.calls[: max(0, left - len(words))],
    )
    return cut, Ending.CUT
