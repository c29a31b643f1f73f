"""Write the tables of docs/retries.md from the rules of the plan and the codes of the Poe client's errors.

    python scripts/retries.py [--check]

The table of upstream requests per client call has marks of its own: `make conformance ARGS=--update-docs` writes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/retries.md"
IMPORT_FOLDERS = (".", "functions", "layers/accounts", "layers/pool", "layers/streaming_runtime")
sys.path[:0] = [str(ROOT / folder) for folder in IMPORT_FOLDERS if str(ROOT / folder) not in sys.path]

from gateway.generation.rules import RULES, Rule  # noqa: E402
from reverse.errors import POLICIES, Delivery, ErrorCode  # noqa: E402
from scripts.generated_page import write_page  # noqa: E402

FATES = {
    Delivery.NOT_SENT: "not sent",
    Delivery.REFUSED: "refused",
    Delivery.FAILED: "failed",
    Delivery.UNKNOWN: "unknown",
    Delivery.PARTIAL: "answered in part",
}


def rules_table() -> str:
    """The rules, in their order."""
    lines = [
        "| | situation | how the send ended | its delivery | what is done | how often | then another model | why |",
        "|--:|---|---|---|---|---|---|---|",
    ]
    for number, rule in enumerate(RULES, 1):
        further = "if allowed" if rule.falls_back else ""
        cells = (
            str(number),
            rule.name,
            _ending(rule),
            _fates(rule),
            _action(rule),
            _how_often(rule),
            further,
            rule.why,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def deliveries_table() -> str:
    """What a code alone says of the delivery."""
    lines = ["| delivery | codes |", "|---|---|"]
    for delivery in Delivery:
        codes = [code for code in ErrorCode if POLICIES[code].delivery is delivery]
        lines.append(f"| {FATES[delivery]} | {_listed(codes) or 'none: only the place of the failure knows'} |")
    return "\n".join(lines) + "\n"


def _ending(rule: Rule) -> str:
    parts = []
    if rule.codes is not None:
        codes = [code for code in ErrorCode if code in rule.codes]
        parts.append(_listed(codes) if codes else "a complete answer that can't be used")
    if rule.scopes is not None:
        parts.append("an error of scope " + " or ".join(sorted(f"`{scope.value}`" for scope in rule.scopes)))
    if rule.is_shown:
        parts.append("any error after the caller has seen something")
    if rule.is_retryable:
        parts.append("if the code is retryable" if parts else "a code that is retryable")
    if rule.within is not None:
        parts.append(f"`retry-after` of at most {rule.within:g} s")
    if rule.needs is not None:
        parts.append("if the change below would answer it")
    return ", ".join(parts) or "any"


def _fates(rule: Rule) -> str:
    return (
        "any" if rule.fates is None else " or ".join(FATES[delivery] for delivery in Delivery if delivery in rule.fates)
    )


def _action(rule: Rule) -> str:
    if rule.where is None:
        return "give up"
    change = f", {rule.needs.value}" if rule.needs else ""
    return f"{rule.where.value}{change}{', after a pause' if rule.pauses else ''}"


def _how_often(rule: Rule) -> str:
    return "" if rule.where is None else "once" if rule.is_once else "within the budget"


def _listed(codes: list[ErrorCode]) -> str:
    return ", ".join(f"`{code.value}`" for code in codes)


def tables() -> dict[str, str]:
    """Each table by its name."""
    return {"rules": rules_table(), "deliveries": deliveries_table()}


def main() -> None:
    """Write the page, or check it."""
    write_page(__doc__, PAGE, tables)


if __name__ == "__main__":
    main()
