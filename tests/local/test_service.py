from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local.run_file import read_run_file, write_run_file
from local.service import Service, ServiceError


async def start(code: str, reaper) -> Service:
    return await Service.start("it", [sys.executable, "-c", code], environment=dict(os.environ), reaper=reaper)


async def test_it_is_ready_with_its_first_line_and_ends_when_told(reaper):
    service = await start("print('ready at 1', flush=True)\nimport signal; signal.pause()", reaper)
    assert service.ready_line == "ready at 1"
    await service.stop()
    assert await service.wait() == -15


async def test_one_that_ends_before_it_is_ready_is_an_error(reaper):
    with pytest.raises(ServiceError, match=r"it ended before it was ready \(exit status 3\)"):
        await start("raise SystemExit(3)", reaper)


async def test_what_it_prints_later_does_not_block_it(reaper):
    service = await start("print('ready', flush=True)\nprint('x' * 1_000_000, flush=True)", reaper)
    assert await service.wait() == 0
    await service.stop()


def test_a_run_file_is_a_shell_file_for_its_owner_only(tmp_path):
    path = tmp_path / "run.env"
    variables = {"A": "with 'quotes' and $HOME", "B": "ws://{base_host}"}
    write_run_file(path, variables)
    write_run_file(path, variables)
    assert read_run_file(path) == variables
    assert path.stat().st_mode & 0o077 == 0


def test_the_command_that_a_run_file_names_works_in_a_folder_with_a_space(tmp_path):
    path = tmp_path / "my projects" / "run.env"
    path.parent.mkdir()
    write_run_file(path, {"A": "1"})
    command = path.read_text().splitlines()[0].partition("In another terminal: ")[2]
    printed = subprocess.run(["sh", "-c", f'{command} && printf %s "$A"'], capture_output=True, text=True, check=True)
    assert printed.stdout == "1"
