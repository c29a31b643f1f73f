"""Images, videos and audio as endpoints of their own."""

from __future__ import annotations

import secrets

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from local.poe_official import media
from local.poe_official import model as models
from local.poe_official.application import Call, Simulation
from local.poe_official.bots import Question, Turn
from local.poe_official.chat import ask_for
from local.poe_official.dialect import Json, Refused, bad_request
from local.poe_official.model import Model
from local.poe_official.world import Video


async def images(simulation: Simulation, call: Call) -> ASGIApp:
    """POST /v1/images; `response_format: b64_json` is not offered, the file has an address."""
    model, prompt = _asked(simulation, call, models.IMAGES)
    answer = model.bot(Question((Turn("user", prompt),), store=simulation.world.store))
    call.charge(simulation.world, model)
    return JSONResponse({"created": 1_795_000_000, "data": [{"url": file.url} for file in answer.files]})


async def audio(simulation: Simulation, call: Call) -> ASGIApp:
    """POST /v1/audio: the sound itself."""
    model, _ = _asked(simulation, call, models.AUDIO)
    call.charge(simulation.world, model)
    return Response(media.wav_bytes(), media_type="audio/wav")


async def create_video(simulation: Simulation, call: Call) -> ASGIApp:
    """POST /v1/videos. A prompt with "fail" makes a job that fails."""
    model, prompt = _asked(simulation, call, models.VIDEOS)
    return _new_video(simulation, call, model, prompt)


async def extend_video(simulation: Simulation, call: Call) -> ASGIApp:
    """POST /v1/videos/extensions."""
    source = _video(simulation, str((call.body.get("video") or {}).get("id")))
    return _new_video(simulation, call, source.model, str(call.body.get("prompt", "")))


async def video(simulation: Simulation, call: Call) -> ASGIApp:
    """POST /v1/videos/{id}/remix, GET /v1/videos/{id} and GET …/content."""
    call.payer()
    video_id, _, rest = call.record.path.removeprefix("/v1/videos/").partition("/")
    found = _video(simulation, video_id)
    match call.record.method, rest:
        case "POST", "remix":
            return _new_video(simulation, call, found.model, str(call.body.get("prompt", "")))
        case "GET", "":
            shown = JSONResponse(_shown(found))
            found.asked += 1
            return shown
        case "GET", "content":
            if found.status != "completed":
                raise bad_request("The video is not ready")
            return Response(media.mp4_bytes(), media_type="video/mp4")
    raise Refused(404, "not_found_error", 404, "No such route")


def _asked(simulation: Simulation, call: Call, endpoint: str) -> tuple[Model, str]:
    call.buyer()
    name = str(call.body.get("model", ""))
    model = ask_for(simulation.world.model(name), name, endpoint)
    prompt = call.body.get("prompt") or call.body.get("input")
    if not isinstance(prompt, str) or not prompt:
        raise bad_request("prompt must not be empty")
    return model, prompt


def _new_video(simulation: Simulation, call: Call, model: Model, prompt: str) -> JSONResponse:
    call.charge(simulation.world, model)
    made = Video(f"video_{secrets.token_hex(8)}", model, prompt, fails="fail" in prompt)
    simulation.world.videos[made.id] = made
    return JSONResponse(_shown(made))


def _video(simulation: Simulation, video_id: str) -> Video:
    found = simulation.world.videos.get(video_id)
    if found is None:
        raise Refused(404, "not_found_error", 404, "No such video")
    return found


def _shown(video: Video) -> Json:
    failed = {"code": "provider_error", "type": "provider_error", "message": "simulated failure"}
    return {
        "id": video.id,
        "object": "video",
        "created_at": 1_795_000_000,
        "model": video.model.name,
        "status": video.status,
        "progress": min(100, 50 * video.asked),
        "error": failed if video.status == "failed" else None,
    }
