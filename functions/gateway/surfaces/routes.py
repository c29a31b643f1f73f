"""The addresses of the OpenAI surface. Each also answers below `/v1`, which `app` takes off before routing.

A route is described in `gateway.openapi.operations`, under the name of its endpoint.
"""

from starlette.routing import Route

from gateway.surfaces.chat.route import create_chat_completion
from gateway.surfaces.health import healthz, index, readyz, version
from gateway.surfaces.lazy import lazy
from gateway.surfaces.models import list_models, retrieve_model
from gateway.surfaces.not_offered import not_offered_routes
from gateway.surfaces.responses.route import (
    cancel_response,
    count_input_tokens,
    create_response,
    delete_response,
    list_input_items,
    retrieve_response,
)

_ANTHROPIC = "gateway.surfaces.messages.route"
_IMAGES = "gateway.surfaces.media.images_route"
_VIDEOS = "gateway.surfaces.media.videos_route"


def build_routes() -> list[Route]:
    """All of them, the most used first. What needs the admin key is behind `guarded`."""
    return [
        Route("/chat/completions", create_chat_completion, methods=["POST"]),
        Route("/completions", lazy("gateway.surfaces.completions.route", "create_completion"), methods=["POST"]),
        Route("/audio/speech", lazy("gateway.surfaces.media.speech_route", "create_speech"), methods=["POST"]),
        Route("/images/generations", lazy(_IMAGES, "create_image"), methods=["POST"]),
        Route("/images/edits", lazy(_IMAGES, "edit_image"), methods=["POST"]),
        Route("/videos", lazy(_VIDEOS, "create_video"), methods=["POST"]),
        Route("/videos/{video_id}", lazy(_VIDEOS, "retrieve_video"), methods=["GET"]),
        Route("/videos/{video_id}", lazy(_VIDEOS, "delete_video"), methods=["DELETE"]),
        Route("/videos/{video_id}/content", lazy(_VIDEOS, "download_video"), methods=["GET"]),
        Route("/responses", create_response, methods=["POST"]),
        Route("/responses/input_tokens", count_input_tokens, methods=["POST"]),
        Route("/responses/{response_id}", retrieve_response, methods=["GET"]),
        Route("/responses/{response_id}", delete_response, methods=["DELETE"]),
        Route("/responses/{response_id}/cancel", cancel_response, methods=["POST"]),
        Route("/responses/{response_id}/input_items", list_input_items),
        Route("/messages", lazy(_ANTHROPIC, "create_message"), methods=["POST"]),
        Route("/messages/count_tokens", lazy(_ANTHROPIC, "count_tokens"), methods=["POST"]),
        Route("/models", list_models),
        Route("/models/{model:path}", retrieve_model),
        Route("/healthz", healthz),
        Route("/version", version),
        Route("/readyz", readyz),
        Route("/", index),
        *not_offered_routes(),
    ]
