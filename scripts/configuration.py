"""Write the tables of docs/configuration.md from the modules that read the settings.

    python scripts/configuration.py [--check]

The names, defaults and meanings come from the classes and the texts at their attributes; what is allowed comes from the
error that a wrong value raises; where a variable is set in a deployment comes from template.yaml. With `--check`
nothing is written, and the exit status is 1 when a table is out of date.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from scripts.generated_page import write_page  # noqa: E402

PAGE = ROOT / "docs/configuration.md"
IMPORT_FOLDERS = (".", "functions", "layers/accounts", "layers/pool", "layers/streaming_runtime")
NOT_ALLOWED = "\x00"
"""A value that no setting with a limited range accepts."""


@dataclass(frozen=True)
class Variable:
    """One environment variable as the page shows it."""

    name: str
    meaning: str
    default: str
    allowed: str


@dataclass(frozen=True)
class Source:
    """A class that reads settings, and how its attributes and variables correspond."""

    title: str
    module: str
    reader: str
    """Method that makes an instance from a mapping of variables."""
    complete: Mapping[str, str]
    """Variables that have to be set for the reader to get as far as the one that is asked about."""
    prefix: str = ""
    class_name: str = "Settings"
    skipped: tuple[str, ...] = ()
    """Attributes that no variable of one's own sets."""


SOURCES = (
    Source(
        "gateway",
        "gateway.settings",
        "from_env",
        {"GATEWAY_TABLE": "table", "GATEWAY_KMS_KEY_ID": "key"},
        "GATEWAY_",
    ),
    Source(
        "job",
        "refresh_points.settings",
        "from_env",
        {"GATEWAY_TABLE": "table", "GATEWAY_KMS_KEY_ID": "key"},
        "GATEWAY_",
    ),
)
RUNTIME = Source(
    "runtime",
    "streaming_runtime.settings",
    "from_environ",
    {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "_HANDLER": "gateway.asgi.handler"},
    "STREAMING_RUNTIME_",
    skipped=("address", "handler", "task_root", "runtime_dir", "function", "concurrency"),
)
LOCAL = Source(
    "make run", "local.settings", "from_env", {}, class_name="RunSettings", skipped=("function_variables", "filed")
)


def main() -> None:
    """Write the page, or check it."""
    sys.path[:0] = [str(ROOT / folder) for folder in IMPORT_FOLDERS]
    write_page(__doc__, PAGE, tables)


def tables() -> dict[str, str]:
    """The tables by the names that the page has for them."""
    stack = stack_variables((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return {
        "functions": _functions_table(stack),
        "runtime": _table(variables(RUNTIME), stack),
        "run": _table(variables(LOCAL), None),
    }


def variables(source: Source) -> list[Variable]:
    """The variables that a settings class reads, in the order of its attributes."""
    module = importlib.import_module(source.module)
    settings = getattr(module, source.class_name)
    described: dict[str, str] = {}
    # Without `tuple`, which a named tuple is made of.
    for base in reversed([kind for kind in settings.__mro__ if kind.__module__ != "builtins"]):
        file = Path(sys.modules[base.__module__].__file__ or "")
        described |= meanings(file.read_text(encoding="utf-8"), base.__name__)
    read = _reader(settings, source)
    found = []
    for attribute, given in _attributes(settings):
        if attribute in source.skipped:
            continue
        name, unit = variable_name(attribute, source.prefix)
        is_required = name in source.complete and _refusal(read, source.complete, name, None) is not None
        default = "required" if is_required else _shown(given, unit)
        allowed = _refusal(read, source.complete, name, NOT_ALLOWED) or ""
        found.append(Variable(name, described.get(attribute, ""), default, allowed))
    return found


def _attributes(settings: Any) -> list[tuple[str, Any]]:
    """Names and defaults of a dataclass or of a named tuple."""
    if dataclasses.is_dataclass(settings):
        return [(item.name, item.default) for item in dataclasses.fields(settings)]
    return [(name, settings._field_defaults.get(name, dataclasses.MISSING)) for name in settings._fields]


def variable_name(attribute: str, prefix: str) -> tuple[str, int]:
    """The variable of an attribute, and how many of its units make one of the attribute's.

    The streaming runtime takes milliseconds where it keeps seconds.
    """
    if prefix == RUNTIME.prefix and attribute.endswith("_seconds"):
        return f"{prefix}{attribute.removesuffix('_seconds').upper()}_MS", 1000
    return prefix + attribute.upper(), 1


def meanings(source: str, class_name: str) -> dict[str, str]:
    """The explanation of each attribute of a class: the text below it, or the comment above it."""
    lines = source.splitlines()
    found = {}
    (body,) = (
        node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == class_name
    )
    for node, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = str(following.value.value)
        else:
            text = " ".join(reversed(list(_comment_above(lines, node.lineno - 1))))
        found[node.target.id] = " ".join(text.split())
    return found


def _comment_above(lines: list[str], index: int) -> Iterator[str]:
    while index and lines[index - 1].strip().startswith("#"):
        index -= 1
        yield lines[index].strip().lstrip("# ")


def _reader(settings: Any, source: Source) -> Callable[[Mapping[str, str]], Any]:
    read = getattr(settings, source.reader)
    # Without a `.env` file, whatever lies in the folder.
    return (lambda environ: read(environ, None)) if source is LOCAL else read


def _refusal(
    read: Callable[[Mapping[str, str]], Any], complete: Mapping[str, str], name: str, value: str | None
) -> str | None:
    """What the error says is allowed when a variable has a value, or is missing; `None` if there is no error."""
    environ = {key: text for key, text in complete.items() if key != name}
    if value is not None:
        environ[name] = value
    try:
        read(environ)
    except Exception as error:
        # Each package has an error class of its own; the message is what they share.
        message = str(error)
        if name not in message:
            raise
        return message.rpartition("must be ")[2] if "must be " in message else "set"
    return None


def _shown(default: Any, units: int) -> str:
    if default in ("", (), None) or default is dataclasses.MISSING:
        return ""
    if isinstance(default, float | int) and not isinstance(default, bool):
        return f"`{default * units:g}`" if default * units < 1e6 else f"`{default * units}`"
    if isinstance(default, Path):
        return f"`{default.relative_to(ROOT)}`"
    return f"`{default}`"


def stack_variables(template: str) -> dict[str, str]:
    """How `template.yaml` sets a variable for its functions, in words, by name."""

    def tagged(_: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
        value = node.value if isinstance(node, yaml.ScalarNode) else "…"
        return {suffix: value}

    class Loader(yaml.SafeLoader):
        """SAM's short tags as one-entry mappings."""

    Loader.add_multi_constructor("!", tagged)
    parsed = yaml.load(template, Loader)
    parameters = parsed["Parameters"]
    environments = [parsed["Globals"]["Function"]["Environment"]["Variables"]]
    for resource in parsed["Resources"].values():
        environments.append(resource.get("Properties", {}).get("Environment", {}).get("Variables", {}))
    return {name: _in_words(value, parameters) for each in environments for name, value in each.items()}


def _in_words(value: Any, parameters: Mapping[str, Any]) -> str:
    if not isinstance(value, dict):
        return f"`{value}`"
    ((kind, named),) = value.items()
    if kind == "Ref" and named in parameters:
        return f"parameter `{named}`, `{parameters[named].get('Default', '')}` unless set"
    return f"the stack's own `{str(named).partition('.')[0]}`"


def _functions_table(stack: Mapping[str, str]) -> str:
    """The settings of both functions in one table. Raises `SystemExit` where the two differ about a variable."""
    rows: dict[str, tuple[Variable, list[str]]] = {}
    for source in SOURCES:
        for variable in variables(source):
            known, readers = rows.setdefault(variable.name, (variable, []))
            if (known.default, known.allowed) != (variable.default, variable.allowed):
                raise SystemExit(f"{variable.name} differs between the functions: {known} and {variable}")
            readers.append(source.title)
    lines = ["| variable | read by | meaning | default | allowed | in the stack |", "|---|---|---|---|---|---|"]
    for variable, readers in rows.values():
        where = stack.get(variable.name, "not set")
        cells = (f"`{variable.name}`", ", ".join(readers), variable.meaning, variable.default, variable.allowed, where)
        lines.append(_row(*cells))
    return "\n".join(lines) + "\n"


def _table(found: list[Variable], stack: Mapping[str, str] | None) -> str:
    lines = ["| variable | meaning | default | allowed |", "|---|---|---|---|"]
    if stack is not None:
        lines = [f"{lines[0]} in the stack |", f"{lines[1]}---|"]
    for item in found:
        where = () if stack is None else (stack.get(item.name, "not set"),)
        lines.append(_row(f"`{item.name}`", item.meaning, item.default, item.allowed, *where))
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"


if __name__ == "__main__":
    main()
