"""Ctrl-C: one line that says how to go on, exit code 130, within two seconds whatever the command is at."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxgrad.cli import interrupts, main
from jaxgrad.cli.errors import command
from jaxgrad.cli.interrupts import Interrupted, resumable
from tests.command import ENVIRONMENT


def interrupt() -> int:
    raise KeyboardInterrupt


def test_how_to_go_on_is_a_value() -> None:
    with pytest.raises(Interrupted) as raised, resumable("go on with: this"):
        interrupt()
    assert raised.value.hint == "go on with: this"


@pytest.mark.parametrize(
    ("hint", "said"), [("go on with: this", "interrupted; go on with: this\n"), (None, "interrupted\n")]
)
def test_an_interrupted_command_ends_in_one_line(
    hint: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @command
    def work() -> int:
        if hint is None:
            return interrupt()
        with resumable(hint):
            return interrupt()

    interrupts.begin()
    assert work() == 130
    assert capsys.readouterr().err == said


def test_an_error_without_ctrl_c_stays_what_it_is() -> None:
    @command
    def work() -> int:
        with resumable("go on with: this"):
            raise ValueError("its own")

    interrupts.begin()
    with pytest.raises(ValueError, match="its own"):
        work()


def test_what_the_parser_is_interrupted_at_says_so_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxgrad.cli.options.one_of", interrupted)
    assert main(["train", "--model", "mlp"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


# What Python can't interrupt: a long call that is not its own, threads that it waits for at its end, and what it frees
# then. And what takes the interruption for something else.
BUSY = {
    "a call": "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 2_000_000_000)",
    "a thread": "import concurrent.futures as f, hashlib\n"
    "with f.ThreadPoolExecutor() as pool: pool.submit(hashlib.pbkdf2_hmac, 'sha256', b'', b'', 2_000_000_000).result()",
    "where Python drops it": "import time\n"
    "class Slow:\n"
    "    def __del__(self): [time.sleep(0.01) for _ in range(500)]\n"
    "Slow()\n"
    "time.sleep(600)",
    "where a library drops it": "import time\ntry: time.sleep(600)\nexcept BaseException: pass",
    "where others speak of it": "import os, threading, time, warnings\n"
    "def speak():\n"
    "    while True: print('the loop is closed', file=sys.stderr)\n"
    "try: time.sleep(600)\n"
    "finally:\n"
    "    warnings.warn('a task was never awaited'); os.write(2, b'native code')\n"
    "    threading.Thread(target=speak, daemon=True).start(); time.sleep(0.1)",
    "its end": "import hashlib, time\n"
    "class Slow:\n"
    "    def __del__(self, work=hashlib.pbkdf2_hmac): work('sha256', b'', b'', 2_000_000_000)\n"
    "sys.slow = Slow()\n"
    "time.sleep(600)",
    "where a library makes its own error of it": "import time\n"
    "try: time.sleep(600)\n"
    "except BaseException as error: raise Exception('while reading') from error",
    "where it comes to bad input": "import time\n"
    "try: time.sleep(600)\n"
    "except BaseException: raise errors.InputError('model', 'mine', 'give one that works')",
}


@pytest.mark.parametrize("work", BUSY.values(), ids=list(BUSY))
def test_whatever_it_is_at_a_process_ends_in_two_seconds(work: str, tmp_path: Path) -> None:
    body = "\n        ".join(work.splitlines())
    code = f"""
import pathlib, signal, sys
from jaxgrad.cli import errors, interrupts

signal.signal(signal.SIGINT, signal.default_int_handler)
interrupts.end_soon()

@errors.command
def busy() -> int:
    with interrupts.resumable("go on with: this"):
        pathlib.Path("begun").touch()
        {body}
    return 0

sys.exit(busy())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    took = time.monotonic() - sent
    assert (process.returncode, said) == (130, "interrupted; go on with: this\n")
    assert took < 2.5  # 2 s, and a slow machine's half


# Where Ctrl-C comes: as the command line's first module is imported, which would make an ImportError of the exception;
# as a command imports what it needs; between what is guarded, as itself or as an error that a library made of it; and
# after all was done.
MOMENTS = {
    "its first import": ("import", "jaxgrad.cli", (130, "interrupted\n")),
    "a later import": ("import", "jaxgrad.cli.screen", (130, "interrupted\n")),
    "the command line itself": ("call", "jaxgrad.cli:check_command", (130, "interrupted\n")),
    "the command line itself, as another error": ("error", "jaxgrad.cli:check_command", (130, "interrupted\n")),
    "a command, as another error": ("error", "jaxgrad.cli.screen:console", (130, "interrupted\n")),
    "between what is guarded": ("call", "jaxgrad.cli.interrupts:ended", (130, "interrupted\n")),
    "its end": ("call", "atexit:register", (0, "")),
}
SIGNALLED = """
import os, signal, sys

kind, place = sys.argv[1:3]
sys.argv[1:] = ["explain"]

def signalled():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass
    except KeyboardInterrupt:
        raise ImportError("a library makes one of it") from None

class Finder:
    def find_spec(self, name, *_):
        if name == place:
            signalled()

from jaxgrad.__main__ import main
if kind == "import":
    sys.meta_path.insert(0, Finder())
elif place.startswith("atexit"):
    import atexit
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
else:
    module, name = place.split(":")
    import importlib
    kill = lambda *_: os.kill(os.getpid(), signal.SIGINT)
    setattr(importlib.import_module(module), name, kill if kind == "call" else lambda *_: signalled())
sys.exit(main())
"""


@pytest.mark.parametrize(("kind", "place", "expected"), MOMENTS.values(), ids=list(MOMENTS))
def test_ctrl_c_at_whatever_moment_is_one_line(kind: str, place: str, expected: tuple[int, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, kind, place], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert (done.returncode, done.stderr) == expected
