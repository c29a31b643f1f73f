"""JSON that Poe sends."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from reverse.json_text import decode_json


@pytest.mark.parametrize("depth", [201, 1000, 1200, 5000, 100_000])
@pytest.mark.parametrize("level", [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")], ids=["list", "object", "both"])
@pytest.mark.parametrize("inner", ["1", "NaN"], ids=["read by orjson", "read by Python"])
def test_deep_nesting_is_an_error_on_every_version_of_python(depth: int, level: tuple[str, str], inner: str) -> None:
    text = level[0] * depth + inner + level[1] * depth
    for form in (text, text.encode(), f'{{"b": {text}}}', f'{{"b": [], "c": [1, {text}]}}'):
        with pytest.raises(ValueError, match=r".") as caught:
            decode_json(form)
        assert not isinstance(caught.value, RecursionError)


def test_what_is_nested_sanely_is_read() -> None:
    value: Any = "x" * 1000
    for _ in range(199):
        value = [value]
    assert decode_json(json.dumps(value)) == value
    wide = {"a": [{"b": []}] * 1000}
    assert decode_json(json.dumps(wide).encode()) == wide
    assert math.isnan(decode_json("[NaN]")[0])
