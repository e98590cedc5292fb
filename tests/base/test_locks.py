"""A folder that one process has: others are refused in one line, and a process that dies gives it back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.base.locks import alone, is_taken
from tests.command import ENVIRONMENT

HOLD = """
import sys, time
from pathlib import Path
from jaxgrad.base.locks import alone
with alone("--out", Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(600)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that is in the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    return process


def test_a_second_process_is_told_who_is_there_until_that_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(InputError) as refused, alone("--resume", tmp_path):
            pytest.fail("two processes in one folder")
        assert str(refused.value) == (
            f"--resume: got {str(tmp_path)!r}, where process {process.pid} is at work; wait for its end, or stop it"
        )
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir())  # its lock's file
    with alone("--resume", tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_made_for_the_lock_goes_with_it_unless_something_is_in_it(tmp_path: Path) -> None:
    empty, used = tmp_path / "a" / "empty", tmp_path / "used"
    with pytest.raises(ZeroDivisionError), alone("--out", empty):
        raise ZeroDivisionError
    assert not empty.exists()
    with alone("--out", used):
        (used / "result").touch()
    assert [path.name for path in used.iterdir()] == ["result"]


def test_many_that_come_and_go_are_never_in_it_together(tmp_path: Path) -> None:
    """Also where one opens the lock's file, another removes it, and a third makes it anew."""
    inside: list[int] = []
    entered: list[int] = []

    def come_and_go(number: int) -> None:
        for _ in range(200):
            try:
                with alone("--out", tmp_path):
                    inside.append(number)
                    assert inside == [number]
                    entered.append(number)
                    os.sched_yield()
                    inside.remove(number)
            except InputError:
                pass

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == []
    assert len(set(entered)) > 1


def test_whether_a_folder_is_taken_is_told_to_one_that_looks(tmp_path: Path) -> None:
    assert not is_taken(tmp_path)
    assert not list(tmp_path.iterdir())  # looking makes nothing
    with alone("--out", tmp_path):
        assert is_taken(tmp_path)
    with holder(tmp_path) as process:
        assert is_taken(tmp_path)
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir())  # the file is there, and the lock is gone
    assert not is_taken(tmp_path)


def test_a_look_keeps_nobody_out(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / ".lock").touch()
    with (tmp_path / ".lock").open() as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        threading.Timer(0.01, fcntl.flock, (look.fileno(), fcntl.LOCK_UN)).start()
        with alone("--resume", tmp_path):
            assert is_taken(tmp_path)
