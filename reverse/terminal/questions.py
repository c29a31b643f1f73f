"""What is asked: the words of the command line, and what comes on the standard input."""

from __future__ import annotations

from collections.abc import Callable, Sequence

INPUT = "-"


def compose(words: Sequence[str], read_input: Callable[[], str], *, is_piped: bool) -> str:
    """The question. `is_piped` says that the input is no terminal: then it is read although no word asks for it.

    The input stands where `-` is the first or the last word, else before the question, as other programs of this kind
    do it. `-` between words is one of them: `what is 5 - 3`.
    """
    before = words[:1] == [INPUT]
    after = len(words) > 1 and words[-1] == INPUT
    asked = " ".join(words[before : len(words) - after]).strip()
    if not (before or after or is_piped):
        return asked
    given = read_input().strip()
    parts = (asked, given) if after and not before else (given, asked)
    return "\n\n".join(part for part in parts if part)
