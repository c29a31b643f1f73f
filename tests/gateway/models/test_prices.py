"""What a send will probably cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from accounts import InMemoryAccountStore
from gateway.http.key_budget import Price
from gateway.http.request_log import Journal
from gateway.models.live_config import LiveConfig
from gateway.models.model import Model
from gateway.models.prices import Prices, dollars
from pool.config_names import ESTIMATES

PRICED = Model(id="M", bot="M", pricing={"request": "0.0006"})
FIXED = Model(id="M", bot="M", points_per_message=30)


@pytest.mark.parametrize(
    ("pricing", "usd"),
    [
        (None, None),
        ({}, None),
        ({"prompt": None, "completion": None, "image": "0.04"}, None),
        ({"prompt": "0.000003", "completion": "0.000015"}, 0.018),
        ({"prompt": "0.000003", "completion": None}, 0.003),
        ({"request": "0.0039", "prompt": None}, 0.0039),
        ({"request": "0.00"}, 0.0),
        ({"prompt": "free", "request": "NaN"}, None),
        ({"prompt": "-1"}, None),
    ],
)
def test_a_listed_price_makes_dollars_and_an_unknown_one_stays_unknown(pricing, usd: float | None) -> None:
    assert dollars(pricing, 1_000, 1_000) == usd


async def prices_after(document: Mapping[str, Any] | None) -> Prices:
    store = InMemoryAccountStore()
    if document is not None:
        await store.put_config(ESTIMATES, document)
    live = LiveConfig(store, Journal())
    prices = Prices(live)
    await live.refresh()
    return prices


SETTLED = {"m": {"points": 17, "samples": [[1, 17]]}}


@pytest.mark.parametrize(
    ("document", "model", "price"),
    [
        # The reservation of dollars uses the rate that is known here, else the published one; an estimate never does.
        (None, PRICED, Price(usd=0.0006, points=None, reserved=20)),
        ({"usd_per_point": 0.00002}, PRICED, Price(usd=0.0006, points=None, reserved=30)),
        ({"usd_per_point": 0.00002, "costs": SETTLED}, PRICED, Price(usd=0.0006, points=17, reserved=30)),
        ({"costs": SETTLED}, PRICED, Price(usd=0.0006, points=17, reserved=17)),
        # A price in points needs no rate, and comes before what was settled.
        ({"costs": SETTLED}, FIXED, Price(points=30, reserved=30)),
        ({"costs": SETTLED}, None, Price(points=17, reserved=17)),
        ({"costs": {}}, None, Price()),
        (None, None, Price()),
    ],
)
async def test_a_price_is_the_lists_else_what_was_settled_here_else_unknown(document, model, price: Price) -> None:
    assert (await prices_after(document)).price(model, "M", 10, 10) == price


@pytest.mark.parametrize(
    "document",
    [
        {"costs": 3},
        {"costs": {"m": 3}},
        {"costs": {"m": {"points": "x"}}},
        {"usd_per_point": []},
        {"usd_per_point": "a"},
    ],
)
async def test_damaged_estimates_are_passed_over(document) -> None:
    prices = await prices_after(document)
    assert prices.price(PRICED, "M", 1, 1) == Price(usd=0.0006, reserved=20)
