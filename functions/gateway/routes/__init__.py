"""The addresses of the gateway. Each also answers below `/v1`, which `app` takes off before routing."""

from starlette.routing import BaseRoute, Mount, Route

from gateway.routes.admin import LazyAdmin
from gateway.routes.chat import create_chat_completion
from gateway.routes.health import healthz, index, readyz
from gateway.routes.models import list_models, retrieve_model


def build_routes() -> list[BaseRoute]:
    """All routes, the most used first."""
    return [
        Route("/chat/completions", create_chat_completion, methods=["POST"]),
        Route("/models", list_models),
        Route("/models/{model:path}", retrieve_model),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/", index),
        Mount("/admin", LazyAdmin()),
    ]
