"""Reads the cookies of poe.com out of what people can get from a browser. Pure.

Three forms: a Cookie header, a cookies.txt file (Netscape format), and a JSON export as browser extensions write it.
"""

from __future__ import annotations

import json

WANTED = {
    "p-b": "p_b",
    "p-lat": "p_lat",
    "cf_clearance": "cf_clearance",
    "__cf_bm": "cf_bm",
}
"""Cookies that are used, with the names of the gateway's credentials."""
_HOST = "poe.com"
_COLUMNS = 7
MAX_CHARACTERS = 1_000_000


class CookieError(ValueError):
    """The text is none of the three forms, or has no `p-b` cookie. The message quotes nothing of it."""


def read_cookies(text: str) -> dict[str, str]:
    """The credentials of a web account. Raises `CookieError`."""
    if len(text) > MAX_CHARACTERS:
        raise CookieError("This is too long for the cookies of one site.")
    stripped = text.strip()
    # By how it begins: nobody should have to say which form it is.
    if stripped[:1] in ("[", "{"):
        cookies = _from_json(stripped)
    elif "\t" in stripped:
        cookies = _from_netscape(stripped)
    else:
        cookies = _from_header(stripped)
    # Only these leave this machine: an export has the cookies of all sites.
    found = {WANTED[name]: value for name, value in cookies.items() if name in WANTED and value}
    if "p_b" not in found:
        raise CookieError("There is no `p-b` cookie of poe.com in it.")
    return found


def _from_header(text: str) -> dict[str, str]:
    name, colon, rest = text.partition(":")
    if colon and name.strip().lower() == "cookie":
        text = rest
    pairs = (part.partition("=") for part in text.replace("\n", ";").split(";"))
    return {name.strip(): value.strip().strip('"') for name, equals, value in pairs if equals}


def _from_netscape(text: str) -> dict[str, str]:
    cookies: dict[str, str] = {}
    for line in text.splitlines():
        # curl's form marks such cookies as a comment, `p-b` among them.
        columns = line.removeprefix("#HttpOnly_").split("\t")
        if len(columns) >= _COLUMNS and not columns[0].startswith("#") and _is_of_poe(columns[0]):
            cookies[columns[5]] = columns[6].strip()
    return cookies


def _from_json(text: str) -> dict[str, str]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise CookieError("This looks like JSON, but is none.") from None
    # Some extensions wrap the list, together with the address.
    if isinstance(data, dict) and isinstance(data.get("cookies"), list):
        data = data["cookies"]
    if isinstance(data, dict):
        return {str(name): value for name, value in data.items() if isinstance(value, str)}
    items = [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
    return {
        str(item.get("name")): item["value"]
        for item in items
        if isinstance(item.get("value"), str) and _is_of_poe(str(item.get("domain", _HOST)))
    }


def _is_of_poe(domain: str) -> bool:
    host = domain.lstrip(".").lower()
    return host == _HOST or host.endswith(f".{_HOST}")
