"""Parses the home page: channel settings, build id, and the scripts that compute the form key. No I/O.

The rules for collecting scripts are those of docs/reference/poe-web.md#form-key (November 2026). They are rules about
pages that Poe may change any day: a page that does not fit gives a typed error, and a form key supplied by the user
makes them unnecessary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from html import unescape
from itertools import islice
from typing import Any

from lazy_dataclasses import dataclass
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.web._protocol import load_object, mapping

_MAX_DEPTH = 12
# Expressions that are tried for the key.
_MAX_CALLS = 4

# Poe's decoder looks around and refuses in an environment that is no page; these are the values the published client
# declares. They exist inside the evaluator only: nothing of them is sent anywhere.
_ENVIRONMENT = """
var window = {document: {hack: 1}, navigator: {userAgent: "safari <3"}};
var document = window.document, navigator = window.navigator, process = undefined, QuickJS = undefined;
"""

# What `PoeConfig.form_key_rules` overrides. Each takes time in proportion to its text: what stands behind the first
# declaration also stands behind every later one, so that no other needs to be tried.
_FORM_KEY_RULES = {
    "secret": r'\A(?>.*?let useFormkeyDecode=).*?(window\.\w+="[^"]+")',
    "key_function": r"window\.(\w+)=function\(\)\{return window",
    "key_call": r'window\.\w+\("[^"]{16,}"\)',
}
_OPENING = re.compile(r"<!--|<script(?=[\s/>])", re.IGNORECASE)
_TAG_END = re.compile(r"""((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""")
_CLOSING = re.compile(r"</script(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'=<>`]++)))?""")
_MAX_TAG_CHARS = 8192
_WHOLE_NUMBER = re.compile(r"[0-9]{1,20}")
_BOX = re.compile(r"[\w.-]+")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
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
    scripts = _find_scripts(html)
    build_id = _BUILD_ID.search(html)
    return HomePage(tuple(scripts), _find_channel(scripts, html), build_id[1] if build_id else None)


def parse_channel_settings(value: object) -> ChannelSettings | None:
    """Read a `tchannelData` object; `None` where a key is missing or could not be part of an address."""
    data = mapping(value)
    names = ("channel", "channelHash", "boxName", "baseHost", "minSeq")
    texts = [str(data[name]) if isinstance(data.get(name), str | int) else "" for name in names]
    channel, channel_hash, box_name, base_host, min_seq = texts
    # They become parts of an address to which the account's channel is opened: nothing else may come in by them.
    if not (channel and channel_hash and _WHOLE_NUMBER.fullmatch(min_seq) and _BOX.fullmatch(box_name)):
        return None
    if not (channel.isascii() and channel.isprintable() and _HOST.fullmatch(base_host)):
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
    functions = islice(re.finditer(rules["key_function"], source, re.DOTALL), _MAX_CALLS)
    calls = [f"window.{match[1]}()" for match in functions]
    calls += [match[0] for match in islice(re.finditer(rules["key_call"], source, re.DOTALL), _MAX_CALLS)]
    if not calls:
        raise poe_error(ErrorCode.PROTOCOL, "the home page defines no form key; supply one with the credentials")
    # First: the page's scripts may read it as soon as they run.
    if (secret := re.search(rules["secret"], secret_script, re.DOTALL)) is not None:
        texts.insert(0, secret[1])
    return KeyProgram((_ENVIRONMENT, *texts), tuple(f"String({call}).slice(0, 32)" for call in calls[:_MAX_CALLS]))


def _may_define_key(script: Script) -> bool:
    return (
        script.src is None
        and script.type != "application/json"
        and "function" in script.text
        # Scripts that touch the page would fail in the evaluator, and take the key function down with them.
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
    # Should Poe move it to another script: it is looked for by its name.
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


def _find_scripts(html: str) -> list[Script]:
    """Every script element that is closed, in document order.

    Each character is looked at a bounded number of times, which Python's own parser does not promise for broken pages:
    where a tag, a comment or an element does not end, the search does.
    """
    scripts: list[Script] = []
    at = 0
    while (opening := _OPENING.search(html, at)) is not None:
        if opening[0] == "<!--":
            at = html.find("-->", opening.end())
            if at < 0:
                break
            continue
        tag = _TAG_END.match(html, opening.end())
        closing = _CLOSING.search(html, tag.end()) if tag is not None else None
        if tag is None or closing is None:
            break
        attributes = _attributes(tag[1])
        text = html[tag.end() : closing.start()]
        scripts.append(
            Script(attributes.get("src") or None, text, attributes.get("type", ""), attributes.get("id", ""))
        )
        at = closing.end()
    return scripts


def _attributes(text: str) -> dict[str, str]:
    """A tag's attributes by their names in small letters; the first of a name counts."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text[:_MAX_TAG_CHARS]):
        value = next((group for group in match.groups()[1:] if group is not None), "")
        found.setdefault(match[1].lower(), value if "&" not in value else _unescaped(value))
    return found


def _unescaped(value: str) -> str:
    try:
        return unescape(value)
    except ValueError:  # a reference to a character by a number of thousands of digits
        return value
