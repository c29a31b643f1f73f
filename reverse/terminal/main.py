"""The entry point: one question, a chat, or the diagnosis."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import getpass
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from reverse.blocking import LoopThread
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials, WebCredentials
from reverse.errors import PoeError
from reverse.file_sources import attachment_from
from reverse.official import PoeOfficialClient
from reverse.terminal.chats import BotChat, OfficialChat, WebChat
from reverse.terminal.options import (
    UsageError,
    as_json,
    chat_options,
    config_for,
    credentials_for,
    doctor_options,
)
from reverse.terminal.questions import compose
from reverse.terminal.screen import Screen
from reverse.terminal.session import Session
from reverse.terminal.signals import EndedBySignal, ending_signals
from reverse.web import PoeWebClient

_SUGGESTIONS_SECONDS = 1.0
_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run; returns the exit code. Exits by itself only where argparse does."""
    argv = sys.argv[1:] if argv is None else argv
    # A program may be started without an input.
    screen = Screen(sys.stdin or io.StringIO(), sys.stdout, sys.stderr)
    try:
        with ending_signals():
            return _doctor(argv[1:], environ, screen) if argv[:1] == ["doctor"] else _chat(argv, environ, screen)
    except EndedBySignal as ended:
        return ended.exit_code
    except UsageError as error:
        screen.error(f"poe: {error}")
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader went away; the interpreter must not find out again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE


def _chat(argv: Sequence[str], environ: Mapping[str, str], screen: Screen) -> int:
    options = chat_options(argv)
    config = config_for(options, environ)
    credentials = credentials_for(options, environ, getpass.getpass if screen.can_ask else None)
    is_single = bool(options.question) or not (screen.can_ask or options.interactive)
    # Most bots suggest nothing, and the prompt waits for it.
    config = dataclasses.replace(config, suggested_replies_seconds=_SUGGESTIONS_SECONDS)
    client, chat = _open_chat(credentials, config, options.bot)
    loop = LoopThread("poe-terminal", cleanup=client.aclose)
    try:
        if options.chat:
            loop.run(chat.open(options.chat))
        if is_single:
            return _ask_once(options, screen, loop, chat)
        # Line editing and recall, where the platform has them.
        with suppress(ImportError):
            import readline  # noqa: F401 - importing it is what `input` needs
        screen.line(f"Chat with {chat.bot}. /help lists commands.")
        Session(screen, loop, chat).run()
        return 0
    except PoeError as error:
        screen.error(f"poe: {error} [{error.code}]")
        return 1
    finally:
        loop.close()


def _ask_once(options: argparse.Namespace, screen: Screen, loop: LoopThread, chat: BotChat) -> int:
    try:
        text = compose(options.question, screen.read_all, is_piped=not screen.can_ask)
        # Some locales smuggle bytes that are no text through the decoder.
        text.encode()
    except UnicodeError:
        raise UsageError("the input is no text") from None
    except OverflowError as error:
        raise UsageError(str(error)) from None
    if not text:
        raise UsageError("there is no question")
    try:
        attachments = [attachment_from(source) for source in options.attach]
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    screen.answer(loop.iterate(chat.ask(text, attachments)))
    return 0


def _open_chat(
    credentials: WebCredentials | OfficialCredentials, config: PoeConfig, bot: str
) -> tuple[PoeWebClient | PoeOfficialClient, BotChat]:
    if isinstance(credentials, OfficialCredentials):
        official = PoeOfficialClient(credentials, config)
        return official, OfficialChat(official, bot)
    web = PoeWebClient(credentials, config)
    return web, WebChat(web, bot)


def _doctor(argv: Sequence[str], environ: Mapping[str, str], screen: Screen) -> int:
    from reverse.doctor import diagnose  # only this command needs it

    options = doctor_options(argv)
    config = config_for(options, environ)
    credentials = credentials_for(options, environ, getpass.getpass if screen.can_ask else None)
    progress = None if options.json else screen.line
    report = asyncio.run(diagnose(credentials, config, bot=options.bot, send=options.send, progress=progress))
    screen.line(as_json(report.to_json()) if options.json else report.conclusion())
    return 0 if report.is_healthy else 1
