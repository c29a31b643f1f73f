"""What a send will probably cost."""

from __future__ import annotations

import pytest

from gateway.models.capabilities import estimate_points


@pytest.mark.parametrize(
    ("pricing", "points"),
    [
        (None, None),
        ({}, None),
        ({"prompt": None, "completion": None, "image": "0.04"}, None),
        ({"prompt": "0.000003", "completion": "0.000015"}, 600),
        ({"prompt": "0.000003", "completion": None}, 100),
        ({"request": "0.0039", "prompt": None}, 130),
        ({"request": "0.00"}, 0),
        ({"request": "0.00001"}, 1),
        ({"prompt": "free", "request": "NaN"}, None),
        ({"prompt": "-1"}, None),
    ],
)
def test_a_price_in_dollars_becomes_points_and_an_unknown_one_stays_unknown(pricing, points: int | None) -> None:
    assert estimate_points(pricing, 1_000, 1_000) == points
