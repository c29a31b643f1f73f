"""Addresses of OpenAI's API that this gateway doesn't have: what is missing, why, and what to use instead."""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from gateway.http.errors import NOT_FOUND, GatewayError
from gateway.surfaces.context import authenticate
from gateway.surfaces.lazy import Endpoint

_CHAT = "Use /v1/chat/completions or /v1/responses."
_FILES = "Send files within a message instead: as a data URL, as base64 or as an https address."
_STATE = "Conversations are continued with 'previous_response_id' of /v1/responses, or with 'metadata.session_id'."

_NO_WORK = "nothing runs here while nobody asks"

# The beginning of the address: what is not offered and why. Names in braces stand for any segment.
NOT_OFFERED = {
    "chat/completions/{completion_id}": f"Chat completions are not stored. {_STATE}",
    "responses/compact": "Compaction is not offered. Send a shorter conversation, or 'truncation': 'auto'.",
    "messages/batches": f"Batches are not offered: {_NO_WORK}. Use /v1/messages.",
    "complete": "Text completions of Anthropic's older API are not offered. Use /v1/messages.",
    "audio/transcriptions": f"Transcription is not offered. Send the audio to a model that listens. {_CHAT}",
    "audio/translations": f"Translation of audio is not offered. Send the audio to a model that listens. {_CHAT}",
    "audio/voice_consents": "Voices are the models' own, and can't be made here.",
    "audio/voices": "Voices are the models' own. Name one in 'voice' of /v1/audio/speech.",
    "images/variations": "Variations are not offered. Use /v1/images/edits with a prompt.",
    "videos/edits": "Editing videos is not offered. Ask for a new one at /v1/videos.",
    "videos/extensions": "Extending videos is not offered. Ask for a new one at /v1/videos.",
    "videos/characters": "Characters are not offered. Use /v1/videos with an image in 'input_reference'.",
    "videos/{video_id}/remix": "Remixing videos is not offered. Ask for a new one at /v1/videos.",
    "embeddings": "Embeddings are not offered: Poe has no model that makes them. Use a provider that does.",
    "moderations": f"Moderation is not offered: Poe has no such endpoint. Ask a model. {_CHAT}",
    "fine_tuning": "Fine-tuning is not offered: Poe's models can't be trained.",
    "fine-tunes": "Fine-tuning is not offered: Poe's models can't be trained.",
    "files": f"File storage is not offered. {_FILES}",
    "uploads": f"File storage is not offered. {_FILES}",
    "batches": f"Batches are not offered: {_NO_WORK}. {_CHAT}",
    "agents": f"Agents are not offered: {_NO_WORK}. {_CHAT}",
    "assistants": f"Assistants are not offered. {_CHAT} {_STATE}",
    "threads": f"Threads are not offered. {_STATE}",
    "chatkit": f"ChatKit is not offered. {_CHAT} {_STATE}",
    "conversations": f"Conversations are not offered. {_STATE}",
    "vector_stores": f"Vector stores are not offered. {_FILES}",
    "containers": "Containers are not offered: no code runs here.",
    "skills": "Skills are not offered: no code runs here.",
    "evals": f"Evaluations are not offered. {_CHAT}",
    "realtime": f"The realtime API is not offered: it needs a connection that stays open. {_CHAT}",
    "live": f"Live sessions are not offered: they need a connection that stays open. {_CHAT}",
    "edits": f"Text edits are not offered. {_CHAT}",
    "engines": "Engines are not offered. Use /v1/models.",
    "organization": "Organizations are not offered. Keys and usage are at /admin.",
}
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def not_offered_routes() -> list[Route]:
    """A route for each address and everything below it; they stand behind the real ones."""
    return [
        Route(path, _endpoint(message), methods=_METHODS, include_in_schema=False)
        for prefix, message in NOT_OFFERED.items()
        for path in (f"/{prefix}", f"/{prefix}/{{rest:path}}")
    ]


def _endpoint(message: str) -> Endpoint:
    async def not_offered(request: Request) -> None:
        await authenticate(request)
        raise GatewayError(NOT_FOUND, message)

    return not_offered
