"""Write the tables of docs/deploy.md from template.yaml and from the formula for the cost.

    python scripts/deployment_page.py [--check]

With `--check` nothing is written, and the exit status is 1 when a table is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/deploy.md"
sys.path[:0] = [str(ROOT / folder) for folder in (".", "cli") if str(ROOT / folder) not in sys.path]

from poegw.deployment.cost import monthly_cost, worst_day  # noqa: E402
from scripts.generated_page import write_page  # noqa: E402

CHATS_A_DAY = (0, 10, 100, 1_000, 10_000)
CONCURRENCIES = (10, 50, 1_000)


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's own tags as what they are applied to."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: _plain(loader, node))


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node)


def main() -> None:
    """Write the page, or check it."""
    write_page(__doc__, PAGE, tables)


def tables() -> dict[str, str]:
    """The tables by name."""
    template = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), _Loader)
    return {
        "parameters": _parameters(template["Parameters"]),
        "outputs": _outputs(template["Outputs"]),
        "alarms": _alarms(template["Resources"]),
        "cost": _cost(),
        "worst": _worst(),
    }


def _parameters(parameters: dict[str, Any]) -> str:
    lines = ["| parameter | default | allowed | meaning |", "|---|---|---|---|"]
    for name, found in parameters.items():
        default = f"`{found['Default']}`" if found["Default"] != "" else ""
        lines.append(f"| `{name}` | {default} | {_allowed(found)} | {' '.join(found['Description'].split())} |")
    return "\n".join(lines) + "\n"


def _allowed(parameter: dict[str, Any]) -> str:
    if values := parameter.get("AllowedValues"):
        return ", ".join(f"`{value}`" for value in values)
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if least is not None and most is not None:
        return f"{least} to {most}"
    return f"{least} or more" if least is not None else ""


def _outputs(outputs: dict[str, Any]) -> str:
    lines = ["| output | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {found['Description']} |" for name, found in outputs.items()]
    return "\n".join(lines) + "\n"


def _alarms(resources: dict[str, Any]) -> str:
    lines = ["| alarm | when, and what to do |", "|---|---|"]
    for name, found in resources.items():
        if found["Type"] == "AWS::CloudWatch::Alarm":
            lines.append(f"| `{name}` | {' '.join(found['Properties']['AlarmDescription'].split())} |")
    return "\n".join(lines) + "\n"


def _cost() -> str:
    lines = [
        "| chats a day | compute | requests | table | logs | scheduled job | key and secret | a month |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for chats in CHATS_A_DAY:
        cost = monthly_cost(chats)
        parts = (cost.compute, cost.requests, cost.table, cost.logs, cost.job, cost.fixed, cost.total)
        lines.append(f"| {chats:,} | " + " | ".join(f"${part:,.2f}" for part in parts) + " |")
    return "\n".join(lines) + "\n"


def _worst() -> str:
    lines = ["| `GatewayConcurrency` | at 512 MB | at 1024 MB |", "|--:|--:|--:|"]
    for number in CONCURRENCIES:
        costs = [worst_day(number, memory_mb=memory) for memory in (512, 1024)]
        lines.append(f"| {number:,} | " + " | ".join(f"${cost:,.2f}" for cost in costs) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
