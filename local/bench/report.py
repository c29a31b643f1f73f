"""What was measured, as Markdown, and its places in the documentation. What there was no time for is named."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from local.bench import first_token
from local.bench.console_pages import PageCost, page_rows
from local.bench.figures import Memory, RoundTrips, TableWork
from local.bench.first_token import SHARE, FirstTokens
from local.bench.load import LargePrompt, ManyStreams
from local.bench.measure import median, median_ratio, percentile
from local.bench.published_client import INSTALL
from local.bench.streaming import DIRECT, FLOOR, INCLUDES, ON_RUNTIME, PLAIN_HTTPX_UVLOOP, Contest
from local.bench.way import FLAT_OUT_PIECES, PACE_SECONDS, PACED_PIECES, Samples

BEGIN = "<!-- bench: written by `make bench`, do not edit -->"
END = "<!-- /bench -->"
_HEADLINES = tuple(f"| {name}" for name in ("the floor", ON_RUNTIME, PLAIN_HTTPX_UVLOOP, "Portkey", "LiteLLM"))
# What the README leaves to the page: its table is to be read at a glance.
_ONLY_IN_THE_PAGE = frozenset({"what is in it", "p99", "flat out", "of this gateway's", "CPU per stream"})
_SPREAD = re.compile(r" \([\d.]+ to [\d.]+\)")
_WITH_THE_SPREAD = ", with the lowest and the highest"


@dataclass(slots=True)
class Report:
    """One run, filled as it goes on."""

    day: date
    machine: str
    official: Contest = field(default_factory=lambda: Contest("official route"))
    web: Contest = field(default_factory=lambda: Contest("web route"))
    first_tokens: dict[str, FirstTokens] = field(default_factory=dict)
    many: list[ManyStreams] = field(default_factory=list)
    prompts: list[LargePrompt] = field(default_factory=list)
    round_trips: list[RoundTrips] = field(default_factory=list)
    published: list[RoundTrips] | None = None
    """Of the published client; empty where it is not installed."""
    table_work: list[TableWork] = field(default_factory=list)
    memory: Memory | None = None
    pages: list[PageCost] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """What there was no time for."""


def to_markdown(report: Report) -> str:
    """Tables with a line each on what they hold."""
    lines = [
        f"Measured on {report.day.isoformat()}, everything in one run on one machine ({report.machine}); "
        f"compare rows, not machines. Figures are medians of the rounds{_WITH_THE_SPREAD}.",
        "",
        *_contest_lines(report.official),
        *_contest_lines(report.web),
        *_streaming_notes(report),
        *_first_token_lines(report.first_tokens),
        *_many_lines(report.many),
        *_prompt_lines(report.prompts),
        *_other_lines(report),
        *(page_rows(report.pages) if report.pages else []),
    ]
    if report.missing:
        lines += [f"No time was left for: {', '.join(report.missing)}.", ""]
    return "\n".join(lines)


def shortened(markdown: str) -> str:
    """When and where it was measured, and the part of the first table that the README has: medians alone."""
    first, *lines = markdown.splitlines()
    table = list(itertools.takewhile(bool, itertools.dropwhile(lambda line: line[:1] != "|", lines)))
    chosen = [*table[:2], *(line for line in table[2:] if line.startswith(_HEADLINES))]
    rows = [line.strip("|").split("|") for line in chosen]
    kept = [number for row in rows[:1] for number, head in enumerate(row) if head.strip() not in _ONLY_IN_THE_PAGE]
    short = [f"|{'|'.join(_SPREAD.sub('', row[number]) for number in kept)}|" for row in rows]
    return "\n".join([first.replace(_WITH_THE_SPREAD, ""), "", *short, "", ""])


def _contest_lines(contest: Contest) -> list[str]:
    rows = {name: samples for name, samples in contest.samples.items() if samples.flat_out}
    if not rows:
        return []
    compared = {"times the floor: paced, flat out": rows.get(FLOOR), "of this gateway's": rows.get(ON_RUNTIME)}
    references = {head: samples for head, samples in compared.items() if samples}
    heads = ["p50", "p99", "CPU per piece, paced", "flat out", *references, "CPU per stream", "memory"]
    return [
        f"| {contest.route} | what is in it | {' | '.join(heads)} |",
        f"|---|---|{'--:|' * len(heads)}",
        *(
            f"| {name} | {contest.includes.get(name, INCLUDES.get(name, ''))} | "
            f"{' | '.join(_cells(name, samples, [*references.values()]))} |"
            for name, samples in rows.items()
        ),
        "",
    ]


def _cells(name: str, samples: Samples, references: list[Samples]) -> list[str]:
    latency = [f"{percentile(samples.delays, part) * 1000:.2f} ms" for part in (0.5, 0.99)]
    if name == DIRECT:
        return [*latency, *[""] * (4 + len(references))]
    return [
        *latency,
        f"{_spread(samples.paced, 1e6)} µs",
        f"{_spread(samples.flat_out, 1e6)} µs",
        *(
            f"{median_ratio(samples.paced, other.paced):.2f}, {median_ratio(samples.flat_out, other.flat_out):.1f}"
            for other in references
        ),
        f"{median(samples.per_stream) * 1000:.0f} ms",
        f"{samples.memory_mb:.0f} MB",
    ]


def _spread(values: Iterable[float], scale: float) -> str:
    scaled = [value * scale for value in values]
    digits = 0 if median(scaled) >= 100 else 1
    return f"{median(scaled):.{digits}f} ({min(scaled):.{digits}f} to {max(scaled):.{digits}f})"


def _streaming_notes(report: Report) -> list[str]:
    if not report.official.samples:
        return []
    return [
        "p50 and p99: from the moment the upstream sends a piece of the answer to its arrival as an OpenAI chunk, of "
        "paced streams. CPU: of the process that serves (not of the upstream or the client), from streams of "
        f"{PACED_PIECES[0]} and {PACED_PIECES[1]} pieces {PACE_SECONDS * 1000:.0f} ms apart, and of "
        f"{FLAT_OUT_PIECES[0]} and {FLAT_OUT_PIECES[1]:,} sent flat out, when pieces that are there already may leave "
        'as one chunk; per stream is what comes on top of the pieces. Ratios are medians of those of the rounds; "of '
        "this gateway's\" is to its cost on its runtime. The upstreams are the simulators of Poe's "
        "documented API and of its web API.",
        "",
    ]


def _first_token_lines(found: dict[str, FirstTokens]) -> list[str]:
    rows = {name: tokens for name, tokens in found.items() if tokens.work}
    if not rows:
        return []
    stack = rows.get(first_token.STACK)
    return [
        f"| first token of a new sandbox | CPU of its init | then, by the clock | CPU of that | at {SHARE} of a core | "
        "with the init | of the small stack's |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {name} | {_ms(tokens.init)} | {_ms(tokens.wait)} | {_ms(tokens.work)} | "
            f"{median(tokens.work) / SHARE * 1000:.0f} ms | {_ms(tokens.at_share())} | "
            f"{f'{median_ratio(tokens.at_share(), stack.at_share()):.2f}' if stack else ''} |"
            for name, tokens in rows.items()
        ),
        "",
        "From the start of the process to the first streamed piece, over TLS to Poe and AWS, with a list of 362 models "
        "stored. Lambda gives the init phase a whole core and an invocation at 512 MB the named share; what that makes "
        "of the processor time is computed. The ratio is the median of those of the rounds. The clock's column is at "
        "full speed, beside what else the machine does.",
        "",
    ]


def _many_lines(found: list[ManyStreams]) -> list[str]:
    if not found:
        return []
    return [
        "| streams at once, under uvicorn | first piece: p50 | p99 | CPU per stream | memory per stream | "
        "table: calls, its CPU per stream |",
        "|---|--:|--:|--:|--:|--:|",
        *(
            f"| {one.count}, accounts and keys {one.store} | {percentile(one.first_bytes, 0.5):.2f} s | "
            f"{percentile(one.first_bytes, 0.99):.2f} s | {one.cpu_per_stream * 1000:.1f} ms | "
            f"{one.memory_mb_per_stream * 1000:.0f} KB | {one.table_calls:.1f}, {one.table_cpu * 1000:.0f} ms |"
            for one in found
        ),
        "",
        "All begin at the same moment, on official accounts with slots enough; 20 pieces, 50 ms apart. The client, the "
        "simulator and the stand-in of DynamoDB share the machine's cores with the gateway.",
        "",
    ]


def _prompt_lines(found: list[LargePrompt]) -> list[str]:
    rows = [row for row in found if row.used]
    if not rows:
        return []
    kinds = list(rows[0].used)
    return [
        f"| large requests | size | {' | '.join(f'CPU, {kind} account' for kind in kinds)} |",
        f"|---|--:|{'--:|' * len(kinds)}",
        *(
            f"| {row.name} | {row.body_bytes / 1000:,.0f} KB | "
            f"{' | '.join(_ms(row.used[kind]) if kind in row.used else '' for kind in kinds)} |"
            for row in rows
        ),
        "",
        "The whole request under uvicorn, with an answer of five words, which alone costs some 10 ms.",
        "",
    ]


def _ms(values: list[float]) -> str:
    return f"{median(values) * 1000:.0f} ({min(values) * 1000:.0f} to {max(values) * 1000:.0f}) ms"


def _other_lines(report: Report) -> list[str]:
    rows = [
        *(
            f"| round trips to Poe before the first token: {one.name} (time to it with 50 ms each) "
            f"| {one.count} ({one.first_token_ms:.0f} ms) |"
            for one in report.round_trips
        ),
        *_published_rows(report.published),
        *(
            f"| DynamoDB calls per chat, {one.name}: reads + writes | {one.reads:.1f} + {one.writes:.1f} |"
            for one in report.table_work
        ),
    ]
    if report.memory is not None:
        memory = report.memory
        rows.append(
            "| resident memory of a sandbox: after init, after 20 chats, peak "
            f"| {memory.after_init:.0f}, {memory.after_chats:.0f}, {memory.peak:.0f} MB |"
        )
    return ["| | |", "|---|--:|", *rows, ""] if rows else []


def _published_rows(published: list[RoundTrips] | None) -> list[str]:
    if published is None:
        return []
    name = "the same of the published `poe-api-wrapper` 1.7.1 by itself, over TLS"
    if not published:
        return [f"| {name} | not installed: `{INSTALL}` |"]
    return [f"| {name}, {one.name} | {one.count} ({one.first_token_ms:.0f} ms) |" for one in published]


def check_readme(path: Path) -> None:
    """Raises `ValueError` if the table has no place in it."""
    _find_place(path.read_text(encoding="utf-8"))


def update_readme(path: Path, markdown: str) -> None:
    """Replace what stands between the two markers. Raises `ValueError` if they are not there."""
    text = path.read_text(encoding="utf-8")
    begin, end = _find_place(text)
    path.write_text(f"{text[:begin]}\n{markdown}{text[end:]}", encoding="utf-8")


def _find_place(text: str) -> tuple[int, int]:
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise ValueError(f"there is no place for the table: {BEGIN} and {END}, each on a line of its own")
    return begin + len(BEGIN), end
