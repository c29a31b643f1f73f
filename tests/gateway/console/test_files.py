"""Static files: addresses with a hash of all of them, and nothing else can be read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.files import FOLDER, FileSet, read_files, write_compressed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "pages").mkdir(parents=True)
    (root / "index.html").write_text('<script type="module" src="static/@/app.js"></script>')
    (root / "app.js").write_text("export const a = 1;\n" * 100)
    (root / "pages/keys.js").write_text("short")
    (root / "icon.png").write_bytes(b"\x89PNG" + bytes(2_000))
    (tmp_path / "secret.txt").write_text("not for you")
    return root


def test_the_index_names_the_files_with_their_hash(folder: Path) -> None:
    found = read_files(folder)
    assert found.index is not None
    assert f'src="static/{found.digest}/app.js"'.encode() in found.index.body
    assert not found.index.is_immutable
    assert found.find(f"{found.digest}/index.html") is None


def test_another_content_or_name_has_another_address(folder: Path) -> None:
    before = read_files(folder).digest
    assert read_files(folder).digest == before
    (folder / "app.js").write_text("export const a = 2;")
    changed = read_files(folder).digest
    (folder / "app.js").rename(folder / "app2.js")
    assert len({before, changed, read_files(folder).digest}) == 3


def test_a_file_of_another_version_is_not_found(folder: Path) -> None:
    found = read_files(folder)
    assert found.find(f"{found.digest}/pages/keys.js") is not None
    assert found.find("0123456789abcdef/pages/keys.js") is None


def test_text_is_compressed_where_that_helps(folder: Path) -> None:
    files = read_files(folder).files
    assert files["app.js"].compressed is not None
    assert gzip.decompress(files["app.js"].compressed) == files["app.js"].body
    assert files["pages/keys.js"].compressed is None
    assert files["icon.png"].compressed is None


def test_what_was_compressed_at_build_time_is_used_and_is_the_same_every_time(folder: Path) -> None:
    before = read_files(folder)
    write_compressed(folder)
    first = (folder / "app.js.gz").read_bytes()
    write_compressed(folder)
    assert (folder / "app.js.gz").read_bytes() == first
    after = read_files(folder)
    assert (after.digest, after.files) == (before.digest, before.files)
    assert not (folder / "index.html.gz").exists(), "its addresses are written when it is read"


@pytest.mark.parametrize("name", [".hidden.js", "notes.md", "module.py", "page.html", "with space.js", "a.js.gz"])
def test_other_files_are_not_served(folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    assert name not in read_files(folder).files


def test_links_out_of_the_folder_are_not_followed(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    assert "link.txt" not in read_files(folder).files


@given(
    st.text(max_size=40) | st.lists(st.sampled_from(["..", ".", "", "%2e%2e", "secret.txt", "/", "\\"])).map("/".join)
)
def test_no_path_leads_out_of_the_folder(path: str) -> None:
    found = FileSet("0" * 16, {}, None)
    assert found.find(path) is None
    assert found.find(f"{found.digest}/{path}") is None


def test_every_file_of_the_console_can_be_served() -> None:
    served = read_files()
    there = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert {name for name in there if not name.endswith(".gz")} - {"index.html"} == set(served.files)
