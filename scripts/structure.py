"""Print the structure of the code base: sizes, import arrows, cycles, duplicates and the longest functions.

    python scripts/structure.py [--against REVISION] [--json] [--details]

It needs Python's standard library and, for a revision, git. It reads the product's packages only, not the tests:

- a *package* is a top-level import name; the gateway is also shown by its own sub-packages;
- an *arrow* goes from one module to another that it imports, wherever the import statement stands;
- a *cycle* is a set of modules that import each other, directly or through others;
- a *duplicate* is a run of at least `DUPLICATE_LINES` code lines that stands in two places; comments, docstrings and
  imports are left out;
- a *comment* is a line that holds one, beside code or alone; `noqa`, `type: ignore` and their like are none;
- the *ground floor* of the gateway is what lies directly in its folder: modules and sub-packages.
"""

from __future__ import annotations

import argparse
import ast
import functools
import io
import json
import re
import subprocess
import tarfile
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

# Folders whose content is importable by name, as `pythonpath` in pyproject.toml has them. A layer is one each.
SOURCE_ROOTS = (".", "functions", "layers/*")
NOT_PRODUCT = frozenset(
    {"tests", "scripts", "docs", "events", "examples", "build", "requirements", "layers", "functions"}
)
DUPLICATE_LINES = 8
# Comments for linters, type checkers and the kernel say nothing to a reader.
_DIRECTIVE = re.compile(r"#!|#\s*(?:noqa|type:|pragma:|ruff:|mypy:|fmt:)")
_TOKENS_LEFT_OUT = frozenset({tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING})


@dataclass(frozen=True)
class Function:
    """A function or method: its module and qualified name, and how many lines it spans."""

    name: str
    lines: int


@dataclass(frozen=True)
class Duplicate:
    """The same run of code lines in two places. `first` and `second` are `path:line`."""

    first: str
    second: str
    lines: int


@dataclass(frozen=True)
class Parsed:
    """What the figures need of a file's text, wherever the file lies."""

    imports: tuple[ast.Import | ast.ImportFrom, ...]
    functions: tuple[tuple[str, int], ...]
    """Qualified names within the module, and how many lines each spans, its decorators left out."""
    code: tuple[tuple[int, str], ...]
    """Line numbers and tokens of each line that holds code; comments, docstrings and imports are left out."""
    comments: int
    """Lines that hold a comment for its readers."""


@dataclass
class Module:
    """One Python file, by its import name."""

    name: str
    path: str
    source: str
    imports: set[str] = field(default_factory=set)

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]


@dataclass
class Structure:
    """What is printed about one version of the code."""

    files: dict[str, int]
    """Python files by package; the sub-packages of the gateway are `gateway/<name>`."""
    lines: dict[str, int]
    comments: dict[str, int]
    """Lines that hold a comment."""
    arrows: dict[str, int]
    """Imports within a package (`reverse`) and between two (`gateway -> accounts`)."""
    cycles: list[list[str]]
    duplicates: list[Duplicate]
    longest: list[Function]
    longest_files: list[tuple[str, int]]
    ground_floor: list[str]

    def comment_rates(self) -> dict[str, float]:
        """Lines with a comment in 100 lines, by package. A package without a line has none."""
        return {name: round(100 * self.comments[name] / lines, 1) for name, lines in self.lines.items() if lines}

    def figures(self) -> dict[str, float]:
        """The figures that two versions are compared by, in the order of the table."""
        rows: dict[str, float] = {f"files: {name}": count for name, count in sorted(self.files.items())}
        rows |= {f"lines: {name}": count for name, count in sorted(self.lines.items())}
        rows |= {f"comments in 100 lines: {name}": rate for name, rate in sorted(self.comment_rates().items())}
        rows |= {f"arrows: {name}": count for name, count in sorted(self.arrows.items())}
        rows["cycles"] = len(self.cycles)
        rows["modules in cycles"] = sum(map(len, self.cycles))
        rows["duplicates"] = len(self.duplicates)
        rows["duplicated lines"] = sum(item.lines for item in self.duplicates)
        rows["longest function, lines"] = self.longest[0].lines if self.longest else 0
        rows["longest file, lines"] = self.longest_files[0][1] if self.longest_files else 0
        rows["places on the ground floor of functions/gateway"] = len(self.ground_floor)
        return rows


def main() -> None:
    """Parse the arguments and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", metavar="REVISION", help="compare the working tree with this git revision")
    parser.add_argument("--details", action="store_true", help="name the cycles, duplicates and longest functions")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments = parser.parse_args()
    repository = Path(__file__).resolve().parent.parent
    # Read first: a revision that git does not know is told at once.
    earlier = revision(repository, arguments.against) if arguments.against else None
    now = measure(working_tree(repository))
    before = None if earlier is None else measure(earlier)
    if arguments.json:
        print(json.dumps(as_json(now, before), indent=1))
        return
    print(table(now, before))
    if arguments.details:
        print()
        print(details(now))


def working_tree(repository: Path) -> dict[str, str]:
    """The Python files of the working tree that git knows or would add, by path."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "*.py"]
    listed = subprocess.run(command, cwd=repository, check=True, capture_output=True).stdout.decode()
    paths = [path for path in listed.split("\0") if path and (repository / path).is_file()]
    return {path: (repository / path).read_text(encoding="utf-8") for path in paths}


def revision(repository: Path, name: str) -> dict[str, str]:
    """The Python files of a git revision, by path. Raises `SystemExit` when git does not know it."""
    done = subprocess.run(["git", "archive", "--format=tar", name], cwd=repository, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"git cannot read {name!r}: {done.stderr.decode(errors='replace').strip()}")
    found = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.name.endswith(".py") else None
            if content is not None:
                found[member.name] = content.read().decode("utf-8")
    return found


def measure(sources: Mapping[str, str]) -> Structure:
    """Measure one version of the code, given as text by path."""
    modules = {module.name: module for module in _modules(sources)}
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    comments: Counter[str] = Counter()
    arrows: Counter[str] = Counter()
    functions: list[Function] = []
    for module in modules.values():
        parsed = parse(module.source)
        module.imports = set(_imports(parsed, module, modules))
        functions += (Function(f"{module.name}.{name}", length) for name, length in parsed.functions)
        for label in _labels(module):
            files[label] += 1
            lines[label] += module.source.count("\n")
            comments[label] += parsed.comments
    for module in modules.values():
        for target in module.imports:
            arrows.update(_arrow_labels(module, modules[target]))
    return Structure(
        files=dict(files),
        lines=dict(lines),
        comments={label: comments[label] for label in lines},
        arrows=dict(arrows),
        cycles=cycles({name: module.imports for name, module in modules.items()}),
        duplicates=duplicates({module.path: module.source for module in modules.values()}),
        longest=sorted(functions, key=lambda item: (-item.lines, item.name))[:10],
        longest_files=sorted(
            ((module.path, module.source.count("\n")) for module in modules.values()), key=lambda item: -item[1]
        )[:10],
        ground_floor=ground_floor(sources, "functions/gateway"),
    )


@functools.cache
def parse(source: str) -> Parsed:
    """Read a file's text, once for all figures and for both versions that have it."""
    imports: list[ast.Import | ast.ImportFrom] = []
    functions: list[tuple[str, int]] = []
    left_out: set[int] = set()
    waiting: list[tuple[ast.AST, str]] = [(ast.parse(source), "")]
    while waiting:
        node, prefix = waiting.pop()
        for child in ast.iter_child_nodes(node):
            name = f"{prefix}{child.name}." if hasattr(child, "name") and isinstance(child.name, str) else prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append((name.removesuffix("."), (child.end_lineno or child.lineno) - child.lineno + 1))
            elif isinstance(child, ast.Import | ast.ImportFrom):
                imports.append(child)
            if isinstance(child, ast.Import | ast.ImportFrom) or _is_text(child):
                left_out.update(range(child.lineno, (child.end_lineno or child.lineno) + 1))
            waiting.append((child, name))
    code, comments = _lines(source, left_out)
    return Parsed(tuple(imports), tuple(functions), code, comments)


def _is_text(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Whether a node is a docstring, or the string below an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _lines(source: str, left_out: set[int]) -> tuple[tuple[tuple[int, str], ...], int]:
    """The lines that hold code, but for those left out, and how many lines hold a comment."""
    by_line: dict[int, list[str]] = defaultdict(list)
    comments = 0
    for kind, text, (number, _), _, _ in tokenize.generate_tokens(io.StringIO(source).readline):
        if kind == tokenize.COMMENT:
            comments += _DIRECTIVE.match(text) is None
        elif kind not in _TOKENS_LEFT_OUT and number not in left_out and text.strip():
            by_line[number].append(text)
    lines = ((number, " ".join(tokens)) for number, tokens in sorted(by_line.items()))
    return tuple((number, text) for number, text in lines if any(map(str.isalnum, text))), comments


def ground_floor(sources: Iterable[str], folder: str) -> list[str]:
    """The modules and sub-packages that lie directly in a folder; its `__init__.py` is the folder itself."""
    parts = len(PurePosixPath(folder).parts)
    inside = [PurePosixPath(path) for path in sources if path.startswith(f"{folder}/")]
    return sorted({path.parts[parts] for path in inside} - {"__init__.py"})


def cycles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The sets of modules that reach each other (strongly connected components of more than one), largest first.

    Tarjan's algorithm with a stack of its own, so that a long chain of imports does not end in a recursion error.
    """
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    waiting: dict[str, None] = {}  # a stack whose membership is cheap to ask for
    found: list[list[str]] = []
    for start in sorted(graph):
        if start in index:
            continue
        index[start] = lowest[start] = len(index)
        waiting[start] = None
        work: list[tuple[str, Iterator[str]]] = [(start, iter(sorted(graph[start])))]
        while work:
            node, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[node])
                if lowest[node] == index[node]:
                    found.append(_component(waiting, node))
            elif target not in index:
                index[target] = lowest[target] = len(index)
                waiting[target] = None
                work.append((target, iter(sorted(graph.get(target, ())))))
            elif target in waiting:
                lowest[node] = min(lowest[node], index[target])
    return sorted((sorted(part) for part in found if len(part) > 1), key=lambda part: (-len(part), part))


def _component(waiting: dict[str, None], node: str) -> list[str]:
    """Take what lies above `node` off the stack, and `node` itself."""
    component: list[str] = []
    while not component or component[-1] != node:
        component.append(waiting.popitem()[0])
    return component


def duplicates(sources: Mapping[str, str]) -> list[Duplicate]:
    """Runs of at least `DUPLICATE_LINES` equal code lines, longest first. Import statements do not count."""
    code = {path: parse(source).code for path, source in sorted(sources.items())}
    places: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for path, lines in code.items():
        texts = [text for _, text in lines]
        for start in range(len(texts) - DUPLICATE_LINES + 1):
            places[tuple(texts[start : start + DUPLICATE_LINES])].append((path, start))
    pairs = {
        (occurrences[0], other) for occurrences in places.values() if len(occurrences) > 1 for other in occurrences[1:]
    }
    found = []
    for (path, start), (other, other_start) in pairs:
        # Only where a run begins: one that continues an earlier window is part of that one.
        if ((path, start - 1), (other, other_start - 1)) in pairs:
            continue
        length = DUPLICATE_LINES
        while (
            (path, start + length - DUPLICATE_LINES + 1),
            (other, other_start + length - DUPLICATE_LINES + 1),
        ) in pairs:
            length += 1
        first, second = code[path][start][0], code[other][other_start][0]
        found.append(Duplicate(f"{path}:{first}", f"{other}:{second}", length))
    return sorted(found, key=lambda item: (-item.lines, item.first, item.second))


def _modules(sources: Mapping[str, str]) -> Iterator[Module]:
    for path, source in sources.items():
        name = module_name(path)
        if name is not None:
            yield Module(name, path, source)


def module_name(path: str) -> str | None:
    """The import name of a file of the product; `None` for tests, scripts and files outside of the source roots."""
    parts = PurePosixPath(path).with_suffix("").parts
    for root in SOURCE_ROOTS:
        depth = len(PurePosixPath(root).parts)
        within = PurePosixPath(*parts[:depth]).match(root) if depth else parts[0] not in NOT_PRODUCT
        if within and len(parts) > depth + 1:
            inner = parts[depth:]
            return ".".join(inner[:-1] if inner[-1] == "__init__" else inner)
    return None


def _labels(module: Module) -> tuple[str, ...]:
    return (module.package, _room(module)) if module.package == "gateway" else (module.package,)


def _room(module: Module) -> str:
    """The sub-package of the gateway that a module is in; the ground floor is `gateway/.`."""
    parts = PurePosixPath(module.path).parts[2:]
    return f"gateway/{parts[0]}" if len(parts) > 1 else "gateway/."


def _arrow_labels(module: Module, target: Module) -> Iterator[str]:
    if module.package != target.package:
        yield f"{module.package} -> {target.package}"
        return
    yield module.package
    if module.package == "gateway" and _room(module) != _room(target):
        yield f"{_room(module)} -> {_room(target)}"


def _imports(parsed: Parsed, module: Module, known: Mapping[str, Module]) -> Iterator[str]:
    """The modules of the product that a module imports, by name."""
    for node in parsed.imports:
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        else:
            origin = _origin(node, module)
            # `from package import name` imports a module if there is one of that name, else something of the package.
            targets = [
                f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in known else origin for alias in node.names
            ]
        yield from (target for target in targets if target in known and target != module.name)


def _origin(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    is_package = module.path.endswith("/__init__.py")
    above = module.name.split(".")
    above = above[: len(above) - node.level + (1 if is_package else 0)]
    return ".".join([*above, *([node.module] if node.module else [])])


def table(now: Structure, before: Structure | None) -> str:
    """The figures as a table for people: one column, or before, after and difference."""
    after = now.figures()
    if before is None:
        width = max(map(len, after))
        return "\n".join(f"{name:<{width}}  {value:>7g}" for name, value in after.items())
    earlier = before.figures()
    names = sorted(earlier.keys() | after.keys(), key=_order(after, earlier))
    width = max(map(len, names))
    lines = [f"{'':<{width}}  {'before':>7}  {'after':>7}  {'change':>7}"]
    for name in names:
        old, new = earlier.get(name, 0), after.get(name, 0)
        lines.append(f"{name:<{width}}  {old:>7g}  {new:>7g}  {round(new - old, 1):>+7g}")
    return "\n".join(lines)


def _order(*tables: Mapping[str, int]) -> Any:
    """Sort by kind of figure first, so that a row of only one version stands with its kind."""
    kinds = list(dict.fromkeys(name.partition(":")[0] for rows in tables for name in rows))
    return lambda name: (kinds.index(name.partition(":")[0]), name)


def details(now: Structure) -> str:
    """The cycles, duplicates, longest functions and files, and the ground floor by name."""
    lines = ["cycles:", *(f"  {' <-> '.join(part)}" for part in now.cycles)]
    lines += ["duplicates:", *(f"  {item.lines:>4} lines  {item.first}  {item.second}" for item in now.duplicates)]
    lines += ["longest functions:", *(f"  {item.lines:>4} lines  {item.name}" for item in now.longest)]
    lines += ["longest files:", *(f"  {count:>4} lines  {path}" for path, count in now.longest_files)]
    return "\n".join([*lines, "ground floor of functions/gateway:", "  " + " ".join(now.ground_floor)])


def as_json(now: Structure, before: Structure | None) -> dict[str, Any]:
    """The same for programs."""
    found: dict[str, Any] = {
        "figures": now.figures(),
        "cycles": now.cycles,
        "duplicates": [vars(item) for item in now.duplicates],
        "longest_functions": [vars(item) for item in now.longest],
        "longest_files": [list(item) for item in now.longest_files],
        "ground_floor": now.ground_floor,
    }
    if before is not None:
        found["before"] = before.figures()
    return found


if __name__ == "__main__":
    main()
