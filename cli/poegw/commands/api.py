"""`api`: a request to the gateway's own API, for what no command does."""

from __future__ import annotations

import json
import sys
from typing import TextIO

import click

from poegw.errors import CommandError, Exit
from poegw.state import State, pass_state


@click.command()
@click.argument("method", type=click.Choice(["GET", "POST", "PUT", "PATCH", "DELETE"], case_sensitive=False))
@click.argument("path")
@click.option("--input", "source", type=click.File("r"), help="File with the JSON body; - for standard input.")
@pass_state
def api_command(state: State, method: str, path: str, source: TextIO | None) -> None:
    """Send a request to PATH, such as /admin/accounts, and print the answer.

    The body is read from a file or from standard input, so that no secret is an argument.
    """
    body = None
    if source is not None:
        try:
            body = json.loads(source.read())
        except ValueError:
            raise CommandError("The body is not JSON.", status=Exit.USAGE) from None
    if not path.startswith("/"):
        raise CommandError("The path begins with a slash, such as /admin/accounts.", status=Exit.USAGE)
    reply = state.gateway().request(method.upper(), path, body=body)
    content = reply.body.decode("utf-8", "replace")
    # A person gets it indented, a program gets the bytes as they are.
    if sys.stdout.isatty():
        try:
            content = json.dumps(json.loads(content), indent=2, ensure_ascii=False)
        except ValueError:
            pass
    state.output.text(content, end="" if content.endswith("\n") or not content else "\n")
