"""Models as Anthropic's API shows and lists them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import QueryParams

from gateway.http.fields import item_index, page_size
from gateway.models.catalogue import Model

_PAGE, _MAX_PAGE = 20, 1000


def to_anthropic(model: Model) -> dict[str, Any]:
    """Anthropic's model object, without the capabilities that only its own models have words for."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id,
        "created_at": datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycle": "active",
        "max_input_tokens": model.context_length,
        "max_tokens": model.max_output_tokens,
    }


def list_page(models: Sequence[Model], query: QueryParams) -> dict[str, Any]:
    """A page of models: `limit` of them after `after_id`, or the last ones before `before_id`.

    Raises `GatewayError` (400).
    """
    size = page_size(query, default=_PAGE, highest=_MAX_PAGE)
    ids = [model.id for model in models]
    after, before = query.get("after_id"), query.get("before_id")
    start = item_index(after, ids, "after_id") + 1 if after else 0
    end = item_index(before, ids, "before_id") if before else len(ids)
    asked = models[start:end]
    page = asked[-size:] if before else asked[:size]
    return {
        "data": [to_anthropic(model) for model in page],
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": len(asked) > size,
    }
