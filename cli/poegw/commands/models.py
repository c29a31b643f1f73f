"""`models`: what can be asked for, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from poegw.output import Column
from poegw.quantities import number
from poegw.state import State, pass_state


def price_in_words(row: Mapping[str, Any]) -> str:
    """What it costs, in the units that the list has."""
    pricing = row.get("pricing") or {}
    told = [f"{value} {name.replace('_', ' ')}" for name, value in pricing.items() if value is not None]
    return "; ".join(told) or "unknown"


def stands_for(row: Mapping[str, Any]) -> str:
    """Of an alias: the model, and those that may answer in its place."""
    if not row.get("alias_of"):
        return ""
    return ", else ".join([row["alias_of"], *row.get("fallbacks", ())])


COLUMNS = (
    Column("Model", lambda row: row["id"]),
    Column("By", lambda row: row["owned_by"]),
    Column("Makes", lambda row: ", ".join(row["output_modalities"] or ()) or "unknown"),
    Column("Context", lambda row: number(row["context_length"]), is_number=True),
    Column("Price", price_in_words),
    Column("Stands for", stands_for),
)


@click.command()
@click.option("--search", metavar="TEXT", help="Only names with this text in them.")
@click.option("--makes", metavar="MODALITY", help="Only models that make this: text, image, audio, video.")
@click.option("--sort", type=click.Choice(["name", "price", "context"]), default="name", show_default=True)
@pass_state
def models_command(state: State, search: str | None, makes: str | None, sort: str) -> None:
    """List the models, with prices and what they take. A price that nobody knows is unknown, not free.

    Names of your own stand among them, with the models they stand for. `poegw api PUT /admin/config/models` sets them.
    """
    # With a client's key, which may be limited to some models: the list is what it can really ask.
    gateway = state.client()
    rows = [
        row
        for row in gateway.get("/v1/models")["data"]
        if (not search or search.lower() in row["id"].lower())
        and (not makes or makes in (row["output_modalities"] or ()))
    ]
    keys = {"name": _by_name, "price": _by_price, "context": _by_context}
    state.output.rows(sorted(rows, key=keys[sort]), COLUMNS, empty="No model fits.")


def _by_name(row: Mapping[str, Any]) -> Any:
    return row["id"].lower()


def _by_context(row: Mapping[str, Any]) -> Any:
    return (-(row["context_length"] or 0), row["id"].lower())


def _by_price(row: Mapping[str, Any]) -> Any:
    values = [float(value) for value in (row.get("pricing") or {}).values() if _is_number(value)]
    # Unknown prices last: they are not zero.
    return (not values, max(values, default=0.0), row["id"].lower())


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]  # whatever it is
    except (TypeError, ValueError):
        return False
    return True
