"""The interactive chat: lines in, answers and commands out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from reverse.blocking import LoopThread
from reverse.chat import Attachment
from reverse.errors import PoeError
from reverse.events import Event
from reverse.file_sources import attachment_from
from reverse.terminal.chats import BotChat
from reverse.terminal.screen import Screen, one_line
from reverse.terminal.signals import EndedBySignal
from reverse.web import ChatSummary

_HISTORY = 20


class Leave(Exception):
    """The user is done."""


class Command(NamedTuple):
    """A command: what runs it (given the rest of the line), how it is written, what it does."""

    run: Callable[[str], None]
    usage: str
    help: str


# What users of the original type.
_ALIASES = {
    "exit": "quit",
    "q": "quit",
    "upload": "attach",
    "reset": "new",
    "load": "chats",
    "clear": "forget",
    "?": "help",
}


class Session:
    """One interactive chat. `run` goes on until the user leaves."""

    def __init__(self, screen: Screen, loop: LoopThread, chat: BotChat) -> None:
        self._screen = screen
        self._loop = loop
        self._chat = chat
        self._attachments: list[Attachment] = []
        self._listed: list[ChatSummary] = []
        self._replies: list[str] = []
        self._commands = {
            "help": Command(self._help, "/help", "show this list"),
            "bot": Command(self._bot, "/bot NAME", "begin a new chat with another bot"),
            "bots": Command(self._bots, "/bots [TEXT]", "list bots, or find some"),
            "new": Command(self._new, "/new", "begin a new chat with this bot"),
            "chats": Command(self._chats, "/chats", "list the newest chats"),
            "open": Command(self._open, "/open N|CODE", "go on with a chat of that list, or with that code"),
            "switch": Command(self._switch, "/switch [N]", "the same, or the list"),
            "history": Command(self._history, "/history [COUNT]", "show the newest messages of this chat"),
            "attach": Command(self._attach, "/attach FILE", "send a path or an address with the next message"),
            "retry": Command(self._retry, "/retry", "let the bot answer again"),
            "suggest": Command(
                self._suggest, "/suggest N|on|off", "send a suggested reply (so does /N), or wait for none"
            ),
            "forget": Command(self._forget, "/forget", "let the bot forget what was said"),
            "purge": Command(self._purge, "/purge", "delete the messages of this chat"),
            "purgeall": Command(self._purge_all, "/purgeall", "delete the messages of all chats"),
            "delete": Command(self._delete, "/delete", "delete this chat"),
            "points": Command(self._points, "/points", "show what the account has left"),
            "quit": Command(self._quit, "/quit", "leave; so does Ctrl-D"),
        }

    def run(self) -> None:
        """Read and answer until the user leaves. Errors are shown, and the chat goes on."""
        self._chat.suggests = True
        while True:
            try:
                line = self._screen.read(f"{self._chat.bot}> ")
                if line is None:
                    return
                self._take(line)
            except Leave:
                return
            # A kind of `KeyboardInterrupt`, after which the chat does not go on.
            except EndedBySignal:
                raise
            except KeyboardInterrupt:
                self._screen.line()
                self._screen.error("stopped; /quit leaves")
            except PoeError as error:
                self._screen.error(f"{error} [{error.code}]")
            # An `OSError`, too, but there is nobody left to show it to.
            except BrokenPipeError:
                raise
            except (OSError, ValueError) as error:
                self._screen.error(str(error))

    def _take(self, line: str) -> None:
        if not line.strip():
            return
        name, _, rest = line[1:].strip().partition(" ")
        name = _ALIASES.get(name.lower(), name.lower())
        if line.startswith("//"):
            self._ask(line[1:])
        # Users of the original type `!`, with which a message may begin as well.
        elif line.startswith("/") or (line.startswith("!") and name in self._commands):
            self._command(name, rest.strip())
        else:
            self._ask(line)

    def _command(self, name: str, rest: str) -> None:
        if name.isdecimal():
            self._suggest(name)
        elif name in self._commands:
            self._commands[name].run(rest)
        else:
            self._screen.error("no such command: /help lists them, and // begins a message with a slash")

    def _ask(self, text: str) -> None:
        attachments, self._attachments = self._attachments, []
        try:
            self._show(self._chat.ask(text, attachments))
        except PoeError:
            # They were not sent: the user need not attach them again.
            self._attachments = attachments
            raise

    def _show(self, events: AsyncGenerator[Event, None]) -> None:
        shown = self._screen.answer(self._loop.iterate(events))
        self._replies = shown.replies
        for number, reply in enumerate(shown.replies, 1):
            self._screen.line(f"  /{number} {one_line(reply)}")
        if shown.points is not None:
            self._screen.line(f"  ({shown.points} points)")

    def _help(self, _rest: str) -> None:
        width = max(len(command.usage) for command in self._commands.values())
        for command in self._commands.values():
            self._screen.line(f"  {command.usage:<{width}}  {command.help}")
        self._screen.line("  Ctrl-C stops an answer; a line that ends with a backslash goes on in the next.")

    def _bot(self, rest: str) -> None:
        if not rest:
            self._bots("")
            return
        self._begin(rest)

    def _begin(self, bot: str) -> None:
        self._chat.begin(bot)
        self._replies, self._attachments = [], []

    def _new(self, _rest: str) -> None:
        self._begin(self._chat.bot)

    def _bots(self, rest: str) -> None:
        for name in self._loop.run(self._chat.bots(rest)):
            self._screen.line(f"  {name}")

    def _chats(self, _rest: str) -> None:
        self._listed = self._loop.run(self._chat.chats())
        for number, chat in enumerate(self._listed, 1):
            self._screen.line(f"  {number:>2}  {one_line(chat.bot or '?', 24):<24}  {one_line(chat.title or '')}")

    def _open(self, rest: str) -> None:
        if rest.isdecimal():
            number = int(rest)
            if not 1 <= number <= len(self._listed):
                raise ValueError("no such number: /chats lists them")
            self._loop.run(self._chat.open(self._listed[number - 1]))
        elif rest:
            self._loop.run(self._chat.open(rest))
        else:
            raise ValueError("/open takes a number of /chats, or a chat's code")
        self._replies = []
        self._history("4")

    def _switch(self, rest: str) -> None:
        (self._open if rest else self._chats)(rest)

    def _history(self, rest: str) -> None:
        count = int(rest) if rest.isdecimal() else _HISTORY
        for line in self._loop.run(self._chat.history(count)):
            self._screen.line(f"{line.speaker}: {line.text}")

    def _attach(self, rest: str) -> None:
        if rest:
            self._attachments.append(attachment_from(rest))
        for attachment in self._attachments:
            self._screen.line(f"  with the next message: {attachment.name or one_line(attachment.url or '')}")

    def _retry(self, _rest: str) -> None:
        self._show(self._chat.retry())

    def _suggest(self, rest: str) -> None:
        if rest in ("on", "off"):
            self._chat.suggests = rest == "on"
            return
        if not rest.isdecimal() or not 1 <= int(rest) <= len(self._replies):
            raise ValueError("no such suggestion")
        reply = self._replies[int(rest) - 1]
        self._screen.line(f"you: {reply}")
        self._ask(reply)

    def _forget(self, _rest: str) -> None:
        self._loop.run(self._chat.forget())

    def _purge(self, _rest: str) -> None:
        if self._agreed("Delete the messages of this chat?"):
            self._loop.run(self._chat.purge())

    def _purge_all(self, _rest: str) -> None:
        if self._agreed("Delete the messages of ALL chats?"):
            self._loop.run(self._chat.purge_all())

    def _delete(self, _rest: str) -> None:
        if self._agreed("Delete this chat?"):
            self._loop.run(self._chat.delete())

    def _agreed(self, question: str) -> bool:
        return (self._screen.read(f"{question} [y/N] ") or "").strip().lower() in ("y", "yes")

    def _points(self, _rest: str) -> None:
        reading = self._loop.run(self._chat.points())
        self._screen.line(f"  {'unknown' if reading.balance is None else reading.balance} points")

    def _quit(self, _rest: str) -> None:
        raise Leave
