"""Write the tables of docs/admin-api.md from the description that the gateway gives of itself.

    python scripts/admin_routes.py [--check]

Routes, fields, types and limits come from the OpenAPI document, the meaning of a field from the text below it in the
code. With `--check` nothing is written, and the exit status is 1 when a table is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/admin-api.md"
IMPORT_FOLDERS = (".", "functions", "layers/accounts", "layers/pool", "layers/streaming_runtime")
sys.path[:0] = [str(ROOT / folder) for folder in IMPORT_FOLDERS if str(ROOT / folder) not in sys.path]

from gateway.fastapi_app import create_application  # noqa: E402
from scripts.configuration import meanings  # noqa: E402
from scripts.generated_page import write_page  # noqa: E402

PREFIX = "/admin"
SOURCES = ROOT / "functions/gateway/admin"
_REFERENCE = "#/components/schemas/"
_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} elements",
    "maxItems": "at most {} elements",
}


def main() -> None:
    """Write the page, or check it."""
    write_page(__doc__, PAGE, tables)


def tables() -> dict[str, str]:
    """The tables by name."""
    document = create_application().openapi()
    routes = list(_routes(document))
    return {"routes": _routes_table(routes), "shapes": _shapes(document, routes)}


def _routes(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, operations in sorted(document["paths"].items(), key=lambda item: item[0].replace("{", "~")):
        if path.startswith(PREFIX):
            for method, operation in operations.items():
                yield method.upper(), path, operation


def _routes_table(routes: list[tuple[str, str, Mapping[str, Any]]]) -> str:
    lines = ["| request | what it does | query | body | answer |", "|---|---|---|---|---|"]
    for method, path, operation in routes:
        answer = min(status for status in operation["responses"] if status.startswith("2"))
        content = operation["responses"][answer].get("content", {})
        text = _paragraph(operation.get("description") or operation["summary"] + ".")
        query = ", ".join(f"`{one['name']}`" for one in operation.get("parameters", ()) if one["in"] == "query")
        body = _shape_link(operation.get("requestBody", {}).get("content", {}))
        shape = _shape_link(content)
        lines.append(f"| `{method} {path}` | {text} | {query} | {body} | {answer}{' ' if shape else ''}{shape} |")
    return "\n".join(lines) + "\n"


def _paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")


def _shape_link(content: Mapping[str, Any]) -> str:
    names = _names(content)
    return ", ".join(f"[{name}](#{name.lower()})" for name in names)


def _names(value: Any) -> list[str]:
    """The schemas that something refers to, in their order."""
    if isinstance(value, Mapping):
        found = [str(value["$ref"]).removeprefix(_REFERENCE)] if "$ref" in value else []
        return list(dict.fromkeys([*found, *(name for part in value.values() for name in _names(part))]))
    if isinstance(value, list):
        return list(dict.fromkeys(name for part in value for name in _names(part)))
    return []


def _shapes(document: Mapping[str, Any], routes: list[tuple[str, str, Mapping[str, Any]]]) -> str:
    schemas = document["components"]["schemas"]
    wanted: list[str] = []
    waiting = [
        name
        for _, _, operation in routes
        for part in (operation.get("requestBody", {}), _success(operation))
        for name in _names(part)
    ]
    while waiting:
        name = waiting.pop(0)
        if name not in wanted:
            wanted.append(name)
            waiting += _names(schemas[name])
    sent = {name for _, _, operation in routes for name in _names(operation.get("requestBody", {}))}
    # What is a choice of words is told where it is used.
    choices = {name: schema for name, schema in schemas.items() if "properties" not in schema}
    return "\n".join(
        _shape(name, schemas[name], choices, is_sent=name in sent) for name in sorted(wanted) if name not in choices
    )


def _success(operation: Mapping[str, Any]) -> dict[str, Any]:
    return {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}


def _shape(name: str, schema: Mapping[str, Any], choices: Mapping[str, Any], *, is_sent: bool) -> str:
    told = _meanings(name)
    text = _paragraph(schema.get("description", ""))
    lines = [f"### {name}", "", *([text, ""] if text else []), "| field | type | meaning |", "|---|---|---|"]
    for field, found in schema["properties"].items():
        meaning = told.get(field) or found.get("description", "")
        needed = "Required." if is_sent and field in schema.get("required", ()) else ""
        lines.append(
            f"| `{field}` | {_type(found, choices)} | {' '.join(filter(None, (needed, _paragraph(meaning))))} |"
        )
    return "\n".join(lines) + "\n"


def _meanings(name: str) -> dict[str, str]:
    """What the code says of each field of a model, those that it inherits included."""
    for path in sorted(SOURCES.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        if declared := re.search(rf"^class {name}\(([\w, ]*)\):", source, re.MULTILINE):
            inherited = [_meanings(base.strip()) for base in declared[1].split(",")]
            return {field: text for found in [*inherited, meanings(source, name)] for field, text in found.items()}
    return {}


def _type(schema: Mapping[str, Any], choices: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_REFERENCE)
        return _type(choices[name], choices) if name in choices else f"[{name}](#{name.lower()})"
    if options := schema.get("anyOf") or schema.get("allOf"):
        return " or ".join(dict.fromkeys(_type(option, choices) for option in options))
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        kind = f"list of {_type(schema.get('items', {}), choices)}"
    limits = [text.format(f"{schema[limit]:g}") for limit, text in _LIMITS.items() if limit in schema]
    limits += [schema["format"]] if schema.get("format") in ("date-time", "date") else []
    return kind + (f", {', '.join(limits)}" if limits else "")


if __name__ == "__main__":
    main()
