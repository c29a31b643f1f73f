"""The home page, parsed: channel settings, build id, and the script that computes the form key. No I/O.

The rules for collecting scripts are those of docs/reference/poe-web.md#form-key (November 2026). They are rules about
pages that Poe may change any day: a page that does not fit gives a typed error, and a form key supplied by the user
makes them unnecessary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.web._protocol import load_object, mapping

_MAX_DEPTH = 12

# Poe's decoder looks around and refuses in an environment that is no page; these are the values the published client
# declares. They exist inside the evaluator only: nothing of them is sent anywhere.
_ENVIRONMENT = """
var window = {document: {hack: 1}, navigator: {userAgent: "safari <3"}};
var document = window.document, navigator = window.navigator, process = undefined, QuickJS = undefined;
"""

# What `PoeConfig.form_key_rules` overrides.
_FORM_KEY_RULES = {
    "secret": r'let useFormkeyDecode=.*?(window\.\w+="[^"]+")',
    "key_function": r"window\.(\w+)=function\(\)\{return window",
    "key_call": r'window\.\w+\("[^"]{16,}"\)',
}
_BUILD_ID = re.compile(r'"buildId"\s*:\s*"([\w-]{1,64})"')


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """Where the realtime channel is. `hash` is a secret: who has it can read the account's answers.

    Source: docs/reference/poe-web.md#channel-settings.
    """

    channel: str = field(repr=False)
    channel_hash: str = field(repr=False)
    box_name: str
    base_host: str
    min_seq: int


@dataclass(frozen=True, slots=True)
class Script:
    """One script element in document order: either its address or its text."""

    src: str | None
    text: str = field(default="", repr=False)
    type: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class HomePage:
    """What the home page says. `channel` is `None` where the page carries none."""

    scripts: tuple[Script, ...] = field(repr=False)
    channel: ChannelSettings | None
    build_id: str | None

    def secret_script(self) -> str | None:
        """The address of the script that holds the decoder's secret, if the page names one."""
        return next((script.src for script in self.scripts if script.src and "_app" in script.src), None)


def parse_home_page(html: str) -> HomePage:
    """Parse the page. Never raises: what is not found is absent."""
    parser = _ScriptParser()
    parser.feed(html)
    parser.close()
    build_id = _BUILD_ID.search(html)
    return HomePage(tuple(parser.scripts), _find_channel(parser.scripts, html), build_id[1] if build_id else None)


def parse_channel_settings(value: object) -> ChannelSettings | None:
    """Read a `tchannelData` object; `None` where a key is missing or could not be part of an address."""
    data = mapping(value)
    names = ("channel", "channelHash", "boxName", "baseHost", "minSeq")
    texts = [str(data[name]) if isinstance(data.get(name), str | int) else "" for name in names]
    channel, channel_hash, box_name, base_host, min_seq = texts
    if not (channel and channel_hash and re.fullmatch(r"[0-9]{1,20}", min_seq) and re.fullmatch(r"[\w.-]+", box_name)):
        return None
    if not (channel.isascii() and channel.isprintable() and re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", base_host)):
        return None
    return ChannelSettings(channel, channel_hash, box_name, base_host, int(min_seq))


@dataclass(frozen=True, slots=True)
class KeyProgram:
    """JavaScript that defines the key function, and the expressions whose value may be the key, likeliest first."""

    scripts: tuple[str, ...] = field(repr=False)
    expressions: tuple[str, ...] = field(repr=False)


def form_key_program(page: HomePage, secret_script: str, rules: Mapping[str, str] = _FORM_KEY_RULES) -> KeyProgram:
    """Collect what computes the form key; `secret_script` is the text behind `HomePage.secret_script()`, or empty.

    `rules` go over those that the code came with.

    Raises `PoeError` (`PROTOCOL`) where the page has nothing that looks like a key function.
    """
    texts = [script.text for script in page.scripts if _may_define_key(script)]
    source = "\n".join(texts)
    rules = {**_FORM_KEY_RULES, **rules}
    calls = [f"window.{match[1]}()" for match in re.finditer(rules["key_function"], source, re.DOTALL)]
    calls += [match[0] for match in re.finditer(rules["key_call"], source, re.DOTALL)]
    if not calls:
        raise poe_error(ErrorCode.PROTOCOL, "the home page defines no form key; supply one with the credentials")
    if (secret := re.search(rules["secret"], secret_script, re.DOTALL)) is not None:
        texts.insert(0, secret[1])
    return KeyProgram((_ENVIRONMENT, *texts), tuple(f"String({call}).slice(0, 32)" for call in calls[:4]))


def _may_define_key(script: Script) -> bool:
    return (
        script.src is None
        and script.type != "application/json"
        and "function" in script.text
        and "document." not in script.text
    )


def _find_channel(scripts: list[Script], html: str) -> ChannelSettings | None:
    for script in scripts:
        if script.id == "__NEXT_DATA__":
            try:
                found = _search(load_object(script.text), _MAX_DEPTH)
            except PoeError:
                found = None
            if found is not None:
                return found
    start = html.find('"tchannelData"')
    opened = html.find("{", start) if start >= 0 else -1
    closed = html.find("}", opened) if opened >= 0 else -1
    if closed < 0:
        return None
    try:
        return parse_channel_settings(load_object(html[opened : closed + 1]))
    except PoeError:
        return None


def _search(value: Mapping[str, Any] | list[Any], depth: int) -> ChannelSettings | None:
    if isinstance(value, Mapping) and (found := parse_channel_settings(value.get("tchannelData"))) is not None:
        return found
    if depth == 0:
        return None
    for child in value.values() if isinstance(value, Mapping) else value:
        if isinstance(child, dict | list) and (found := _search(child, depth - 1)) is not None:
            return found
    return None


class _ScriptParser(HTMLParser):
    """Collects script elements; the standard parser already treats their content as text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[Script] = []
        self._attributes: dict[str, str | None] | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self._attributes, self._text = dict(attrs), []

    def handle_data(self, data: str) -> None:
        if self._attributes is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and (attributes := self._attributes) is not None:
            self._attributes = None
            kind, name = attributes.get("type") or "", attributes.get("id") or ""
            self.scripts.append(Script(attributes.get("src") or None, "".join(self._text), kind, name))
