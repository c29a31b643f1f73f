"""Models: what each can, what Poe asks for it in dollars and points, and what it really cost here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from accounts import Sums, at_once
from gateway.admin.shown import iso_time
from gateway.console.answers import Answer, json_answer
from gateway.console.query import DAY, Query
from gateway.console.sign_in import Visit
from gateway.console.tables import csv_answer, table_name, wants_csv
from gateway.models.model import Model
from gateway.models.prices import PUBLISHED_USD_PER_POINT
from gateway.surfaces.context import Services
from pool.config_names import ESTIMATES

_MEASURED_DAYS = 30
_FIELDS = (
    "id",
    "owned_by",
    "aliases",
    "description",
    "input_modalities",
    "output_modalities",
    "features",
    "context_length",
    "max_output_tokens",
    "endpoints",
    "kinds",
    "points_per_message",
)
# Name of a price: what it is called in points, and for how many units.
_IN_POINTS = {
    "prompt": ("prompt_per_million", 1_000_000),
    "completion": ("completion_per_million", 1_000_000),
    "request": ("request", 1),
    "image": ("image", 1),
}


async def answer(services: Services, _visit: Visit, _path: str, query: Query) -> Answer:
    """The page, or its table. Raises `GatewayError` (400)."""
    now = time.time()
    is_csv = wants_csv(query)
    table_name(query, "models")
    # Whole days come from packed sums, one read for all of them.
    since = now // DAY * DAY - _MEASURED_DAYS * DAY
    async with at_once() as group:
        models_read = group.create_task(services.catalogue.models())
        sums_read = group.create_task(services.store.tally(since=since, until=now, by=[("model",)]))
        estimates_read = group.create_task(services.store.get_config(ESTIMATES))
    models, [rows] = models_read.result(), sums_read.result()
    measured = {row.model: row for row in rows}
    stored = (estimates_read.result() or {}).get("usd_per_point")
    rate = Decimal(str(stored or PUBLISHED_USD_PER_POINT))
    data = [show(model, measured.get(model.bot.lower()), rate) for model in models]
    if is_csv:
        return csv_answer("models", [_flat(row) for row in data])
    return json_answer(
        {
            "as_of": iso_time(now),
            "updated_at": iso_time(services.catalogue.updated_at),
            "usd_per_point": format(rate, "f"),
            "is_rate_read": stored is not None,
            "measured_from": iso_time(since),
            "data": data,
        }
    )


def show(model: Model, used: Sums | None, usd_per_point: Decimal) -> dict[str, Any]:
    """A model with its prices. Unknown is `None`, which is not free. Pure."""
    shown = model.to_openai()
    return {name: shown[name] for name in _FIELDS} | {
        "usd": dict(model.pricing) if model.pricing is not None else None,
        "points": in_points(model.pricing, usd_per_point),
        "measured": _measured(used),
    }


def in_points(pricing: Mapping[str, str | None] | None, usd_per_point: Decimal) -> dict[str, float | None] | None:
    """Prices in points; `None` where there is none. Pure."""
    if pricing is None:
        return None
    points: dict[str, float | None] = {}
    for name, (shown_as, units) in _IN_POINTS.items():
        price = _price(pricing.get(name))
        # Decimal until here: prices of a token are too small for binary fractions to round well.
        points[shown_as] = None if price is None else float(round(price * units / usd_per_point, 3))
    return points


def _price(text: str | None) -> Decimal | None:
    try:
        price = Decimal(text or "")
    except InvalidOperation:
        return None
    # The list is somebody else's text: "NaN" is a `Decimal`, too.
    return price if price.is_finite() and price >= 0 else None


def _measured(used: Sums | None) -> dict[str, Any] | None:
    """What a send cost here, of those whose cost is known."""
    # Sends of unknown cost would make the average too low.
    known = 0 if used is None else used.sends - used.unknown
    if used is None or known <= 0:
        return None
    return {"sends": known, "points_per_send": round(used.points / known, 1)}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in row.items() if name not in ("usd", "points", "measured")}
    for group in ("usd", "points", "measured"):
        names = row[group] or {}
        # Every column in every row, whether the model has a value or not.
        known = {
            "usd": ("prompt", "completion", "request", "image"),
            "points": tuple(shown_as for shown_as, _ in _IN_POINTS.values()),
            "measured": ("sends", "points_per_send"),
        }[group]
        flat |= {f"{group}_{name}": names.get(name) for name in known}
    return flat
