"""What is left out of an artefact, and what never may be."""

import struct

import pytest

from scripts import build_artefact


@pytest.fixture
def tree(tmp_path):
    def make(*paths):
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")
        return tmp_path

    return make


def left(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_tests_stubs_sources_caches_and_commands_go(tree):
    root = tree(
        "pkg/__init__.py",
        "pkg/data.json",
        "pkg/tests/test_a.py",
        "pkg/sub/test/b.py",
        "pkg/py.typed",
        "pkg/a.pyi",
        "pkg/a.c",
        "pkg/__pycache__/a.cpython-311.pyc",
        "pkg/README.md",
        "bin/httpx",
    )
    build_artefact.strip(root)
    assert left(root) == ["pkg/__init__.py", "pkg/data.json"]


def test_what_libraries_and_scanners_read_of_the_metadata_stays(tree):
    info = "pkg-1.0.dist-info"
    root = tree(*(f"{info}/{name}" for name in ("METADATA", "entry_points.txt", "RECORD", "WHEEL", "INSTALLER")))
    tree(f"{info}/licenses/LICENSE", f"{info}/sboms/a.json")
    build_artefact.strip(root)
    assert left(root) == [f"{info}/METADATA", f"{info}/entry_points.txt", f"{info}/licenses/LICENSE"]


def test_a_package_may_have_a_module_named_like_something_that_goes(tree):
    root = tree("pkg/bin/__init__.py", "pkg/testing.py", "pkg/test_client.py")
    build_artefact.strip(root)
    assert left(root) == ["pkg/bin/__init__.py", "pkg/test_client.py", "pkg/testing.py"]


def test_the_console_is_shipped_compressed(tmp_path):
    static = tmp_path / "gateway/console/static"
    static.mkdir(parents=True)
    (static / "app.js").write_text("export const a = 1;\n" * 100)
    (static / "index.html").write_text("<p>" * 500)
    (tmp_path / "gateway/other").mkdir()
    (tmp_path / "gateway/other/app.js").write_text("export const a = 1;\n" * 100)
    build_artefact.compress(tmp_path)
    made = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.gz")]
    assert made == ["gateway/console/static/app.js.gz"]


def test_parts_of_dependencies_that_nothing_imports_go(tree):
    root = tree("websockets/client.py", "websockets/legacy/client.py", "aws_lambda_powertools/event_handler/a.py")
    build_artefact.strip(root)
    assert left(root) == ["websockets/client.py"]


def test_a_file_goes_by_its_whole_path(tree):
    root = tree("pydantic/mypy.py", "pydantic/main.py", "other/pydantic/mypy.py")
    build_artefact.strip(root)
    assert left(root) == ["other/pydantic/mypy.py", "pydantic/main.py"]


def library(loaded, rest):
    """An ELF64 file with one segment that covers all of `loaded`, then `rest`, which no loader maps."""
    size = 64 + 56 + len(loaded)
    header = struct.pack("<4sBB10sHHIQQQIHHHHHH", b"\x7fELF", 2, 1, b"", 3, 183, 1, 0, 64, size, 0, 64, 56, 1, 64, 9, 8)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    return header + segment + loaded + rest


def test_a_library_loses_its_debug_symbols_and_not_one_byte_that_is_loaded(tmp_path):
    path = tmp_path / "a.abi3.so"
    path.write_bytes(library(b"code and data", b"symbols" * 100))
    build_artefact.strip_debug_symbols(path)
    content = path.read_bytes()
    assert content[120:] == b"code and data"
    assert struct.unpack_from("<Q", content, 40) == (0,)
    assert struct.unpack_from("<HHH", content, 58) == (0, 0, 0)


def test_what_is_no_library_is_refused(tmp_path):
    path = tmp_path / "a.so"
    path.write_bytes(b"\x7fELF\x01\x01" + bytes(100))
    with pytest.raises(ValueError, match=r"a\.so is not an ELF64"):
        build_artefact.strip_debug_symbols(path)


def test_without_lambdas_python_it_builds_all_the_same_and_says_what_that_costs(tree, monkeypatch, capsys):
    root = tree("pkg/__init__.py")
    monkeypatch.setattr(build_artefact, "lambda_interpreter", lambda: None)
    build_artefact.precompile(root)
    assert left(root) == ["pkg/__init__.py"]
    assert "will start more slowly" in capsys.readouterr().out
