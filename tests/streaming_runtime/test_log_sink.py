"""Standard output, or frames on a descriptor."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from streaming_runtime import log
from streaming_runtime.log_sink import DESCRIPTOR_VARIABLE, FramedSink, StandardSink, frame_type, open_sink


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_the_descriptor_is_taken_out_of_the_environment(pipe):
    environ = {DESCRIPTOR_VARIABLE: str(pipe[1])}
    assert isinstance(open_sink(environ), FramedSink) and not environ
    assert isinstance(open_sink({DESCRIPTOR_VARIABLE: "none"}), StandardSink)


def test_a_frame_is_written_whole_however_the_descriptor_takes_it(pipe, monkeypatch):
    reading, writing = pipe
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:7])))
    FramedSink(writing).write("half a surrogate \ud800 and é\n", level=logging.INFO)
    monkeypatch.undo()
    frame = os.read(reading, 1000)
    assert frame[:4].hex() == "a55a000f" and int.from_bytes(frame[4:8], "big") == len(frame) - 16
    assert frame[16:].decode() == "half a surrogate \\ud800 and é\n"


def test_a_line_that_can_not_be_written_fails_nothing(monkeypatch):
    """A full disk, or a reader that has gone."""
    with open("/dev/full", "w", encoding="utf-8", buffering=1) as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(sys, "stderr", full)
        StandardSink().write("lost\n")
        StandardSink().write_lines(["lost", "as well"])
        log.problem("lost.too")
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
    reading, writing = os.pipe()
    os.close(reading)
    FramedSink(writing).write("lost\n")
    os.close(writing)


def test_levels_between_the_five_count_as_the_lower_one():
    assert frame_type(25, is_json=False) == frame_type(logging.INFO, is_json=False)
    assert frame_type(7, is_json=True) == frame_type(logging.NOTSET, is_json=True)
    assert frame_type(90, is_json=True) == frame_type(logging.CRITICAL, is_json=True)
