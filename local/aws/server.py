"""`python -m local.aws.server`: the process that serves AWS's APIs and keeps their state.

Its first line on stdout is one JSON object: `endpoint_url` and `references`, what `Ref` and `GetAtt` of the template
mean here. SIGTERM and SIGINT end it after a last write of the state.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from local.aws.api import LocalApi
from local.aws.persistence import StateError, read_state, restore_snapshot, take_snapshot, write_state
from local.aws.resources import References, create_resources
from local.aws.store_faults import VARIABLE, FaultPlan, StoreFaults, StoreFaultsError
from local.template import Template

_SAVE_SECONDS = 2.0


class _Handler(MotoRequestHandler):
    # Head and body of an answer are two writes; with Nagle's algorithm the second would wait for an acknowledgement.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the calls are counted."""


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal. Returns 1 if the state file can't be used."""
    parser = argparse.ArgumentParser(prog="python -m local.aws.server", description=__doc__)
    parser.add_argument("--template", type=Path, default=Path("template.yaml"))
    parser.add_argument("--state", type=Path, help="file that keeps the state; without it everything is forgotten")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    template, api = Template.load(options.template), LocalApi(faults=_faults())
    references = create_resources(template, api)
    try:
        if options.state is not None and (snapshot := read_state(options.state)) is not None:
            references = restore_snapshot(snapshot, api, references)
    except StateError as error:
        sys.stderr.write(f"{options.state} can't be used: {error}. Move it away to start afresh.\n")
        return 1
    server = make_server("127.0.0.1", options.port, api, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    ready = {"endpoint_url": f"http://127.0.0.1:{server.server_port}", "references": references}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    _keep_saving(options.state, template, api, references, stop)
    server.shutdown()
    thread.join()
    server.server_close()
    return 0


def _faults() -> FaultPlan | None:
    """The faults that the environment asks for. Ends the process, with a message, for what can't be read."""
    text = os.environ.get(VARIABLE, "")
    try:
        return FaultPlan(StoreFaults.parse(text)) if text else None
    except StoreFaultsError as error:
        raise SystemExit(str(error)) from None


def _keep_saving(
    path: Path | None, template: Template, api: LocalApi, references: References, stop: threading.Event
) -> None:
    """Write the state whenever there were calls, and once at the end."""
    saved_calls = -1
    while True:
        is_last = stop.wait(_SAVE_SECONDS)
        calls = api.total_calls
        if path is not None and calls != saved_calls:
            write_state(path, take_snapshot(template, api, references))
            saved_calls = calls
        if is_last:
            return


if __name__ == "__main__":
    sys.exit(main())
