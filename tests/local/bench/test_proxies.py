"""The comparison with LiteLLM: how it is started and ended, what is counted, how it is shown. Needs no LiteLLM."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local.bench.litellm_proxy import ENVIRONMENT, MASTER_KEY, LiteLlm
from local.bench.measure import Piece, TextChunk, post, text_chunks
from local.bench.proxies import Proxies, ProxyFigures, ServerFigures
from local.bench.proxy_table import proxy_lines
from local.bench.streaming import prompt
from local.bench.upstreams import OnTheSpot, delays_of_words
from local.bench.way import LONG_CHUNKS, SHORT_CHUNKS, Way, cpu_costs, flood_rate
from local.poe_official import PoeOfficialSimulator

# Says what it was started with, under the path that the real one has.
STAND_IN = f"""#!{sys.executable}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

options = dict(zip(sys.argv[1::2], sys.argv[2::2]))

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"path": self.path, "options": options, "environment": dict(os.environ)}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass

HTTPServer((options["--host"], int(options["--port"])), Handler).serve_forever()
"""


def install(folder: Path, code: str) -> LiteLlm:
    """An environment that looks like LiteLLM's."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / "python3.11" / "site-packages" / "litellm-1.2.3.dist-info").mkdir(parents=True)
    command = folder / "bin" / "litellm"
    command.write_text(code)
    command.chmod(0o755)
    return LiteLlm.find(folder)


def serve(litellm: LiteLlm, reaper, folder: Path, upstream: str = "http://127.0.0.1:9/v1"):
    return litellm.serve(upstream=upstream, api_key="secret-key", models=["Story"], reaper=reaper, folder=folder)


def test_without_an_installation_it_says_how_to_get_one(tmp_path):
    with pytest.raises(RuntimeError, match="make bench LITELLM=1"):
        LiteLlm.find(tmp_path)


async def test_the_proxy_gets_its_settings_and_nothing_of_the_callers(tmp_path, reaper, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://elsewhere")
    litellm = install(tmp_path / "environment", STAND_IN)
    assert litellm.version == "1.2.3"
    async with serve(litellm, reaper, tmp_path / "run") as server:
        told = json.loads(b"".join(piece.data for piece in await post(f"{server.url}/x", {})))
        assert 0 < server.cold_start_seconds < 60
        assert Path(f"/proc/{server.pid}").exists()
    assert not Path(f"/proc/{server.pid}").exists()
    options, environment = told["options"], told["environment"]
    assert (options["--host"], options["--num_workers"], options["--telemetry"]) == ("127.0.0.1", "1", "False")
    assert environment["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert environment["LITELLM_LOG"] == "ERROR"
    assert environment["LITELLM_MASTER_KEY"] == MASTER_KEY
    assert environment["UPSTREAM_API_KEY"] == "secret-key"
    assert not {"DATABASE_URL", "HTTPS_PROXY", "PYTHONPATH"} & environment.keys()
    config = Path(options["--config"]).read_text()
    assert "secret-key" not in config and MASTER_KEY not in config
    (model,) = json.loads(config)["model_list"]
    assert model["model_name"] == "Story"
    assert model["litellm_params"] == {
        "model": "openai/Story",
        "api_base": "http://127.0.0.1:9/v1",
        "api_key": "os.environ/UPSTREAM_API_KEY",
    }


async def test_it_is_ended_when_the_measuring_fails(tmp_path, reaper):
    litellm = install(tmp_path / "environment", STAND_IN)
    pids = []
    with pytest.raises(ZeroDivisionError):
        async with serve(litellm, reaper, tmp_path / "run") as server:
            pids.append(server.pid)
            raise ZeroDivisionError
    assert not Path(f"/proc/{pids[0]}").exists()


async def test_one_that_ends_at_once_is_reported_with_what_it_said(tmp_path, reaper):
    litellm = install(tmp_path / "environment", f"#!{sys.executable}\nraise SystemExit('no such option')\n")
    with pytest.raises(RuntimeError, match="ended before it answered: no such option"):
        async with serve(litellm, reaper, tmp_path / "run"):
            pass


async def test_the_real_proxy_streams_what_the_upstream_sends(tmp_path, reaper):
    try:
        litellm = LiteLlm.find(ENVIRONMENT)
    except RuntimeError as reason:
        pytest.skip(str(reason))
    async with PoeOfficialSimulator(pace_seconds=0) as simulator:
        simulator.add_account("secret-key")
        async with serve(litellm, reaper, tmp_path, f"{simulator.base_url}/v1") as server:
            url = f"{server.url}/v1/chat/completions"
            chunks = text_chunks(await post(url, prompt(3), api_key=MASTER_KEY))
            with pytest.raises(RuntimeError, match=r"status 40[01]"):
                await post(url, prompt(3), api_key="sk-another")
    assert "".join(chunk.text for chunk in chunks) == "w0001 w0002 w0003"


def test_a_chunk_of_several_words_is_as_late_as_the_last_of_them():
    chunks = [TextChunk(10.0, "w1 "), TextChunk(13.0, "w2 w3 "), TextChunk(14.0, "w4")]
    assert delays_of_words(chunks, [9.0, 10.0, 11.0, 13.5]) == [1.0, 2.0, 0.5]
    with pytest.raises(RuntimeError, match="4 pieces came, 5 were sent"):
        delays_of_words(chunks, [1.0] * 5)
    with pytest.raises(RuntimeError, match="0 pieces came, 1 were sent"):
        delays_of_words([], [1.0])


def answer(count: int) -> list[Piece]:
    data = b"".join(
        b"data: " + json.dumps({"choices": [{"delta": {"content": f"w{number} "}}]}).encode() + b"\n\n"
        for number in range(count)
    )
    return [Piece(float("inf"), data)]


async def test_processor_time_is_split_into_pieces_and_streams(monkeypatch):
    used = {"seconds": 0.0}

    async def ask(count: int, _: float) -> list[Piece]:
        used["seconds"] += 0.01 + count * 0.001
        return answer(count)

    monkeypatch.setattr("local.bench.way.cpu_seconds", lambda _: used["seconds"])
    costs = await cpu_costs(Way(ask, [os.getpid()], OnTheSpot()), 0.0, streams=2)
    assert costs.per_piece == pytest.approx(0.001)
    assert costs.per_stream == pytest.approx(0.01)


async def test_a_stream_that_lost_a_piece_is_not_a_measurement():
    async def ask(count: int, _: float) -> list[Piece]:
        return answer(count - 1)

    way = Way(ask, [], OnTheSpot())
    with pytest.raises(RuntimeError, match=f"{SHORT_CHUNKS - 1} pieces came instead of {SHORT_CHUNKS}"):
        await cpu_costs(way, 0.0)
    with pytest.raises(RuntimeError, match="pieces came instead of"):
        await flood_rate(way)
    assert SHORT_CHUNKS < LONG_CHUNKS


SERVER = ServerFigures(
    brisk_per_cpu_second=3000.0,
    flat_out_per_cpu_second=20_000.0,
    cpu_ms_per_stream=8.0,
    cold_start_ms=200.0,
    memory_mb=45.0,
    peak_mb=50.0,
)
PROXIES = Proxies(
    direct=ProxyFigures("no proxy", "nothing", 0.2, 0.5, 30_000.0),
    gateways=[ProxyFigures("this gateway", "all", 0.6, 1.5, 12_000.0, SERVER)],
    litellm=ProxyFigures(
        "LiteLLM proxy 1.2.3",
        "less",
        2.2,
        3.0,
        1_500.0,
        ServerFigures(
            brisk_per_cpu_second=600.0,
            flat_out_per_cpu_second=1_000.0,
            cpu_ms_per_stream=16.0,
            cold_start_ms=9000.0,
            memory_mb=450.0,
            peak_mb=450.0,
        ),
    ),
)


def test_the_comparison_has_a_row_for_each_and_the_ratios():
    lines = proxy_lines(PROXIES)
    assert "| no proxy | nothing | 0.20 ms | 0.50 ms |  |  |  | 30,000/s |  |  |" in lines
    row = "| LiteLLM proxy 1.2.3 | less | 2.20 ms | 3.00 ms | 600 | 1,000 | 16 ms | 1,500/s | 9,000 ms | 450, 450 MB |"
    assert row in lines
    ratios = "3.7 x (5.0 x) | 2.0 x (2.5 x) | 5.0 x | 20.0 x | 2.0 x | 8.0 x | 45.0 x | 10.0 x, 9.0 x |"
    assert f"| **LiteLLM to this gateway** | | {ratios}" in lines
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {table[0].count("|")}


def test_what_adds_nothing_has_no_ratio():
    litellm = replace(PROXIES.litellm, p50_ms=0.2)
    (line,) = [line for line in proxy_lines(replace(PROXIES, litellm=litellm)) if "LiteLLM to" in line]
    assert "| 0.3 x (none) |" in line


def test_a_run_without_it_says_how_to_measure_it():
    assert proxy_lines(None) == ["Beside a LiteLLM proxy: not measured in this run, `make bench LITELLM=1` does."]
