"""Builds the admin application. Its caller has checked the admin key already."""

from __future__ import annotations

import time

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from accounts import AccountNotFoundError, ConflictError
from gateway.admin.accounts import router as accounts_router
from gateway.admin.config import router as config_router
from gateway.admin.keys import router as keys_router
from gateway.admin.upkeep import router as upkeep_router
from gateway.context import context_of
from gateway.errors import INVALID_JSON, INVALID_REQUEST, NOT_FOUND, GatewayError, gateway_error, invalid


def create_admin_app() -> FastAPI:
    """The application, without documentation routes: it is mounted behind the admin key."""
    app = FastAPI(title="Poe gateway administration", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.include_router(upkeep_router)
    app.include_router(accounts_router)
    app.include_router(keys_router)
    app.include_router(config_router)
    app.add_exception_handler(Exception, _answer)
    # Known kinds by name: for `Exception` alone Starlette answers, but raises as well.
    for kind in (GatewayError, RequestValidationError, AccountNotFoundError, ConflictError):
        app.add_exception_handler(kind, _answer)
    for status in (404, 405):
        app.add_exception_handler(status, _answer)
    return app


async def _answer(request: Request, error: Exception) -> JSONResponse:
    """Every failure as the envelope that the other routes use."""
    failure = _translate(error)
    context_of(request).record.error = failure.code
    return JSONResponse(failure.envelope(), failure.status, failure.headers())


def _translate(error: Exception) -> GatewayError:
    match error:
        case RequestValidationError():
            return _invalid_field(error)
        case AccountNotFoundError():
            return GatewayError(NOT_FOUND, "There is no such account.")
        case ConflictError():
            return GatewayError(INVALID_REQUEST, "Another account has this name.", code="conflict")
    return gateway_error(error, now=time.time())


def _invalid_field(error: RequestValidationError) -> GatewayError:
    """The first wrong field. Only its place and the rule are told: the value may be a credential."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return GatewayError(INVALID_JSON)
    place = ".".join(str(part) for part in first["loc"][1:])
    if first["type"] == "missing":
        return invalid(f"Missing required parameter: '{place}'.", param=place, code="missing_required_parameter")
    # Pydantic's own rules say what was expected; messages of validators of ours name no value either.
    return invalid(f"'{place}' is not valid: {first['msg']}.", param=place or None, code="invalid_value")
