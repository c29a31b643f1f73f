"""Try a running gateway from outside: health, models, one answer whole, one streamed, and the accounts.

    . .local/run.env && python scripts/manual_e2e_test.py
    python scripts/manual_e2e_test.py --model Claude-Sonnet-4.5 --yes

Two short answers spend points; it asks before, unless `--yes` is given. The exit status is 1 if a step failed.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx

from scripts.gateway_access import (
    ADMIN_NAMES,
    KEY_NAMES,
    URL_NAMES,
    AccessError,
    add_arguments,
    answer_of,
    connect,
    first_of,
    read_variables,
    run,
)

DEFAULT_MODEL = "Assistant"
QUESTION = [{"role": "user", "content": "Say hello in one sentence."}]
DATA = "data: "


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_arguments(parser, timeout=120)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="whom to ask; default: %(default)s")
    parser.add_argument("--yes", action="store_true", help="do not ask before points are spent")
    options = parser.parse_args(argv)
    return run(lambda environ: try_gateway(options, environ))


def try_gateway(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Every step, with a line for each. Raises `AccessError` where the gateway or a key is not known."""
    variables = read_variables(options.env_file, environ)
    url = first_of(variables, URL_NAMES, options.base_url)
    keys = first_of(variables, KEY_NAMES), first_of(variables, ADMIN_NAMES, options.admin_api_key)
    if not options.yes and not _agreed(options.model):
        return 1
    is_good = True
    with connect(url, keys[0], options.timeout) as client, connect(url, keys[1], options.timeout) as admin:
        for name, step in steps(client, admin, options.model):
            try:
                print(f"ok    {name}: {step()}")
            except AccessError as error:
                is_good = False
                print(f"fail  {name}: {error}")
    return 0 if is_good else 1


def _agreed(model: str) -> bool:
    if not sys.stdin.isatty():
        raise AccessError("Two short answers spend points: say --yes.")
    return input(f"Two short answers of {model} will spend points. Go on? [y/N] ").strip().lower() in ("y", "yes")


def steps(client: httpx.Client, admin: httpx.Client, model: str) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name and work of each; the work returns what it found."""
    yield "health", lambda: answer_of(client.get("/healthz"))["status"]
    yield "models", lambda: f"{len(answer_of(client.get('/v1/models'))['data'])} names"
    yield "answer", lambda: _answer(client, model)
    yield "stream", lambda: _stream(client, model)
    yield "accounts", lambda: _accounts(admin)


def _answer(client: httpx.Client, model: str) -> str:
    answer = answer_of(client.post("/v1/chat/completions", json={"model": model, "messages": QUESTION}))
    return repr(answer["choices"][0]["message"]["content"][:80])


def _stream(client: httpx.Client, model: str) -> str:
    """Count the pieces. Raises `AccessError` for a stream that fails, or does not end as OpenAI's does."""
    body = {"model": model, "messages": QUESTION, "stream": True}
    pieces, last = 0, ""
    with client.stream("POST", "/v1/chat/completions", json=body) as reply:
        if not reply.is_success:
            reply.read()
            answer_of(reply)
        for line in reply.iter_lines():
            if not line.startswith(DATA):
                continue
            last = line.removeprefix(DATA)
            event = {} if last == "[DONE]" else json.loads(last)
            if "error" in event:
                raise AccessError(event["error"]["message"])
            pieces += sum(bool(choice["delta"].get("content")) for choice in event.get("choices", ()))
    if last != "[DONE]":
        raise AccessError("The stream ended early.")
    return f"{pieces} pieces"


def _accounts(admin: httpx.Client) -> str:
    summary = answer_of(admin.get("/admin/accounts/summary"))
    return f"{summary['available']} of {summary['total']} available"


if __name__ == "__main__":
    sys.exit(main())
