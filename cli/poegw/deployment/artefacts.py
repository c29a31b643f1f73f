"""What was built: its machine code has to be for the processor that the functions run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from poegw.errors import CommandError

BUILD = ".aws-sam/build"
# `e_machine` of an ELF header, 18 bytes in.
_MACHINES = {"arm64": 183, "x86_64": 62}
_HEADER_BYTES = 20


def check_architecture(root: Path, architecture: str) -> None:
    """Raises `CommandError` if a library was built for another processor: Lambda would fail at its import."""
    wanted = _MACHINES.get(architecture)
    foreign = next((path for path, machine in _libraries(root / BUILD) if machine != wanted), None)
    if wanted is not None and foreign is not None:
        raise CommandError(
            f"{foreign.name} was built for another processor than {architecture}.",
            hint=f"Delete {BUILD} and deploy again, with one value of Architecture.",
        )


def _libraries(folder: Path) -> Iterator[tuple[Path, int]]:
    """Each native library with the machine that it is for."""
    for path in sorted(folder.rglob("*.so*")):
        if path.is_file():
            with path.open("rb") as file:
                header = file.read(_HEADER_BYTES)
            if header[:4] == b"\x7fELF":
                yield path, int.from_bytes(header[18:20], "little")
