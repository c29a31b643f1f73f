"""Reads the command line and the environment into credentials and a configuration."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from reverse.config import PoeConfig, check_proxy
from reverse.credentials import OfficialCredentials, WebCredentials
from reverse.override_names import by_operation
from reverse.overrides import OverrideError

DEFAULT_BOT = "Assistant"

_WEB_VARIABLES = {
    "POE_P_B": "p_b",
    "POE_P_LAT": "p_lat",
    "POE_CF_CLEARANCE": "cf_clearance",
    "POE_CF_BM": "cf_bm",
    "POE_FORMKEY": "form_key",
    "POE_FORM_KEY": "form_key",
    "POE_REVISION": "revision",
    "POE_USER_AGENT": "user_agent",
}
_KEY_VARIABLE = "POE_API_KEY"

_EPILOG = """\
Credentials come from the environment, or are asked for without echo; never from the command line:
  web        POE_P_B (the cookie p-b); optionally POE_P_LAT, POE_FORM_KEY, POE_REVISION, POE_CF_CLEARANCE, POE_CF_BM
  official   POE_API_KEY; taken without --official too, where POE_P_B is not set
POE_PROXY names an HTTP proxy (http:// or https://) for every connection.
Without a question a chat begins. Where the input is not a terminal, it is the question, or is put before the one that
is given; '-' puts it elsewhere: python -m reverse 'Correct this:' - < letter.txt
Ctrl-C, SIGTERM and SIGHUP stop the answer at Poe, too.
Exit codes: 0 answered, 1 Poe refused or failed, 2 wrong usage or no credentials, 130 interrupted, 143 and 129 ended by
SIGTERM and SIGHUP.
`python -m reverse doctor --help` is about the diagnosis.
"""


class UsageError(Exception):
    """What the user asked for can't be done; the text says why, and quotes no secret."""


def chat_options(argv: Sequence[str]) -> argparse.Namespace:
    """Options of a chat. Exits with code 2 where they are wrong, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="python -m reverse",
        description="Ask Poe's bots with your own account.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "question", nargs="*", help="ask this and exit; '-', alone, first or last, stands for the standard input"
    )
    parser.add_argument("--bot", default=DEFAULT_BOT, help="which bot (default: %(default)s)")
    parser.add_argument("--attach", action="append", default=[], metavar="FILE", help="a path or address; repeatable")
    parser.add_argument("--chat", metavar="CODE", help="continue this chat (web)")
    parser.add_argument("--interactive", action="store_true", help="a chat even if the input is not a terminal")
    _add_connection(parser)
    return parser.parse_args(argv)


def doctor_options(argv: Sequence[str]) -> argparse.Namespace:
    """Options of the diagnosis."""
    parser = argparse.ArgumentParser(
        prog="python -m reverse doctor",
        description="Check the way to Poe step by step, with your own account, and print a report without secrets.",
        epilog="Exit codes: 0 everything works, 1 a check failed, 2 wrong usage or no credentials.",
    )
    parser.add_argument("--send", action="store_true", help="also send one short message, which costs points")
    parser.add_argument("--bot", default=DEFAULT_BOT, help="to whom (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    _add_connection(parser)
    return parser.parse_args(argv)


def _add_connection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--official", action="store_true", help="use Poe's documented API")
    parser.add_argument("--simulator", metavar="URL", help="speak to a simulator at this address instead of Poe")
    parser.add_argument("--generation", choices=["newer", "older"], default="newer", help="of the web operations")
    parser.add_argument(
        "--operation-hash",
        action="append",
        default=[],
        metavar="NAME=HASH",
        help="replace a web operation's hash that Poe no longer knows; repeatable",
    )


def config_for(options: argparse.Namespace, environ: Mapping[str, str]) -> PoeConfig:
    """The configuration. Raises `UsageError`."""
    proxy = environ.get("POE_PROXY") or None
    fields: dict[str, Any] = {"proxy": proxy, "operation_generation": options.generation}
    pairs = [pair.partition("=") for pair in options.operation_hash]
    if any(not (name and value) for name, _, value in pairs):
        raise UsageError("--operation-hash takes NAME=HASH")
    try:
        fields["operation_hashes"] = by_operation({name: value for name, _, value in pairs})
        if proxy is not None:
            check_proxy(proxy)
    except OverrideError as error:
        raise UsageError(f"--operation-hash {error.field.partition('.')[2]}: there is no such operation") from None
    except ValueError as error:
        raise UsageError(f"POE_PROXY: {error}") from None
    if options.simulator:
        base = options.simulator.rstrip("/")
        scheme = urlsplit(base).scheme
        if scheme not in ("http", "https"):
            raise UsageError("--simulator takes an http address")
        fields |= {
            "web_base_url": base,
            # The simulator says where its channel is, as Poe does.
            "channel_url": ("wss" if scheme == "https" else "ws") + "://{base_host}",
            "official_base_url": base,
            "upload_url": f"{base}/poe_api/file_upload_3RD_PARTY_POST",
        }
    return PoeConfig(**fields)


def credentials_for(
    options: argparse.Namespace, environ: Mapping[str, str], ask: Callable[[str], str] | None
) -> WebCredentials | OfficialCredentials:
    """The credentials; `ask` reads a line without echo, and is `None` where nobody can be asked.

    Raises `UsageError`, quoting no value.
    """
    given = {name: value for variable, name in _WEB_VARIABLES.items() if (value := environ.get(variable))}
    # The cookie first: who has set it wants the web route, whatever else is set.
    official = options.official or ("p_b" not in given and bool(environ.get(_KEY_VARIABLE)))
    try:
        if official:
            key = environ.get(_KEY_VARIABLE) or _asked(ask, "Poe API key (https://poe.com/api/keys): ", _KEY_VARIABLE)
            return OfficialCredentials.from_mapping({"api_key": key})
        if "p_b" not in given:
            given["p_b"] = _asked(ask, "Cookie p-b of poe.com: ", "POE_P_B")
        return WebCredentials.from_mapping(given)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _asked(ask: Callable[[str], str] | None, prompt: str, variable: str) -> str:
    if ask is None:
        raise UsageError(f"no credentials: set {variable}")
    try:
        return ask(prompt)
    # The end of the input is no answer, and no reason for a traceback.
    except EOFError:
        raise UsageError(f"no credentials: set {variable}") from None


def as_json(value: object) -> str:
    """JSON for people and programs."""
    return json.dumps(value, indent=2, ensure_ascii=False)
