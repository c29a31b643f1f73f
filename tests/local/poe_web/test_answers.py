"""What bots say, and media that are what they claim to be."""

import io
import struct
import wave
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.poe_web import answers, media
from local.poe_web.answers import Prompt, growing, said
from local.poe_web.bots import standard_bots
from local.poe_web.world import World


@given(st.text())
def test_a_growing_text_only_grows_and_ends_complete_and_whole(text):
    snapshots = growing(text)
    assert snapshots[-1].state == "complete"
    assert snapshots[-1].text == text
    assert [s.end for s in snapshots] == sorted(s.end for s in snapshots)
    assert all(s.state == "incomplete" for s in snapshots[:-1])


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("nothing", None),
        ("[[say: hi]]", "hi"),
        ("a [[say: one]] b [[say: two]] c", "two"),
        ('[[say: {"a":[[1],[2]]}]] after ]]', '{"a":[[1],[2]]}'),
        ("[[say: a ] b ]]", "a ] b"),
        ("[[say: open [ bracket ]]", "open [ bracket"),
        ("[[say: never closed", None),
    ],
)
def test_what_a_prompt_wants_said(prompt, answer):
    assert said(prompt) == answer


def test_the_story_counts_as_far_as_the_last_count_of_the_prompt():
    assert answers.story(Prompt("count 3 and then count 2"))[-1].text == "w0001 w0002"
    assert len(answers.story(Prompt("anything"))[-1].text.split()) == 40
    assert len(answers.story(Prompt("count 99999"))[-1].text.split()) == 20_000


@pytest.mark.parametrize("bot", standard_bots(), ids=lambda bot: bot.handle)
def test_every_bot_ends_its_answer(bot):
    snapshots = bot.answer(Prompt("hi", store=World().store_file))
    assert snapshots[-1].state == "complete"
    assert bot.description


def test_media_bots_need_a_place_for_their_files():
    with pytest.raises(ValueError, match="place"):
        media.painter(Prompt("hi"))


def test_the_image_is_a_png_of_its_size():
    data = media.png(20, 10)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (20, 10)
    start = data.index(b"IDAT") + 4
    assert len(zlib.decompressobj().decompress(data[start:])) == 10 * (1 + 3 * 20)


def test_the_sound_is_a_wav_of_its_length():
    with wave.open(io.BytesIO(media.wav(0.5))) as sound:
        assert sound.getnframes() / sound.getframerate() == 0.5
