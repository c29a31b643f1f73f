"""JSON that is passed on as it comes."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.prompt.answer_readers import JSONStreamReader
from gateway.prompt.structured_output import ResponseFormat
from reverse.events import FinishReason, TextDelta

TEXTS = st.text(st.sampled_from('ab"\\{}[]:, \n\u20ac'), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=3), st.text(max_size=8), st.data())
def test_an_object_is_shown_in_full_and_nothing_after_it(
    value: dict[str, Any], after: str, data: st.DataObject
) -> None:
    """However the answer is cut into pieces, and whatever its strings hold."""
    written = json.dumps(value, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.sampled_from([None, 1])))
    answer = f"\n {written}{after}"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(answer)), max_size=12)) | {0, len(answer)})
    reading = JSONStreamReader(ResponseFormat({"type": "json_object"}))
    shown = ""
    for start, end in pairwise(cuts):
        for event in reading.feed(TextDelta(answer[start:end])):
            assert isinstance(event, TextDelta)
            shown += event.text
    assert shown == written
    assert reading.finish(FinishReason.STOP) == []
    assert reading.failure is None
