"""`poegw`: the commands by name. A command's module is imported when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from poegw import __version__
from poegw.errors import CommandError, Exit
from poegw.state import OPTION_NAMES, State, shared_options

COMMANDS = {
    "login": ("poegw.commands.login", "Log in to a gateway on this machine."),
    "logout": ("poegw.commands.login", "Revoke this machine's key and forget the gateway."),
    "whoami": ("poegw.commands.login", "Show the gateway and the rights of the key."),
    "profiles": ("poegw.commands.login", "List the known gateways, or choose one."),
    "status": ("poegw.commands.status", "Show on one screen how the gateway is."),
    "accounts": ("poegw.commands.accounts", "Add, list, test and change Poe accounts."),
    "keys": ("poegw.commands.keys", "Create, list, change, rotate and revoke API keys."),
    "usage": ("poegw.commands.usage", "Show what was used, by model, key, account, day or hour."),
    "requests": ("poegw.commands.usage", "List requests, and follow them as they end."),
    "points": ("poegw.commands.usage", "Show the points that are left, and how long they last."),
    "alerts": ("poegw.commands.alerts", "List what needs somebody, and set where that is posted to."),
    "audit": ("poegw.commands.audit", "List who changed what by the administration."),
    "models": ("poegw.commands.models", "List the models, with prices and what they take."),
    "chat": ("poegw.commands.chat", "Ask a model, and stream its answer."),
    "env": ("poegw.commands.environment", "Print the variables that OpenAI's and Anthropic's clients read."),
    "run": ("poegw.commands.environment", "Start a program with these variables: claude, codex, opencode."),
    "doctor": ("poegw.commands.doctor", "Check a gateway, and say how to mend what does not work."),
    "deploy": ("poegw.commands.deploy", "Deploy a gateway to your AWS account."),
    "pause": ("poegw.commands.deploy", "Refuse all requests, as a kill switch."),
    "resume": ("poegw.commands.deploy", "Serve requests again."),
    "upgrade": ("poegw.commands.deploy", "Deploy this version over an older one."),
    "uninstall": ("poegw.commands.deploy", "Delete a deployment; says what stays, and what that costs."),
    "export": ("poegw.commands.backup", "Write accounts, keys, the ledger and settings to a file."),
    "import": ("poegw.commands.backup", "Bring back an export, or the accounts of the original gateway."),
    "api": ("poegw.commands.api", "Send a request to the gateway's own API."),
    "open": ("poegw.commands.environment", "Open the gateway's console in the browser."),
    "completion": ("poegw.commands.shell", "Print the completion script of a shell."),
    "version": ("poegw.commands.shell", "Show the versions of this program and of the gateway."),
}
"""Name, module and one line of help of each command. The module has a click command of that name, `_command` added."""


class LazyGroup(click.Group):
    """A group whose commands are imported when one is called: `poegw version` needs not all of them."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        import importlib

        command: click.Command = getattr(importlib.import_module(COMMANDS[name][0]), f"{name}_command")
        return with_shared_options(command)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


def with_shared_options(command: click.Command) -> click.Command:
    """The command, and the commands below it, with the options that every command takes."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            with_shared_options(child)
    # Commands are modules' own objects: a second look, as in a test, must not add the options twice.
    if getattr(command, "has_shared_options", False):
        return command
    callback = command.callback

    def call(*arguments: Any, **values: Any) -> Any:
        state = click.get_current_context().ensure_object(State)
        state.take(**{name: values.pop(name, None) for name in OPTION_NAMES})
        return callback(*arguments, **values) if callback else None

    call.__doc__ = command.help
    options = click.Command(None, callback=lambda: None, params=[])
    shared = shared_options(lambda: None)
    options.params = list(reversed(getattr(shared, "__click_params__", [])))
    command.params += options.params
    command.callback = call
    command.has_shared_options = True  # type: ignore[attr-defined]  # a mark of ours
    return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@shared_options
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def poegw(context: click.Context, /, **options: Any) -> None:
    """Operate a gateway to your own Poe accounts.

    Data is written to standard output, words to standard error. Exit statuses: 0 done, 1 failed, 2 wrong usage, 3 not
    logged in, 4 refused, 5 doctor found problems, 130 interrupted.
    """
    context.ensure_object(State).take(**options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and exit with its status."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit status."""
    try:
        # Click would print its own words and exit; statuses and messages are ours.
        result = poegw(args=arguments, prog_name="poegw", standalone_mode=False)
        sys.stdout.flush()
        return int(result) if isinstance(result, int) else Exit.OK
    except CommandError as error:
        for line in error.lines():
            print(line, file=sys.stderr)
        return error.status
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        print(file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough, as `head` does. Python would complain at exit once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
