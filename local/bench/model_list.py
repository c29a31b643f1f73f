"""A list of models of the shape and size of Poe's own: 362 models, 410 KB of JSON (recorded November 2026)."""

from __future__ import annotations

import os
import random
from typing import Any

from accounts import open_store
from local.bench.surroundings import Surroundings

COUNT = 362
_WORDS = "a model that writes, reads, draws and thinks about images, text, tools and long documents for people".split()


async def store_model_list(around: Surroundings, *, now: float) -> None:
    """Put it where the scheduled job would; the simulators' own bots are in it."""
    from refresh_points.catalogue import put_models

    store = open_store(
        table=around.variables["GATEWAY_TABLE"],
        kms_key_id=around.variables["GATEWAY_KMS_KEY_ID"],
        environ={**os.environ, **around.variables},
    )
    try:
        await put_models(store, {"updated_at": now, "created": int(now), "models": entries()})
    finally:
        await store.aclose()


def entries() -> list[dict[str, Any]]:
    """The same ones at each call."""
    rng = random.Random(362)
    return [_entry(f"maker-{number % 40}-model-{number}", rng) for number in range(COUNT - 1)] + [_entry("Story", rng)]


def _entry(name: str, rng: random.Random) -> dict[str, Any]:
    described = " ".join(rng.choice(_WORDS) for _ in range(rng.randint(30, 90)))
    parameters = [
        {
            "name": f"option_{number}",
            "schema": {"type": "string", "enum": [rng.choice(_WORDS) for _ in range(6)]},
            "default_value": rng.choice(_WORDS),
            "description": " ".join(rng.choice(_WORDS) for _ in range(12)),
        }
        for number in range(rng.choice((0, 0, 1, 2, 4)))
    ]
    return {
        "id": name,
        "bot": name,
        "created": 1_750_000_000 + rng.randint(0, 40_000_000),
        "owned_by": f"maker {rng.randint(1, 40)}",
        "description": described,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "features": ["tools"],
        "context_length": rng.choice((8_192, 128_000, 1_000_000)),
        "max_output_tokens": 16_384,
        "pricing": {"prompt": "0.0000011", "completion": "0.0000044"},
        "reasoning": {"required": False, "supports_reasoning_effort": True, "budget": False},
        "parameters": parameters,
        "upstream_endpoints": ["/v1/chat/completions"],
        "kinds": ["official", "web"],
    }
