"""The addresses of the OpenAI surface. Each also answers below `/v1`, which `app` takes off before routing.

A route is described in `gateway.description.operations`, under the name of its endpoint.
"""

from starlette.routing import Route

from gateway.routes.chat import create_chat_completion
from gateway.routes.health import healthz, index, readyz
from gateway.routes.models import list_models, retrieve_model


def build_routes() -> list[Route]:
    """All of them, the most used first. What needs the admin key is behind `guarded`."""
    return [
        Route("/chat/completions", create_chat_completion, methods=["POST"]),
        Route("/models", list_models),
        Route("/models/{model:path}", retrieve_model),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/", index),
    ]
