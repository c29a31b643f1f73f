"""The official SDK in strict mode on the endpoints whose answers are files, on older completions and on models."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import openai
import pytest

from local.poe_official.media import png_bytes, wav_bytes
from reverse.errors import ErrorCode, poe_error
from reverse.events import FileAttached, Finished, TextDelta, UsageReported
from tests.contract.conftest import Front

PNG = png_bytes()
IMAGE = FileAttached("data:image/png;base64," + base64.b64encode(PNG).decode(), "image/png")
SOUND = FileAttached("data:audio/wav;base64," + base64.b64encode(wav_bytes()).decode(), "audio/wav")


async def test_images_generate(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(FileAttached("https://files.example.com/a.png", "image/png"), Finished())
    front.house.poe.enqueue(IMAGE, UsageReported(5, 9, points=20), Finished())
    async with front.client() as client:
        by_address = await client.images.generate(model="Painter", prompt="a cat", size="1536x1024", quality="auto")
        itself = await client.images.generate(model="Painter", prompt="a cat", response_format="b64_json", n=1)
    assert by_address.data is not None and by_address.data[0].url == "https://files.example.com/a.png"
    assert itself.data is not None and base64.b64decode(itself.data[0].b64_json or "") == PNG
    assert itself.usage is not None and itself.usage.total_tokens == 14


async def test_images_edit_with_several_images_and_a_mask(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(IMAGE, Finished())
    images: Any = [("one.png", PNG), ("two.png", PNG)]
    async with front.client() as client:
        made = await client.images.edit(
            model="Painter", image=images, mask=("mask.png", PNG), prompt="a hat", response_format="b64_json"
        )
        front.house.poe.enqueue(IMAGE, Finished())
        await client.images.edit(model="Painter", image=PNG, prompt="a hat")
    assert made.data is not None and made.data[0].b64_json
    several, single = front.house.poe.requests
    assert [file.name for file in several.messages[0].attachments] == ["one.png", "two.png", "mask.png"]
    assert len(single.messages[0].attachments) == 1


async def test_streamed_images_are_refused_clearly(front: Front) -> None:
    async with front.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.images.generate(model="Painter", prompt="a cat", stream=True)
    assert (caught.value.param, caught.value.code) == ("stream", "unsupported_value")
    assert len(front.requests) == 1


async def test_images_are_refused_by_content_once(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(poe_error(ErrorCode.CONTENT_REFUSED))
    async with front.client() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.images.generate(model="Painter", prompt="a cat")
    assert caught.value.code == "content_filter"


async def test_audio_speech(front: Front, tmp_path: Path) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(SOUND, Finished())
    front.house.poe.enqueue(SOUND, Finished())
    async with front.client() as client:
        spoken = await client.audio.speech.create(model="Speaker", input="Hello", voice="alloy")
        async with client.audio.speech.with_streaming_response.create(
            model="Speaker", input="Hello", voice="alloy", response_format="wav", speed=1.25
        ) as response:
            await response.stream_to_file(tmp_path / "speech.wav")
            assert response.headers["content-type"] == "audio/wav"
    assert spoken.content == wav_bytes()
    assert (tmp_path / "speech.wav").read_bytes() == wav_bytes()


# OpenAI has announced the end of its own videos; the SDK says so at every call.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_videos(front: Front) -> None:
    await front.house.add_account()
    film = FileAttached("data:video/mp4;base64," + base64.b64encode(b"\0\0\0\x18ftypisom").decode(), "video/mp4")
    for _ in range(2):
        front.house.poe.enqueue(film, Finished())
    async with front.client() as client:
        video = await client.videos.create(model="sora-like", prompt="a cat", seconds="8", size="1280x720")
        assert (video.status, video.seconds, video.size) == ("completed", "8", "1280x720")
        assert (await client.videos.retrieve(video.id)).progress == 100
        content = await client.videos.download_content(video.id)
        assert content.content[4:8] == b"ftyp"
        assert (await client.videos.delete(video.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await client.videos.retrieve(video.id)
        begun: Any = ("first.png", PNG)
        polled = await client.videos.create_and_poll(model="sora-like", prompt="a cat", input_reference=begun)
        assert polled.status == "completed"
    assert len(front.house.poe.requests[1].messages[0].attachments) == 1


async def test_older_completions(front: Front) -> None:
    await front.house.add_account()
    front.house.poe.enqueue(TextDelta("Hello"), UsageReported(3, 1), Finished())
    async with front.client() as client:
        completion = await client.completions.create(model="GPT-X", prompt="Say hello", max_tokens=5)
    assert completion.choices[0].text == "Hello"
    assert completion.usage is not None and completion.usage.total_tokens == 4


async def test_older_completions_streamed(front: Front) -> None:
    """Not in strict mode: the SDK's type for a chunk has no place for the null that OpenAI itself sends."""
    await front.house.add_account()
    async with front.client(_strict_response_validation=False) as client:
        stream = await client.completions.create(model="GPT-X", prompt=["a", "b"], stream=True)
        texts: dict[int, str] = {}
        async for chunk in stream:
            for choice in chunk.choices:
                texts[choice.index] = texts.get(choice.index, "") + choice.text
    assert texts == {0: "Hello there", 1: "Hello there"}


async def test_models_with_slashes_in_their_names_and_all_that_is_known(front: Front) -> None:
    entry = {"id": "vendor/Model-1", "owned_by": "vendor", "context_length": 9, "output_modalities": ["text"]}
    await front.house.store.put_config("models", {"updated_at": 1.0, "created": 1_700_000_000, "models": [entry]})
    async with front.client() as client:
        model = await client.models.retrieve("VENDOR/model-1")
        listed = [item async for item in client.models.list()]
    assert model.to_dict()["tokens"] == 9
    assert [item.id for item in listed] == ["vendor/Model-1"]
    assert model.created == 1_700_000_000


async def test_what_is_not_offered(front: Front) -> None:
    async with front.client() as client:
        with pytest.raises(openai.NotFoundError, match="Embeddings are not offered"):
            await client.embeddings.create(model="m", input="x")
        with pytest.raises(openai.NotFoundError, match="Moderation is not offered"):
            await client.moderations.create(input="x")
        with pytest.raises(openai.NotFoundError, match="Transcription is not offered"):
            await client.audio.transcriptions.create(model="m", file=("a.wav", wav_bytes()))
        with pytest.raises(openai.NotFoundError, match="Batches are not offered"):
            await client.batches.list()
    assert len(front.requests) == 4, "none is tried again"
