"""The measuring itself, on answers whose times and contents are known."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from datetime import date

import pytest

from local.bench.figures import ColdStarts, Memory, RoundTrips, TableWork
from local.bench.measure import Piece, cpu_seconds, memory_mb, percentile, post, text_chunks
from local.bench.streaming import StreamFigures
from local.bench.table import BEGIN, END, Results, check_readme, to_markdown, update_readme


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


def test_a_chunk_has_the_time_of_its_last_byte_however_it_was_cut():
    stream = b": ping\n\n" + event("a") + event("") + event("b") + b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    for size in (1, 7, 50, len(stream)):
        cut = [stream[start : start + size] for start in range(0, len(stream), size)]
        pieces = [Piece(float(number), data) for number, data in enumerate(cut)]
        chunks = text_chunks(pieces)
        assert [chunk.text for chunk in chunks] == ["a", "b"]
        end_of_b = stream.index(event("b")) + len(event("b")) - 1
        assert chunks[1].time == end_of_b // size


def test_an_error_in_the_stream_is_not_a_measurement():
    with pytest.raises(RuntimeError, match="upstream died"):
        text_chunks([Piece(0.0, b'data: {"error": {"message": "upstream died"}}\n\n')])


def test_percentiles_are_of_the_nearest_rank():
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([3.0], 0.99)) == (51, 100, 3)


def test_processor_time_and_memory_are_those_of_the_process():
    before, until = cpu_seconds([os.getpid()]), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert 0.04 < cpu_seconds([os.getpid()]) - before < 1
    now, peak = memory_mb(os.getpid())
    assert 5 < now <= peak


async def serve_once(answer: list[bytes]) -> tuple[asyncio.Server, str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        for part in answer:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.03)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"


async def test_pieces_of_an_answer_have_the_times_at_which_they_came():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server, url = await serve_once([head + b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n"])
    async with server:
        pieces = await post(url, {})
    assert [piece.data for piece in pieces] == [b"a", b"b"]
    assert pieces[1].time - pieces[0].time > 0.02


async def test_a_refusal_is_not_a_measurement():
    server, url = await serve_once([b"HTTP/1.1 429 No\r\nContent-Length: 2\r\n\r\n{}"])
    async with server:
        with pytest.raises(RuntimeError, match="429"):
            await post(url, {})


@pytest.fixture
def results() -> Results:
    row = StreamFigures(
        name="this",
        includes="all",
        p50_ms=1.234,
        p99_ms=9.0,
        brisk_per_cpu_second=1234.5,
        flat_out_per_cpu_second=9.9,
        cpu_ms_per_stream=7,
    )
    return Results(
        day=date(2026, 11, 22),
        machine="2 cores",
        streaming=[row],
        proxies=None,
        cold_starts=ColdStarts(200, 600),
        round_trips=[RoundTrips("warm", 1, 108.4)],
        published=[],
        table_work=[TableWork("warm", 1, 2)],
        memory=Memory(28, 44, 45),
    )


def test_the_table_replaces_only_what_stands_between_its_marks(results, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nearlier figures\n{END}\nafter\n")
    update_readme(readme, to_markdown(results))
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\nMeasured on 2026-11-22")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "earlier figures" not in text
    assert "| this | all | 1.23 ms | 9.00 ms | 1,234 | 10 | 7 ms |" in text
    update_readme(readme, to_markdown(results))
    assert readme.read_text() == text


def test_the_published_client_has_rows_or_a_way_to_get_them(results):
    assert 'not installed: `make conformance ARGS="--only poe_api_wrapper"`' in to_markdown(results)
    measured = replace(results, published=[RoundTrips("new client", 9, 851.96)])
    assert "1.7.1 by itself, over TLS, new client | 9 (852 ms) |" in to_markdown(measured)


def test_a_readme_without_the_marks_is_found_out_before_measuring(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n")
    with pytest.raises(ValueError, match="no place for the table"):
        check_readme(readme)
