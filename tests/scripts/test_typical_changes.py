"""The count of files that typical changes touch."""

from __future__ import annotations

from scripts.typical_changes import PAGE, changes, files_of

PAGE_OF_TWO = """
| change | example | before | now | begin at |
|---|---|--:|--:|---|
| a setting | `wait_seconds` | 4 | 9 | `functions/` |
| an upstream | `Kind\\.(A\\|B)` in `layers/` | 3 | 1 | `layers/` |
"""


def test_files_are_counted_by_the_rows_of_the_table(tmp_path) -> None:
    for name, text in {
        "functions/a.py": "wait_seconds = 1",
        "functions/b/c.py": "Kind.A; wait_seconds",
        "functions/b/page.js": "wait_seconds",
        "layers/d.py": "Kind.B",
        "layers/e.py": "Kind",
        "tests/f.py": "wait_seconds",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    setting, upstream = changes(PAGE_OF_TWO)
    assert files_of(setting, tmp_path) == ["functions/a.py", "functions/b/c.py"]
    assert files_of(upstream, tmp_path) == ["layers/d.py"]
    assert PAGE_OF_TWO[slice(*setting.place)] == "9"


def test_every_example_of_the_page_is_in_the_code() -> None:
    rows = [*changes(PAGE.read_text(encoding="utf-8"))]
    assert len(rows) >= 12
    assert [row.name for row in rows if not files_of(row)] == []
