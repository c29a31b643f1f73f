"""A page about an API starts with a request and its answer; answers that differ from what is shown are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.answers import answers, unlike
from tests.docs.blocks import ROOT, blocks

PAGES = sorted(ROOT.glob("docs/api/*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_starts_with_a_request_and_its_answer(page: Path) -> None:
    found = list(blocks(page))
    assert found[0] in answers(found), f"{page.name} starts with something else"
    before = page.read_text(encoding="utf-8").partition("```")[0]
    assert len(before.split()) < 80


def test_every_page_is_on_the_map() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"(api/{page.name})" not in index] == []


@pytest.mark.parametrize(
    ("shown", "came"),
    [
        ('{"id": "a-…", "n": 1}', '{"id": "b-1", "n": 1}'),
        ('{"n": 1}', '{"n": null}'),
        ('{"n": 1}', '{"n": 1, "m": 2}'),
        ('{"n": 1, "m": 2}', '{"n": 1}'),
        ('{"on": true}', '{"on": false}'),
        ('{"list": [1]}', '{"list": [1, 2]}'),
        ('{"list": [{"a": "x"}]}', '{"list": [{"a": "y"}]}'),
        ("200 audio/wav", "200 audio/mpeg"),
    ],
)
def test_a_difference_is_found(shown: str, came: str) -> None:
    assert unlike(shown, came)


def test_what_varies_is_no_difference() -> None:
    assert unlike('{"id": "a-…", "created": 1, "points": 3}', '{"id": "a-1[?]", "created": 2, "points": null}') == []
    assert unlike("200 audio/wav", "200 audio/wav\n") == []


def test_a_stream_may_come_in_other_pieces_but_says_the_same() -> None:
    def event(text: str, finish: str = "null") -> str:
        return f'data: {{"id": "c-1", "choices": [{{"delta": {{"content": "{text}"}}, "finish": {finish}}}]}}\n\n'

    shown = event("You ") + event("said") + "data: [DONE]\n"
    assert unlike(shown, ": waiting\n\n" + event("You said") + "data: [DONE]\n\n") == []
    assert unlike(shown, event("You") + "data: [DONE]\n")
    assert unlike(shown, event("You said"))
    assert unlike(shown, event("You said", "1") + "data: [DONE]\n")
