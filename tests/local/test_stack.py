"""The folder that holds the state of a run."""

from __future__ import annotations

from pathlib import Path

from local.stack import _make_private


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def test_the_state_is_for_its_owner_only(tmp_path: Path) -> None:
    """Also where an earlier version made the folder for everybody."""
    for folder in (tmp_path / "new" / ".local", tmp_path / ".local"):
        folder.parent.mkdir(exist_ok=True)
        if folder.parent == tmp_path:
            folder.mkdir(mode=0o755)
        _make_private(folder)
        assert mode(folder) == 0o700


def test_a_folder_that_was_chosen_is_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    _make_private(shared)
    assert mode(shared) == 0o755
    _make_private(tmp_path / "made")
    assert mode(tmp_path / "made") == 0o700
