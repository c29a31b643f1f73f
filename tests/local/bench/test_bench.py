"""The measuring itself, on answers whose times and contents are known."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import date

import pytest

from gateway.console.api import PAGES
from local.bench.console_pages import measure_console_pages
from local.bench.figures import Memory, RoundTrips, TableWork
from local.bench.first_token import STACK, FirstTokens
from local.bench.load import LargePrompt, ManyStreams, large_prompts
from local.bench.measure import Piece, TextChunk, cpu_seconds, memory_mb, percentile, post, text_chunks
from local.bench.model_list import entries
from local.bench.report import BEGIN, END, Report, check_readme, shortened, to_markdown, update_readme
from local.bench.run import PAGE, README
from local.bench.served import served
from local.bench.streaming import DIRECT, FLOOR, FLOOR_PROGRAM, ON_RUNTIME, prompt
from local.bench.upstreams import delays_of_words
from local.bench.way import PACED_PIECES, Samples, Way, add_round
from local.poe_official import PoeOfficialSimulator


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


def test_large_requests_are_as_large_as_their_names_say():
    sizes = [len(json.dumps(body)) for body in large_prompts().values()]
    assert sizes[:4] == [pytest.approx(size, rel=0.05) for size in (10_000, 100_000, 1_000_000, 4_000_000)]
    assert len(large_prompts()["1,000 messages"]["messages"]) == 1000
    assert len(large_prompts()["100 tools"]["tools"]) == 100


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


def test_a_chunk_of_several_words_is_as_late_as_the_last_of_them():
    chunks = [TextChunk(10.0, "w1 "), TextChunk(13.0, "w2 w3 "), TextChunk(14.0, "w4")]
    assert delays_of_words(chunks, [9.0, 10.0, 11.0, 13.5]) == [1.0, 2.0, 0.5]
    with pytest.raises(RuntimeError, match="4 pieces came, 5 were sent"):
        delays_of_words(chunks, [1.0] * 5)
    with pytest.raises(RuntimeError, match="0 pieces came, 1 were sent"):
        delays_of_words([], [1.0])


class Upstream:
    """Notes its pace; its pieces take a millisecond each."""

    async def set_pace(self, seconds: float) -> None:
        self.pace = seconds

    async def delays(self, chunks, since):
        return [0.001 for _ in chunks]


def answer(count: int) -> list[Piece]:
    return [Piece(0.0, b"".join(event(f"w{number} ") for number in range(count)))]


async def test_processor_time_is_split_into_pieces_and_streams(monkeypatch):
    used = {"seconds": 1.0}

    async def ask(count: int, pace: float) -> list[Piece]:
        used["seconds"] += 0.01 + count * (0.001 if pace else 0.0001)
        return answer(count)

    monkeypatch.setattr("local.bench.way.cpu_seconds", lambda _: used["seconds"])
    samples = Samples()
    await add_round(Way(ask, [os.getpid()], Upstream()), samples)
    assert samples.paced == [pytest.approx(0.001)]
    assert samples.flat_out == [pytest.approx(0.0001)]
    assert samples.per_stream == [pytest.approx(0.01)]
    assert len(samples.delays) == sum(PACED_PIECES)
    assert samples.memory_mb > 0


async def test_a_stream_that_lost_a_piece_is_not_a_measurement():
    async def ask(count: int, _: float) -> list[Piece]:
        return answer(count - 1)

    with pytest.raises(RuntimeError, match=f"{PACED_PIECES[0] - 1} pieces came instead of {PACED_PIECES[0]}"):
        await add_round(Way(ask, [], Upstream()), Samples())


def samples(paced: float, flat_out: float) -> Samples:
    return Samples(
        delays=[0.001, 0.002],
        paced=[paced, paced * 2, paced * 3],
        flat_out=[flat_out],
        per_stream=[0.008],
        memory_mb=50.0,
    )


@pytest.fixture
def report() -> Report:
    filled = Report(day=date(2026, 11, 22), machine="2 cores")
    filled.official.samples = {
        DIRECT: Samples(delays=[0.001], paced=[0.0], flat_out=[0.0]),
        FLOOR: samples(0.0001, 0.000002),
        ON_RUNTIME: samples(0.00015, 0.000004),
    }
    filled.first_tokens = {
        "this gateway, official account": FirstTokens(init=[0.3], wait=[0.05], work=[0.029]),
        STACK: FirstTokens(init=[1.0], wait=[0.1], work=[0.058]),
    }
    filled.many = [
        ManyStreams("in memory", 100, [0.1, 0.5, 0.2], 0.005, 0.04, table_calls=0.0, table_cpu=0.0),
    ]
    filled.prompts = [LargePrompt("of 1 MB", 1_000_056, {"official": [0.02, 0.021, 0.022], "web": [0.03]})]
    filled.round_trips = [RoundTrips("warm", 1, 108.4)]
    filled.published = []
    filled.table_work = [TableWork("warm", 1, 2)]
    filled.memory = Memory(28, 44, 45)
    return filled


def test_rows_have_their_spread_and_how_many_times_the_floor_they_cost(report):
    lines = to_markdown(report).splitlines()
    row = "2.00 ms | 2.00 ms | 300 (150 to 450) µs | 4.0 (4.0 to 4.0) µs | 1.50, 2.0 | 1.00, 1.0 | 8 ms | 50 MB |"
    assert any(line.startswith(f"| {ON_RUNTIME} |") and line.endswith(row) for line in lines)
    for table in ("| official route", "| first token"):
        start = next(number for number, line in enumerate(lines) if line.startswith(table))
        rows = [line for line in lines[start : start + 4] if line.startswith("|")]
        assert {line.count("|") for line in rows} == {rows[0].count("|")}


def test_the_first_token_is_told_at_the_share_of_a_processor(report):
    text = to_markdown(report)
    # 300 ms of init, and 29 ms of work that become 100.
    assert "| 300 (300 to 300) ms | 50 (50 to 50) ms | 29 (29 to 29) ms | 100 ms | 400 (400 to 400) ms | 0.33 |" in text


def test_many_streams_and_large_requests_have_rows(report):
    text = to_markdown(report)
    assert "| 100, accounts and keys in memory | 0.20 s | 0.50 s | 5.0 ms | 40 KB | 0.0, 0 ms |" in text
    assert "| of 1 MB | 1,000 KB | 21 (20 to 22) ms | 30 (30 to 30) ms |" in text


def test_what_there_was_no_time_for_is_named_and_the_rest_is_there(report):
    report.web.samples = {ON_RUNTIME: Samples(delays=[0.001], paced=[0.001])}
    report.missing = ["web", "rest"]
    report.memory = None
    text = to_markdown(report)
    assert "No time was left for: web, rest." in text
    assert "| web route" not in text and "resident memory" not in text
    assert "| official route" in text


def test_the_tables_replace_only_what_stands_between_their_marks(report, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nearlier figures\n{END}\nafter\n")
    update_readme(readme, to_markdown(report))
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\nMeasured on 2026-11-22")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "earlier figures" not in text
    update_readme(readme, to_markdown(report))
    assert readme.read_text() == text


def test_the_published_client_has_rows_or_a_way_to_get_them(report):
    assert 'not installed: `make conformance ARGS="--only poe_api_wrapper"`' in to_markdown(report)
    report.published = [RoundTrips("new client", 9, 851.96)]
    assert "1.7.1 by itself, over TLS, new client | 9 (852 ms) |" in to_markdown(report)


def test_a_readme_without_the_marks_is_found_out_before_measuring(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n")
    with pytest.raises(ValueError, match="no place for the table"):
        check_readme(readme)


def test_the_list_of_models_has_the_size_of_poes():
    listed = entries()
    assert len(listed) == 362
    assert 350_000 < len(json.dumps(listed)) < 450_000
    assert listed == entries()


async def test_the_floor_streams_what_the_upstream_sends(tmp_path, reaper):
    async with PoeOfficialSimulator(pace_seconds=0) as simulator:
        simulator.add_account("secret-key")
        environment = {
            "PATH": os.environ["PATH"],
            "BENCH_UPSTREAM": f"{simulator.base_url}/v1",
            "BENCH_UPSTREAM_KEY": "secret-key",
        }
        command, log = [sys.executable, str(FLOOR_PROGRAM)], tmp_path / "floor.log"
        async with served(command, health="/", environment=environment, reaper=reaper, log=log) as server:
            chunks = text_chunks(await post(f"{server.url}/v1/chat/completions", prompt(50)))
    assert "".join(chunk.text for chunk in chunks).split() == [f"w{number:04}" for number in range(1, 51)]


def test_the_readme_has_rows_of_the_first_table_as_medians(report):
    text = to_markdown(report)
    short = shortened(text)
    assert short.splitlines()[0] == text.splitlines()[0].replace(", with the lowest and the highest", "")
    rows = [line for line in short.splitlines() if line.startswith("|")]
    assert rows[0] == "| official route | p50 | CPU per piece, paced | times the floor: paced, flat out | memory |"
    assert [row.split(" | ")[0] for row in rows[2:]] == [f"| {FLOOR}", f"| {ON_RUNTIME}"]
    assert {row.count("|") for row in rows} == {6}
    assert " (" not in "".join(rows)


def test_the_rows_in_the_readme_are_those_of_the_measuring_page():
    readme, page = (path.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0] for path in (README, PAGE))
    assert readme.strip() == shortened(page.strip()).strip()
    rows = [line for line in readme.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 5
    assert rows[0].startswith("| official route |")


async def test_each_page_of_the_console_is_measured_and_scans_nothing(monkeypatch):
    """A few requests only: what a page costs with a month of them is for the bench to say."""
    # The hours of the day so far are read one by one: the later, the more calls. Yesterday's noon, because not every
    # clock is this one: to the others it must not be the future.
    noon = time.time() // 86_400 * 86_400 - 43_200
    monkeypatch.setattr(time, "time", lambda: noon)
    costs = await measure_console_pages(requests=50, rounds=1)
    assert {cost.name.partition(",")[0] for cost in costs} == set(PAGES)
    for cost in costs:
        assert 0 < cost.calls <= 20, cost.name
        assert 0 < cost.rounds <= min(cost.calls, 13), cost.name
        assert 0 < cost.read_units < 250, cost.name
    lines = to_markdown(Report(date(2027, 1, 15), "2 cores", pages=costs)).splitlines()
    assert any(line.startswith("| overview, 30 days | ") for line in lines)
