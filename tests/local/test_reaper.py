from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

from local.reaper import Reaper

SLEEPER = """
import signal
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(1, flush=True)
signal.pause()
"""
PARENT = """
import os, signal, subprocess, sys
from pathlib import Path
from local.reaper import Reaper
reaper = Reaper()
command = [sys.executable, "-c", "import signal; signal.pause()"]
children = [subprocess.Popen(command, start_new_session=True) for _ in "ab"]
for child in children:
    reaper.watch(child.pid)
own, others = map(Path, sys.argv[1:])
for path in (own, others):
    path.write_text("of this run")
    reaper.remove_at_end(path)
others.unlink()
others.with_suffix(".new").write_text("of the next run")
others.with_suffix(".new").rename(others)
os.kill(children[1].pid, signal.SIGSTOP)
print(*[child.pid for child in children], reaper.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def start_sleeper(*, stubborn: bool = False) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER.format(stubborn=stubborn)], start_new_session=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    # A zombie still counts as a process of its group, so somebody has to wait for it meanwhile.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_is_still_on_the_list_ends_and_what_was_forgotten_lives():
    reaper = Reaper()
    watched, forgotten = start_sleeper(), start_sleeper()
    reaper.watch(watched.pid)
    reaper.watch(forgotten.pid)
    reaper.forget(forgotten.pid)
    reaper.close()
    assert watched.wait(5) == -signal.SIGTERM
    assert forgotten.poll() is None
    forgotten.kill()
    forgotten.wait()


def test_frozen_and_stubborn_processes_end_too():
    reaper = Reaper(grace_seconds=1.0)
    frozen, stubborn = start_sleeper(), start_sleeper(stubborn=True)
    frozen.send_signal(signal.SIGSTOP)
    reaper.watch(frozen.pid)
    reaper.watch(stubborn.pid)
    reaper.close()
    assert frozen.wait(5) == -signal.SIGTERM
    assert stubborn.wait(5) == -signal.SIGKILL


def test_the_children_of_a_killed_parent_end_and_its_files_go(tmp_path):
    own, others = tmp_path / "own file", tmp_path / "others"
    command = [sys.executable, "-c", PARENT, str(own), str(others)]
    parent = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    assert parent.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in parent.stdout.split()]
    with subprocess.Popen(["tail", f"--pid={pids[-1]}", "-f", "/dev/null"]) as end_of_reaper:
        end_of_reaper.wait(60)
    assert not any(map(is_running, pids))
    assert not own.exists()
    assert others.read_text() == "of the next run"
