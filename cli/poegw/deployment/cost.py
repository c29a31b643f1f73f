"""What a deployment costs, from list prices. Pure.

Prices of us-east-1 for arm64 as listed in November 2026, in US dollars; the free tier is left out. Poe's points are
not in it.
"""

from __future__ import annotations

from typing import NamedTuple

GB_SECOND = 0.0000133334
REQUEST = 0.20 / 1_000_000
READ_UNIT = 0.125 / 1_000_000
WRITE_UNIT = 0.625 / 1_000_000
KEY_MONTH = 1.00
"""A KMS key. Each of its first two rotations, one a year, adds as much."""
SECRET_MONTH = 0.40
KMS_REQUEST = 0.03 / 10_000
LOG_GB = 0.50
DAY_SECONDS = 86_400
MONTH_DAYS = 30
# AWS documents ten requests a second for each unit of concurrency.
REQUESTS_PER_SECOND = 10

# What one chat needs here (docs/measuring.md): reads and writes of the table, and a line of log.
READS_PER_CHAT = 2.0
WRITES_PER_CHAT = 4.0
LOG_BYTES_PER_CHAT = 1_500
# The scheduled job: every ten minutes a few seconds at 384 MB.
JOB_RUNS_PER_DAY = 144
JOB_SECONDS = 3.0
JOB_GB = 0.375


class MonthlyCost(NamedTuple):
    """US dollars a month."""

    compute: float
    requests: float
    table: float
    logs: float
    job: float
    fixed: float
    """What is due without any chat: the key and the secret."""

    @property
    def total(self) -> float:
        return sum(self)


def monthly_cost(chats_per_day: float, *, seconds_per_chat: float = 15.0, memory_mb: int = 512) -> MonthlyCost:
    """The cost of so many chats a day, each streaming for so long."""
    chats = chats_per_day * MONTH_DAYS
    runs = JOB_RUNS_PER_DAY * MONTH_DAYS
    return MonthlyCost(
        compute=chats * seconds_per_chat * memory_mb / 1024 * GB_SECOND,
        requests=chats * REQUEST,
        table=chats * (READS_PER_CHAT * READ_UNIT + WRITES_PER_CHAT * WRITE_UNIT),
        logs=chats * LOG_BYTES_PER_CHAT / 1e9 * LOG_GB,
        job=runs * (JOB_SECONDS * JOB_GB * GB_SECOND + REQUEST),
        fixed=KEY_MONTH + SECRET_MONTH,
    )


def worst_day(concurrency: int, *, memory_mb: int = 512) -> float:
    """The most that AWS can bill for the gateway in a day: so many streams open all day, and as many requests as AWS
    lets through."""
    # A stream is billed for as long as it is open, however little it does.
    compute = concurrency * memory_mb / 1024 * DAY_SECONDS * GB_SECOND
    requests = concurrency * REQUESTS_PER_SECOND * DAY_SECONDS * REQUEST
    return compute + requests
