"""The command line program `llm`, as published, told of the gateway in its own `extra-openai-models.yaml`."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from reporting import API_KEY, BASE, PIXEL, announce, check

MODELS = """\
- model_id: poe
  model_name: Assistant
  api_base: {base}
  api_key_name: poe
  supports_tools: true
  supports_schema: true
  vision: true
- model_id: structured
  model_name: Structured
  api_base: {base}
  api_key_name: poe
  supports_schema: true
"""
FUNCTION = "def get_weather(city: str) -> str:\n    return 'Snow in ' + city\n"
announce("llm")
folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
(folder / "extra-openai-models.yaml").write_text(MODELS.format(base=BASE))
(folder / "keys.json").write_text(json.dumps({"poe": API_KEY}))


def llm(*arguments: str, fails: bool = False) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LLM_USER_PATH": str(folder)}
    command = [str(Path(sys.executable).with_name("llm")), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert bool(done.returncode) is fails, done.stderr
    return (done.stderr if fails else done.stdout).strip()


@check("a streamed answer")
def _() -> None:
    assert llm("-m", "poe", "[[say: good day]]") == "good day"


@check("an answer in one piece, with a system prompt")
def _() -> None:
    assert llm("-m", "poe", "--no-stream", "-s", "Be brief.", "[[say: good day]]") == "good day"


@check("a conversation continued")
def _() -> None:
    assert llm("-m", "poe", "-c", "And now?") == "You said: And now?"


@check("usage in its log")
def _() -> None:
    (entry,) = json.loads(llm("logs", "list", "-n", "1", "--json"))
    assert entry["input_tokens"] > 0, entry
    assert entry["output_tokens"] > 0, entry


@check("a tool called and its result used")
def _() -> None:
    call = '[[call: get_weather {"city": "Oslo"}]]'
    assert "Snow in Oslo" in llm("-m", "poe", "--functions", FUNCTION, call)


@check("an answer after a schema")
def _() -> None:
    answer = json.loads(llm("-m", "structured", "--schema", "name, age int", "Who?"))
    assert isinstance(answer["name"], str), answer
    assert isinstance(answer["age"], int), answer


@check("an image attached")
def _() -> None:
    (folder / "pixel.png").write_bytes(base64.b64decode(PIXEL))
    assert "[" in llm("-m", "poe", "-a", str(folder / "pixel.png"), "What is it?")


@check("an error in its words")
def _() -> None:
    assert "API key" in llm("-m", "poe", "--key", "wrong", "Hi", fails=True)
