"""`env`, `run` and `open`: other programs, pointed at the gateway."""

from __future__ import annotations

import os
import shlex
import shutil

import click

from poegw.api import base_url
from poegw.errors import CommandError
from poegw.state import State, pass_state

PROGRAMS = ("claude", "codex", "opencode")


def variables(url: str, key: str) -> dict[str, str]:
    """What OpenAI's and Anthropic's clients read. Anthropic's add `/v1` themselves."""
    base = base_url(url)
    return {
        "OPENAI_BASE_URL": f"{base}/v1",
        "OPENAI_API_KEY": key,
        "ANTHROPIC_BASE_URL": base,
        "ANTHROPIC_AUTH_TOKEN": key,
    }


@click.command()
@click.option("--shell", type=click.Choice(["sh", "fish", "powershell", "dotenv"]), default="sh", show_default=True)
@pass_state
def env_command(state: State, shell: str) -> None:
    """Print the variables that OpenAI's and Anthropic's clients read: `eval "$(poegw env)"`.

    The key is in them: this is for a shell to read, not for a screen.
    """
    for name, value in variables(*state.client_key()).items():
        state.output.text(assignment(shell, name, value))


def assignment(shell: str, name: str, value: str) -> str:
    """A line that sets a variable, in the language of a shell."""
    match shell:
        case "sh":
            return f"export {name}={shlex.quote(value)}"
        case "fish":
            return f"set -gx {name} {shlex.quote(value)}"
        case "powershell":
            return f"$env:{name} = '{value.replace(chr(39), chr(39) * 2)}'"
    return f"{name}={value}"


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@pass_state
def run_command(state: State, program: str, arguments: tuple[str, ...]) -> None:
    """Start PROGRAM with the variables of `poegw env`: claude, codex, opencode, or any other."""
    path = shutil.which(program)
    if path is None:
        raise CommandError(f"{program[:80]!r} is not installed here.", hint=f"Known to work: {', '.join(PROGRAMS)}.")
    # In place of this process: signals and the terminal are the program's own.
    os.execve(path, [program, *arguments], {**os.environ, **variables(*state.client_key())})  # noqa: S606 - what it is for


@click.command()
@pass_state
def open_command(state: State) -> None:
    """Open the gateway's console in the browser."""
    import webbrowser

    address = f"{base_url(state.target().url)}/console/"
    if not webbrowser.open(address):
        raise CommandError("No browser could be started.", hint=f"Open {address} yourself.")
    state.output.note(f"Opened {address}.")
