"""`python -m local.aws.server`: the process that serves AWS's APIs and keeps their state.

Its first line on stdout is one JSON object: `endpoint_url` and `references`, what `Ref` and `GetAtt` of the template
mean here. SIGTERM and SIGINT end it after a last write of the state. While the state can't be written, nothing that
would have to be is accepted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from local.aws.api import LocalApi
from local.aws.keep_alive import KeepAliveHandler
from local.aws.persistence import StateError, read_state, restore_snapshot, take_snapshot, write_state
from local.aws.resources import create_resources
from local.aws.store_faults import VARIABLE, FaultPlan, StoreFaults, StoreFaultsError
from local.template import Template

_SAVE_SECONDS = 2.0


def main(argv: list[str] | None = None) -> int:
    """Serve until a signal. Returns 1 if the state file can't be used, or can't be written at the end."""
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
    server = make_server("127.0.0.1", options.port, api, threaded=True, request_handler=KeepAliveHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    ready = {"endpoint_url": f"http://127.0.0.1:{server.server_port}", "references": references}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    saver = Saver(options.state, api, lambda: take_snapshot(template, api, references))
    while not stop.wait(_SAVE_SECONDS):
        saver.save()
    # While the server still answers: what it accepts until then is part of it.
    is_saved = saver.save_last()
    server.shutdown()
    thread.join()
    server.server_close()
    return 0 if is_saved else 1


def _faults() -> FaultPlan | None:
    """The faults that the environment asks for. Ends the process, with a message, for what can't be read."""
    text = os.environ.get(VARIABLE, "")
    try:
        return FaultPlan(StoreFaults.parse(text)) if text else None
    except StoreFaultsError as error:
        raise SystemExit(str(error)) from None


class Saver:
    """Keeps the state in its file; without a file it does nothing.

    While it can't be written, writes are refused, so that nothing is promised that would be lost.
    """

    def __init__(
        self,
        path: Path | None,
        api: LocalApi,
        snapshot: Callable[[], dict[str, Any]],
        *,
        elsewhere: Path | None = None,
    ) -> None:
        self._path = path
        self._elsewhere = elsewhere or Path(tempfile.gettempdir())
        self._api = api
        self._snapshot = snapshot
        self._saved_calls = -1

    def save(self) -> bool:
        """Write the state if there were calls; whether it is as in the file now."""
        # Taken before the snapshot: a call that comes meanwhile is saved with the next one.
        calls = self._api.total_calls
        if self._path is None or calls == self._saved_calls:
            return True
        try:
            write_state(self._path, self._snapshot())
        except OSError as error:
            if self._api.accepts_writes:
                reason = error.strerror or str(error)
                _tell(f"{self._path} can't be written ({reason}). Nothing more is accepted until it can.")
            self._api.accepts_writes = False
            return False
        if not self._api.accepts_writes:
            _tell(f"{self._path} is written again.")
        self._api.accepts_writes = True
        self._saved_calls = calls
        return True

    def save_last(self) -> bool:
        """Accept nothing more, and write the state: where there is room, if there is none in its place."""
        self._api.close()
        if self._path is None or self.save():
            return True
        elsewhere = self._elsewhere / f"{self._path.stem}-{os.getpid()}{self._path.suffix}"
        try:
            write_state(elsewhere, self._snapshot())
        except OSError as error:
            _tell(f"Nor can {elsewhere} ({error.strerror or error}). What changed since the last write is lost.")
        else:
            _tell(f"The state is in {elsewhere} instead. Move it to {self._path} when there is room.")
        return False


def _tell(line: str) -> None:
    # Where that goes may be as full.
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
