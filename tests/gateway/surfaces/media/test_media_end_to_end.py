"""Media through the real clients, against both simulators."""

from __future__ import annotations

import base64

import pytest

from tests.gateway.surfaces.media.conftest import learn_models
from tests.gateway.surfaces.media.test_images import DATA_URL, PNG, form
from tests.gateway.test_bootstrap import RealHouse

PNG_START = b"\x89PNG\r\n\x1a\n"


async def test_the_simulators_bots_are_listed(real_house: RealHouse) -> None:
    models = {model["id"]: model for model in (await real_house.call("/v1/models")).json["data"]}
    assert "Painter" in models and "Echo" in models
    assert len({name.lower() for name in models}) == len(models)


@pytest.mark.parametrize("response_format", ["url", "b64_json"])
async def test_an_image(real_house: RealHouse, response_format: str) -> None:
    body = {"model": "painter", "prompt": "a cat", "response_format": response_format, "n": 2, "size": "16:9"}
    answer = await real_house.call("/v1/images/generations", body)
    assert answer.status == 200, answer.body
    assert len(answer.json["data"]) == 2
    for item in answer.json["data"]:
        if response_format == "url":
            assert item["url"].startswith("http://127.0.0.1:")
        else:
            assert base64.b64decode(item["b64_json"]).startswith(PNG_START)


async def test_an_image_whose_address_stands_in_the_text(web_house: RealHouse) -> None:
    body = {"model": "Sketcher", "prompt": "a cat", "response_format": "b64_json"}
    answer = await web_house.call("/v1/images/generations", body)
    assert answer.status == 200, answer.body
    assert base64.b64decode(answer.json["data"][0]["b64_json"]).startswith(PNG_START)


async def test_a_bot_that_only_talks_makes_no_image(real_house: RealHouse) -> None:
    answer = await real_house.call("/v1/images/generations", {"model": "Echo", "prompt": "a cat"})
    assert (answer.status, answer.error["code"]) in ((400, "unsupported_endpoint"), (400, "no_image"))


async def test_a_model_of_the_image_endpoint_alone_is_asked_there(official_house: RealHouse) -> None:
    """The embedded list knows it already: no refresh has run."""
    answer = await official_house.call("/v1/images/generations", {"model": "GPT-IMAGE-1", "prompt": "a cat"})
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("as_form", [True, False])
async def test_an_edit(real_house: RealHouse, as_form: bool) -> None:
    if as_form:
        body, headers = form(("model", "Painter", None), ("prompt", "a hat", None), ("image", PNG, "a.png"))
        answer = await real_house.call("/v1/images/edits", raw=body, headers=headers, method="POST")
    else:
        answer = await real_house.call("/v1/images/edits", {"model": "Painter", "prompt": "a hat", "image": DATA_URL})
    assert answer.status == 200, answer.body


async def test_speech(real_house: RealHouse) -> None:
    answer = await real_house.call("/v1/audio/speech", {"model": "speaker", "input": "Hello", "voice": "alloy"})
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.body.startswith(b"RIFF")


async def test_a_voice_that_the_bot_does_not_have_is_refused_with_those_it_has(official_house: RealHouse) -> None:
    await learn_models(official_house)
    answer = await official_house.call("/v1/audio/speech", {"model": "Speaker", "input": "Hello", "voice": "Nobody"})
    assert (answer.status, answer.error["param"]) == (400, "voice")


async def test_a_model_of_the_audio_endpoint_alone_is_asked_there(official_house: RealHouse) -> None:
    answer = await official_house.call("/v1/audio/speech", {"model": "elevenlabs-v3", "input": "Hello", "voice": "x"})
    assert answer.status == 200, answer.body
    assert answer.body.startswith(b"RIFF")


@pytest.mark.parametrize("stream", [True, False])
async def test_older_completions(real_house: RealHouse, stream: bool) -> None:
    answer = await real_house.call("/v1/completions", {"model": "echo", "prompt": "say this", "stream": stream})
    assert answer.status == 200, answer.body
    assert "say" in answer.body.decode() and "this" in answer.body.decode()
