"""The text that `python -m local run` prints once everything is up."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from local.settings import Upstream

SAMPLE_MODEL = "Assistant"
LOOPBACK = ("127.0.0.1", "::1", "localhost")

_READY = """
The Poe gateway is up at {url}/v1  ({upstream})
{account}
A streamed answer with curl:

curl -N {url}/v1/chat/completions -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "Say hello"}}]}}'

With the OpenAI SDK (python -m pip install openai):

from openai import OpenAI
client = OpenAI(base_url="{url}/v1", api_key="{key}")
messages = [{{"role": "user", "content": "Say hello"}}]
for chunk in client.chat.completions.create(model="{model}", messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)

In another terminal, `. {run_file}` sets OPENAI_BASE_URL, OPENAI_API_KEY and GATEWAY_ADMIN_KEY.
`.venv/bin/poegw status` and `.venv/bin/poegw --help` then show what there is, and what you can do with it.
In the browser: {url}/console/ (sign in with the GATEWAY_ADMIN_KEY of {run_file}).
The functions' logs are in {logs}.

{exposure}Ctrl-C ends it.
"""
_EXPOSED = """\
HOST={host} lets other machines reach it, unencrypted{addresses}. Whoever has an API key can spend its points.

"""
_ADD_ACCOUNT = """
Add an account of your own, once, from another terminal, after `. {run_file}`. It asks for the key without showing it:

.venv/bin/poegw accounts add official    # an API key from poe.com/api/keys
.venv/bin/poegw accounts add web         # the cookies of your signed-in browser, for the unofficial web API
"""
_UPSTREAMS = {
    Upstream.SIMULATOR: "everything outside is simulated on this machine",
    Upstream.LIVE: "it speaks to poe.com",
}


def ready_text(
    *, url: str, api_key: str, upstream: Upstream, run_file: Path, logs: Path, host: str, addresses: Sequence[str] = ()
) -> str:
    """Addresses and things to paste. Holds the local API key, which is worth something on this machine only."""
    sourced = shlex.quote(str(run_file))
    account = _ADD_ACCOUNT.format(run_file=sourced) if upstream is Upstream.LIVE else ""
    exposure = ""
    if host not in LOOPBACK:
        there = f", at {', '.join(addresses)}" if addresses else ""
        exposure = _EXPOSED.format(host=host, addresses=there)
    return _READY.format(
        exposure=exposure,
        url=url,
        key=api_key,
        model=SAMPLE_MODEL,
        upstream=_UPSTREAMS[upstream],
        account=account,
        run_file=sourced,
        logs=logs,
    )
