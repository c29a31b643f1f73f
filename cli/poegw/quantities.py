"""Reads durations, budgets and dates as people type them, and writes numbers as people read them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h|d|w)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BUDGET = re.compile(r"(\d{1,12})\s*/\s*(day|month|d|m)", re.ASCII)
PERIODS = {"d": "day", "day": "day", "m": "month", "month": "month"}


def parse_duration(text: str) -> int:
    """Seconds of `90s`, `30m`, `24h`, `7d` or `2w`. Raises `ValueError`, with what is allowed."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("a number with s, m, h, d or w behind it, such as 24h or 30d")
    return int(match[1]) * _SECONDS[match[2]]


def parse_moment(text: str, now: datetime) -> datetime:
    """A moment: a duration before `now`, a date, or an ISO time. Raises `ValueError`, with what is allowed."""
    text = text.strip()
    if text.lower() == "today":
        return now.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return now - timedelta(seconds=parse_duration(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a span such as 7d, a date such as 2026-11-30, or an ISO time") from None
    # A date without a zone is meant as the gateway counts days: in UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo or UTC)


def parse_budget(text: str) -> tuple[int, str]:
    """Points and period of `2000/day` or `50000/month`. Raises `ValueError`, with what is allowed."""
    match = _BUDGET.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("points and a period, such as 2000/day or 50000/month")
    return int(match[1]), PERIODS[match[2]]


def number(value: float | None) -> str:
    """A number with separators; `unknown` where there is none: unknown is never 0."""
    return "unknown" if value is None else f"{value:,}"


def ago(moment: str | None, now: datetime) -> str:
    """How long ago an ISO time is, or how far ahead, in one unit."""
    if not moment:
        return "never"
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    size = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if size >= length or unit == "s":
            told = f"{int(size // length)}{unit}"
            return f"{told} ago" if seconds >= 0 else f"in {told}"
    raise AssertionError("every span has a unit")
