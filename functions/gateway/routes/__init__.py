"""The addresses of the gateway. Each also answers below `/v1`, which `app` takes off before routing."""

from starlette.routing import BaseRoute, Mount, Route

from gateway.routes.admin import LazyAdmin
from gateway.routes.anthropic import count_tokens, create_message
from gateway.routes.chat import create_chat_completion
from gateway.routes.health import healthz, index, readyz
from gateway.routes.models import list_models, retrieve_model
from gateway.routes.responses import (
    cancel_response,
    count_input_tokens,
    create_response,
    delete_response,
    list_input_items,
    retrieve_response,
)


def build_routes() -> list[BaseRoute]:
    """All routes, the most used first."""
    return [
        Route("/chat/completions", create_chat_completion, methods=["POST"]),
        Route("/responses", create_response, methods=["POST"]),
        Route("/responses/input_tokens", count_input_tokens, methods=["POST"]),
        Route("/responses/{response_id}", retrieve_response, methods=["GET"]),
        Route("/responses/{response_id}", delete_response, methods=["DELETE"]),
        Route("/responses/{response_id}/cancel", cancel_response, methods=["POST"]),
        Route("/responses/{response_id}/input_items", list_input_items),
        Route("/messages", create_message, methods=["POST"]),
        Route("/messages/count_tokens", count_tokens, methods=["POST"]),
        Route("/models", list_models),
        Route("/models/{model:path}", retrieve_model),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/", index),
        Mount("/admin", LazyAdmin()),
    ]
