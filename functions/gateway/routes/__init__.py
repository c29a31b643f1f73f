"""The addresses of the gateway. Each also answers below `/v1`, which `app` takes off before routing."""

from starlette.routing import BaseRoute, Mount, Route

from gateway.routes.admin import LazyAdmin
from gateway.routes.chat import create_chat_completion
from gateway.routes.health import healthz, index, readyz
from gateway.routes.lazy import lazy
from gateway.routes.models import list_models, retrieve_model
from gateway.routes.not_offered import not_offered_routes

_IMAGES = "gateway.routes.images"


def build_routes() -> list[BaseRoute]:
    """All routes, the most used first."""
    return [
        Route("/chat/completions", create_chat_completion, methods=["POST"]),
        Route("/completions", lazy("gateway.routes.completions", "create_completion"), methods=["POST"]),
        Route("/images/generations", lazy(_IMAGES, "create_image"), methods=["POST"]),
        Route("/images/edits", lazy(_IMAGES, "edit_image"), methods=["POST"]),
        Route("/models", list_models),
        Route("/models/{model:path}", retrieve_model),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/", index),
        Mount("/admin", LazyAdmin()),
        *not_offered_routes(),
    ]
