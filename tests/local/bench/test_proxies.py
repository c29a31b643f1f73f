"""Other gateways beside ours: how they are started and ended. Needs none of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from local.bench.litellm_proxy import ENVIRONMENT, MASTER_KEY, LiteLlm
from local.bench.measure import post, text_chunks
from local.bench.portkey import ENVIRONMENT as PORTKEY_ENVIRONMENT
from local.bench.portkey import Portkey
from local.bench.streaming import prompt
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
    with pytest.raises(RuntimeError, match="make bench PEERS=1"):
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


def install_portkey(folder: Path) -> Portkey:
    """An environment that looks like Portkey's."""
    package = folder / "node_modules" / "@portkey-ai" / "gateway"
    (package / "build").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"version": "1.2.3"}))
    (package / "build" / "start-server.js").write_text("")
    return Portkey.find(folder)


def test_portkey_is_found_or_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="make bench PEERS=1"):
        Portkey.find(tmp_path)
    monkeypatch.setattr("local.bench.portkey.shutil.which", lambda _: sys.executable)
    assert install_portkey(tmp_path).version == "1.2.3"


def test_portkey_passes_a_request_on_to_the_upstream():
    assert Portkey.headers("http://127.0.0.1:1/v1") == {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": "http://127.0.0.1:1/v1",
    }
    with pytest.raises(ValueError, match="no HTTP address"):
        Portkey.headers("127.0.0.1:1")


async def test_the_real_portkey_streams_what_the_upstream_sends(tmp_path, reaper):
    try:
        portkey = Portkey.find(PORTKEY_ENVIRONMENT)
    except RuntimeError as reason:
        pytest.skip(str(reason))
    async with PoeOfficialSimulator(pace_seconds=0) as simulator:
        simulator.add_account("secret-key")
        async with portkey.serve(reaper=reaper, folder=tmp_path) as server:
            headers = portkey.headers(f"{simulator.base_url}/v1")
            url = f"{server.url}/v1/chat/completions"
            chunks = text_chunks(await post(url, prompt(3), api_key="secret-key", headers=headers))
    assert "".join(chunk.text for chunk in chunks) == "w0001 w0002 w0003"
