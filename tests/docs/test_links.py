"""Links in the documentation, and the references to it in code, lead to a file and a heading that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "events", "functions", "layers", "local", "cli", "reverse", "scripts", "tests")
GENERATED = frozenset({"node_modules", "__pycache__", "build"})
SUFFIXES = frozenset({".py", ".md", ".yaml", ".toml", ".html", ".js", ".mjs", ".in", ".mk"})
REFERENCE = re.compile(r"docs/[\w/-]+\.md(?:#[\w-]+)?")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
# Forms in which sections were cited before they were part of the repository.
UNRESOLVABLE = re.compile(
    r"(?:poe-web|poe-official|openai-wire|aws-lambda)(?:\s+#?\s*reference)?\s+#?\s*[A-H]?\.?\d"
    r"|\((?:recorded, )?[A-H]\.\d\)"
)


def project_files():
    """Every text file of the project that people wrote."""
    top = [path for path in ROOT.iterdir() if path.is_file() and (path.suffix in SUFFIXES or path.name == "Makefile")]
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)
    return sorted(path for path in (*top, *below) if not GENERATED.intersection(path.parts) and path.is_file())


def anchors(page):
    """The anchors that a Markdown page has on GitHub."""
    found = set()
    code = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            code = not code
        heading = re.match(r"#{1,6}\s+(.+)", line)
        if heading and not code:
            text = re.sub(r"[^\w\s-]", "", heading[1].replace("`", "").strip().lower())
            slug = re.sub(r"\s", "-", text)
            number = 0
            while slug + (f"-{number}" if number else "") in found:
                number += 1
            found.add(slug + (f"-{number}" if number else ""))
    return found


def unresolved(target, base):
    """Why a link leads nowhere; `None` if it leads somewhere."""
    path, _, anchor = target.partition("#")
    page = (base / path).resolve()
    if not page.exists():
        return f"no such file: {path}"
    if anchor and anchor not in anchors(page):
        return f"{path} has no heading #{anchor}"
    return None


FILES = project_files()


def test_references_to_the_documentation_resolve():
    """`docs/reference/poe-web.md#frames` in a comment, a docstring, a message or a page."""
    broken, found = [], 0
    for path in FILES:
        if path == Path(__file__):
            continue
        for target in REFERENCE.findall(path.read_text(encoding="utf-8")):
            found += 1
            # A page links relatively; there, only plain text and code name a page from the top.
            if why := unresolved(target, ROOT):
                broken.append(f"{path.relative_to(ROOT)}: {why}")
    assert broken == []
    assert found > 100


@pytest.mark.parametrize("page", [path for path in FILES if path.suffix == ".md"], ids=lambda path: path.name)
def test_links_of_a_page_resolve(page):
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    broken = [
        why
        for target in targets
        if (why := unresolved(target if target[0] != "#" else page.name + target, page.parent))
    ]
    assert broken == []


def test_nothing_cites_sections_that_no_reader_has():
    cited = []
    for path in FILES:
        if path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8")
        cited += [f"{path.relative_to(ROOT)}: {match[0]}" for match in UNRESOLVABLE.finditer(text)]
    assert cited == []


def test_anchors_are_those_that_github_makes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# `/v1/chat`, and more\n\n## Two words\n\n```\n# no heading\n```\n\n## Two words\n", encoding="utf-8"
    )
    assert anchors(page) == {"v1chat-and-more", "two-words", "two-words-1"}
    assert unresolved("page.md#two-words-1", tmp_path) is None
    assert unresolved("page.md#no-heading", tmp_path) == "page.md has no heading #no-heading"
    assert unresolved("other.md", tmp_path) == "no such file: other.md"
