"""The module that servers and Lambda load, in processes of its own: buffered answers, and the cost of the import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("accounts", "pool", "streaming_runtime")
PATHS = [ROOT, ROOT / "functions", *(ROOT / "layers" / name for name in LAYERS)]
# What a cold start must not load before the first answer; each costs tens of milliseconds or more.
HEAVY = {
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "fastapi",
    "httpx",
    "pydantic",
    "quickjs",
    "uvicorn",
    "websockets",
}

MOST_METHODS = 30
MOST_PATTERNS = 140

# Mangum asks for an event loop where Python 3.12 and 3.13 warn that there is none yet; it makes one.
WARNINGS = ("-W", "error", "-W", "ignore:There is no current event loop:DeprecationWarning")


def run(code: str, environment: Mapping[str, str] | None = None) -> str:
    environ = {
        "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
        "GATEWAY_STORE": "memory",
        "GATEWAY_ADMIN_KEY": "admin-key-for-tests-0123456789",
        "PATH": os.environ["PATH"],
        **(environment or {}),
    }
    done = subprocess.run(
        [sys.executable, *WARNINGS, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lambdas_own_runtime_gets_buffered_answers() -> None:
    """One sandbox, several invocations: services and connections live on."""
    output = run(
        """
import json
from gateway.asgi import app, handler

def event(method, path, body=None, headers=None):
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": "x", "content-type": "application/json", **(headers or {})},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "1.2.3.4", "userAgent": "x",
                                    "protocol": "HTTP/1.1"}, "domainName": "x", "stage": "$default"},
        "body": None if body is None else json.dumps(body), "isBase64Encoded": False,
    }

admin = {"authorization": "Bearer admin-key-for-tests-0123456789"}
made = handler(event("POST", "/admin/keys", {"name": "a"}, admin), None)
key = json.loads(made["body"])["key"]
services = app.services
listed = handler(event("GET", "/v1/models", headers={"authorization": f"Bearer {key}"}), None)
assert app.services is services
failed = handler(event("POST", "/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}]},
                       {"authorization": f"Bearer {key}"}), None)
statuses = [answer["statusCode"] for answer in (made, listed, failed)]
print("RESULT", json.dumps([statuses, json.loads(failed["body"])["error"]["code"]]))
"""
    )
    assert json.loads(output.split("RESULT ", 1)[1]) == [[201, 200, 503], "no_accounts"]


def test_a_cold_start_loads_nothing_heavy() -> None:
    loaded = set(json.loads(run("import gateway.asgi, json, sys; print(json.dumps(sorted(sys.modules)))")))
    assert "gateway.surfaces.chat.route" in loaded
    assert not loaded & HEAVY


def test_the_import_is_quick(tmp_path: Path) -> None:
    """Against the libraries without which nothing would work, on the same machine at the same time."""
    code = """
import time
started = time.process_time()
import asyncio, json, mangum, starlette.routing
libraries = time.process_time()
import gateway.asgi
print((time.process_time() - libraries) / (libraries - started))
"""
    # Both sides are read as bytecode, as on Lambda, whatever the checkout and the environment have compiled so far.
    compiled = {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    run(code, compiled)
    # Other work on the machine only ever adds to it: one quick run of several shows that it is quick.
    assert any(float(run(code, compiled)) < 1.5 for _ in range(9))


def test_the_import_compiles_little() -> None:
    """Counted, which no other work on the machine changes: methods of dataclasses, and regular expressions."""
    code = """
import asyncio, json, sys, mangum, starlette.routing
import re._compiler
made = {"methods": 0, "patterns": 0}
def note(event, given):
    made["methods"] += event == "compile" and "def __init__(" in str(given[0])
sys.addaudithook(note)
compile_pattern = re._compiler.compile
def counted(*given):
    made["patterns"] += 1
    return compile_pattern(*given)
re._compiler.compile = counted
import gateway.asgi
print(json.dumps(made))
"""
    made = json.loads(run(code))
    # There are more than 120 dataclasses; those of which instances are made at the import are counted.
    assert 0 < made["methods"] <= MOST_METHODS
    assert 0 < made["patterns"] <= MOST_PATTERNS
