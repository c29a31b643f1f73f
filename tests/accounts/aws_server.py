"""Moto as one service: run as a process, it prints its address and serves until it is terminated."""

from __future__ import annotations

import sys

from werkzeug.serving import make_server

from local.aws.api import LocalApi
from local.aws.keep_alive import KeepAliveHandler


def serve() -> None:
    server = make_server("127.0.0.1", 0, LocalApi(), threaded=True, request_handler=KeepAliveHandler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    serve()
