"""`/admin/config/poe`: what of the Poe clients' configuration is replaced while everything runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body

from gateway.admin.accounts import ServicesArgument
from gateway.http.errors import invalid
from pool.config_names import POE
from reverse.overrides import OverrideError, read_overrides

router = APIRouter()


@router.get("/config/poe")
async def show_poe_config(services: ServicesArgument) -> dict[str, Any]:
    """The overrides as they are stored; empty if there are none."""
    return await services.store.get_config(POE) or {}


@router.put("/config/poe")
async def replace_poe_config(services: ServicesArgument, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    """Replace all overrides; an empty object removes them. Other warm sandboxes follow within a minute."""
    try:
        document = read_overrides(body)
        await services.store.put_config(POE, document)
    except OverrideError as error:
        raise invalid(f"{error}.", param=error.field, code="invalid_value") from None
    except ValueError:
        raise invalid("The overrides are too large.", code="invalid_value") from None
    services.poe_settings.forget()
    return document
