"""Playground: which keys and models there are. It calls models with a key that its user has, never with the session."""

from __future__ import annotations

import time

from accounts import KeyRole, at_once
from gateway.admin.shown import iso_time
from gateway.console.answers import Answer, json_answer
from gateway.console.query import Query
from gateway.console.sign_in import Visit
from gateway.surfaces.context import Services

_MOST = 100


async def answer(services: Services, _visit: Visit, _path: str, _query: Query) -> Answer:
    """The page."""
    async with at_once() as group:
        keys_read = group.create_task(services.store.list_keys(limit=_MOST))
        models_read = group.create_task(services.catalogue.models())
    keys, models = keys_read.result(), models_read.result()
    return json_answer(
        {
            "as_of": iso_time(time.time()),
            "keys": [
                {
                    "id": key.id,
                    "name": key.name,
                    "models": list(key.models),
                    "enabled": key.enabled,
                    "expires_at": iso_time(key.expires_at),
                }
                for key in keys.items
                # Administrators' keys open no model.
                if key.role is KeyRole.CLIENT
            ],
            "models": [
                {
                    "id": model.id,
                    "kinds": None if model.kinds is None else list(model.kinds),
                    "output_modalities": None if model.output_modalities is None else list(model.output_modalities),
                }
                for model in models
            ],
        }
    )
