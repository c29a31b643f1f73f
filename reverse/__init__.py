"""A client of Poe: its documented API and, unofficially, its web side, for a person's own accounts.

The names below are loaded when they are first used, so that importing the package costs nothing and does nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reverse.chat import Attachment, ChatRef, ChatRequest, Message, PoeClient, PointsReading
    from reverse.compat import AsyncPoeApi, PoeApi
    from reverse.config import PoeConfig
    from reverse.credentials import OfficialCredentials, WebCredentials
    from reverse.errors import Delivery, ErrorCode, PoeError, Scope
    from reverse.official import PoeOfficialClient
    from reverse.web import PoeWebClient

__all__ = [
    "AsyncPoeApi",
    "Attachment",
    "ChatRef",
    "ChatRequest",
    "Delivery",
    "ErrorCode",
    "Message",
    "OfficialCredentials",
    "PoeApi",
    "PoeClient",
    "PoeConfig",
    "PoeError",
    "PoeOfficialClient",
    "PoeWebClient",
    "PointsReading",
    "Scope",
    "WebCredentials",
]

_MODULES = {
    "reverse.chat": ("Attachment", "ChatRef", "ChatRequest", "Message", "PoeClient", "PointsReading"),
    "reverse.compat": ("AsyncPoeApi", "PoeApi"),
    "reverse.config": ("PoeConfig",),
    "reverse.credentials": ("OfficialCredentials", "WebCredentials"),
    "reverse.errors": ("Delivery", "ErrorCode", "PoeError", "Scope"),
    "reverse.official": ("PoeOfficialClient",),
    "reverse.web": ("PoeWebClient",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
