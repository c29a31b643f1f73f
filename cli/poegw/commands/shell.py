"""`completion` and `version`."""

from __future__ import annotations

import click

from poegw import __version__
from poegw.errors import CommandError, Exit
from poegw.state import State, pass_state


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_state
def completion_command(state: State, shell: str) -> None:
    """Print the completion script of a shell.

    bash: `eval "$(poegw completion bash)"`; zsh: the same; fish: `poegw completion fish | source`.
    """
    from click.shell_completion import get_completion_class

    from poegw.main import poegw

    kind = get_completion_class(shell)
    if kind is None:
        raise CommandError(f"There is no completion for {shell}.", status=Exit.USAGE)
    state.output.text(kind(poegw, {}, "poegw", "_POEGW_COMPLETE").source())


@click.command()
@pass_state
def version_command(state: State) -> None:
    """Show the versions of this program and of the gateway."""
    versions: dict[str, object] = {"poegw": __version__, "gateway": None}
    lines = [("poegw", __version__)]
    try:
        # Without a key: who can't log in should still see whether the versions fit.
        reply = state.gateway(needs_key=False).get("/version")
        versions["gateway"] = reply.get("version")
        lines.append(("gateway", str(reply.get("version"))))
    except CommandError as error:
        lines.append(("gateway", f"unknown ({error.message.rstrip('.')})"))
    state.output.item(versions, lines)
