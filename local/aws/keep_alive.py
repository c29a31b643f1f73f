"""A WSGI server's requests over connections that are kept, as AWS keeps them."""

from __future__ import annotations

from io import BytesIO

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.test import run_wsgi_app


class KeepAliveHandler(MotoRequestHandler):
    """Serves one connection of werkzeug's server, with an answer in one piece for each request.

    werkzeug's own handler ends every connection, because it does not know whether a request was read to its end: each
    call would cost its client a handshake.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Head and body of an answer leave together.
    wbufsize = -1

    def run_wsgi(self) -> None:
        """Answer one request. What the application raises ends the connection, and is in the server's log."""
        environ = self.make_environ()
        # Where a body of another form ends, only the application finds out.
        is_kept = "Transfer-Encoding" not in self.headers
        if is_kept:
            environ["wsgi.input"] = BytesIO(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        body = b"".join(parts)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        if not is_kept:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the calls are counted."""
