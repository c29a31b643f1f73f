"""The pages of a list, as both APIs ask for them. Pure."""

from __future__ import annotations

from starlette.datastructures import QueryParams

from gateway.http.errors import invalid


def page_size(query: QueryParams, *, default: int, highest: int) -> int:
    """The wanted number of items. Raises `GatewayError` (400) if `limit` is no number from 1 to `highest`."""
    text = query.get("limit", str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(highest)) else 0
    if not 1 <= number <= highest:
        raise invalid(f"'limit' must be from 1 to {highest}.", param="limit", code="out_of_range")
    return number


def place_of(item_id: str, ids: list[str], name: str) -> int:
    """Where an item stands. Raises `GatewayError` (400), naming the parameter `name`, if it is not there."""
    if item_id not in ids:
        raise invalid(f"'{name}' must be the id of an item.", param=name, code="invalid_value")
    return ids.index(item_id)
