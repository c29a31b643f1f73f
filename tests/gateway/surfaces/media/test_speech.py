"""Speech over a scripted Poe, and the bot's options that follow from OpenAI's fields."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from accounts import AccountKind
from gateway.http.errors import GatewayError
from gateway.models.model import Model
from gateway.surfaces.media.speech import read_speech_request
from local.poe_official.media import wav_bytes
from reverse.events import FileAttached, Finished, TextDelta
from tests.gateway.scripted import Answer, Hang, House

WAV = wav_bytes()
SOUND = FileAttached("data:audio/wav;base64," + base64.b64encode(WAV).decode(), "audio/wav")
ASK = {"model": "Speaker", "input": "Hello", "voice": "alloy"}


async def speak(house: House, **more: Any) -> Answer:
    return await house.call("/v1/audio/speech", ASK | more)


async def test_the_sound_is_the_body(house: House) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    house.poe.enqueue(TextDelta("listen"), SOUND, Finished())
    answer = await speak(house, speed=1.5, response_format="wav")
    assert (answer.status, answer.body) == (200, WAV)
    assert (answer.headers["content-type"], answer.headers["content-length"]) == ("audio/wav", str(len(WAV)))
    assert "x-gateway-ignored" not in answer.headers
    asked = house.poe.requests[0]
    assert (asked.messages[0].text, asked.parameters) == ("Hello", {"voice": "alloy", "speed": 1.5})


async def test_what_could_not_be_done_is_named(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(SOUND, Finished())
    answer = await speak(house, response_format="mp3")
    assert answer.headers["x-gateway-ignored"] == "voice, response_format"
    assert house.poe.requests[0].parameters == {}


def test_a_declared_option_is_used_by_its_name() -> None:
    model = Model(id="m", bot="m", parameters=({"name": "voice_id"}, {"name": "output_format"}))
    call = read_speech_request({**ASK, "speed": 2, "response_format": "opus", "parameters": {"seed": 1}})
    for kind in AccountKind:
        sent = call.sent(kind, model)
        assert sent == {"voice_id": "alloy", "output_format": "opus", "seed": 1}
    assert call.ignored(sent, "audio/ogg") == ("speed",)


VOICES = {"name": "voice", "schema": {"enum": ["Sarah", "River"]}, "default_value": "Sarah"}
SPEED = {"name": "speed", "schema": {"type": "number", "minimum": 0.5, "maximum": 2}}


@pytest.mark.parametrize(
    ("wishes", "sent", "ignored"),
    [
        ({"voice": "river"}, {"voice": "River"}, ()),
        ({"voice": "alloy"}, {}, ("voice",)),
        ({"voice": "Sarah", "speed": 4}, {"voice": "Sarah", "speed": 2}, ("speed",)),
        ({"voice": "Sarah", "speed": 1.5}, {"voice": "Sarah", "speed": 1.5}, ()),
    ],
)
def test_declared_voices_and_bounds_are_kept_to(wishes: dict[str, Any], sent: dict[str, Any], ignored: Any) -> None:
    model = Model(id="m", bot="m", parameters=(VOICES, SPEED))
    call = read_speech_request({**ASK, **wishes})
    assert call.sent(AccountKind.OFFICIAL, model) == sent
    assert call.ignored(sent, "audio/mpeg") == ignored


def test_an_unknown_voice_is_refused_with_those_that_there_are() -> None:
    call = read_speech_request({**ASK, "voice": "Nobody"})
    with pytest.raises(GatewayError, match="Sarah, River") as caught:
        call.sent(AccountKind.OFFICIAL, Model(id="m", bot="m", parameters=(VOICES,)))
    assert (caught.value.situation.status, caught.value.param) == (400, "voice")


@pytest.mark.parametrize(
    "steps",
    [
        [TextDelta("I can't speak."), Finished()],
        [FileAttached("data:image/png;base64,iVBORw0KGgo=", "audio/wav"), Finished()],
        [FileAttached("https://10.0.0.1/a.wav"), Finished()],
    ],
)
async def test_an_answer_without_a_sound_is_the_upstreams_failure(house: House, steps: list[Any]) -> None:
    await house.add_account()
    house.poe.enqueue(*steps)
    answer = await speak(house)
    assert (answer.status, answer.error["code"]) == (400, "no_audio")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": None}, "input"),
        ({"input": " "}, "input"),
        ({"input": "x" * 40_000}, "input"),
        ({"speed": 9}, "speed"),
        ({"voice": 5}, "voice"),
        ({"response_format": "midi"}, "response_format"),
        ({"stream_format": "sse"}, "stream_format"),
        ({"model": "gpt-image-1"}, "model"),
    ],
)
async def test_what_is_wrong_is_refused(house: House, body: dict[str, Any], param: str) -> None:
    await house.add_account()
    answer = await speak(house, **body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert not house.poe.requests


async def test_leaving_stops_the_bot(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("x"), Hang())
    gone = asyncio.Event()
    task = asyncio.create_task(house.call("/v1/audio/speech", ASK, disconnect=gone))
    await house.until_asked()
    gone.set()
    await task
    assert house.poe.stopped == 1
    assert house.lines("request.ended")[-1]["error"] == "client_gone"
