"""The FastAPI application with every address of the gateway, described. Loaded with the first request that needs it.

Cold starts go without it: `app` dispatches the OpenAI surface itself. Both serve the same endpoints from the same table
(`routes`), and both leave failures to `app`, so that an answer does not depend on which way it came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from accounts import AccountNotFoundError, ConflictError
from gateway.admin.accounts import router as accounts_router
from gateway.admin.audit import router as audit_router
from gateway.admin.backup import router as backup_router
from gateway.admin.gate import ADMIN_PATH, DESCRIPTION_PATH, PAGE_PATH
from gateway.admin.keys import router as keys_router
from gateway.admin.monitoring import router as monitoring_router
from gateway.admin.points import router as points_router
from gateway.admin.requests import router as requests_router
from gateway.admin.sign_in import router as sign_in_router
from gateway.admin.upkeep import router as upkeep_router
from gateway.admin.usage import router as usage_router
from gateway.http.errors import INVALID_JSON, INVALID_REQUEST, NOT_FOUND, GatewayError, invalid
from gateway.openapi import ADMIN_FAILURES, describe, render_page
from gateway.surfaces.routes import build_routes


class DescribedApplication(FastAPI):
    """Describes plain endpoints too: they take the request and make the response, without parsing by FastAPI."""

    def openapi(self) -> dict[str, Any]:
        """The whole document, made when first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(super().openapi())
        return self.openapi_schema


def create_application() -> FastAPI:
    """Every address. Its caller has checked the admin key where one is needed, and answers what this raises."""
    # FastAPI's own pages are off: they are open to everybody, and load scripts from elsewhere.
    app = DescribedApplication(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    # The table of the thin front, so that a request is answered alike whichever way it takes.
    app.router.routes.extend(build_routes())
    for router in (
        upkeep_router,
        sign_in_router,
        accounts_router,
        keys_router,
        usage_router,
        requests_router,
        points_router,
        monitoring_router,
        audit_router,
        backup_router,
    ):
        app.include_router(router, prefix=ADMIN_PATH, responses=dict(ADMIN_FAILURES.items()))
    _add_description(app)
    for kind, translate in _TRANSLATIONS.items():
        app.add_exception_handler(kind, translate)
    return app


def _add_description(app: FastAPI) -> None:
    async def show_document(_request: Request) -> Response:
        return JSONResponse(app.openapi())

    async def show_page(_request: Request) -> Response:
        # Without scripts, so that nothing on the page can use the key that opened it.
        return HTMLResponse(render_page(app.openapi()), headers={"content-security-policy": "default-src 'none'"})

    app.add_route(DESCRIPTION_PATH, show_document, include_in_schema=False)
    app.add_route(PAGE_PATH, show_page, include_in_schema=False)


async def _raise(_request: Request, error: Exception) -> NoReturn:
    """Not answered here: `app` is the one place where a failure becomes an answer."""
    raise error


async def _raise_missing(_request: Request, _error: Exception) -> NoReturn:
    raise GatewayError(NOT_FOUND, "There is no such account.")


async def _raise_conflict(_request: Request, _error: Exception) -> NoReturn:
    raise GatewayError(INVALID_REQUEST, "Another account has this name.", code="conflict")


async def _raise_invalid(_request: Request, error: Exception) -> NoReturn:
    """The first wrong field. Only its place and the rule are told: the value may be a credential."""
    # One at a time, like the readers of the other surfaces.
    first = cast(RequestValidationError, error).errors()[0]
    if first["type"] == "json_invalid":
        raise GatewayError(INVALID_JSON)
    # The first part says "body", "query" or "path", which is no name of a field.
    place = ".".join(str(part) for part in first["loc"][1:])
    if not place:
        raise GatewayError(INVALID_JSON, "The body must be a JSON object.")
    if first["type"] == "missing":
        raise invalid(f"Missing required parameter: '{place}'.", param=place, code="missing_required_parameter")
    # Pydantic's own rules say what was expected; messages of validators of ours name no value either.
    raise invalid(f"'{place}' is not valid: {first['msg']}.", param=place, code="invalid_value")


_TRANSLATIONS: dict[type[Exception], Callable[[Request, Exception], Awaitable[NoReturn]]] = {
    # Starlette and FastAPI would answer these two themselves.
    Exception: _raise,
    HTTPException: _raise,
    RequestValidationError: _raise_invalid,
    AccountNotFoundError: _raise_missing,
    ConflictError: _raise_conflict,
}
