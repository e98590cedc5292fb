"""Ctrl-C ends a command within two seconds and says how to go on, whatever the command is at."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
_PATIENCE_S = 1.0  # of two seconds: on a busy machine the rest takes its time
_IMPORTS = "<frozen importlib._bootstrap>"  # the code that imports, wherever a frame of it is
_SHOW_CURSOR = "\x1b[?25h"
_CLEAR_LINE = "\r\x1b[K"
_hints: list[str] = []  # of what is being done, the innermost last
_asked = threading.Event()  # Ctrl-C has come
_said = threading.Event()
_muted: list[int] = []  # where standard error led before, once it is muted
_ends_process = threading.Event()  # this process is the command's own


class Interrupted(Exception):
    """Ctrl-C; where what was done is kept, ``hint`` says how to go on."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


@contextmanager
def resumable(hint: str) -> Iterator[None]:
    """Work that can be gone on with after Ctrl-C; ``hint`` says how, if there is something to say.

    Once Ctrl-C has come, whatever the work ends in is taken for it: libraries make their own errors of it (Orbax does
    where it reads a checkpoint), drop it, or fail at what it left half done. Without Ctrl-C an error stays what it is.

    Raises:
        Interrupted: Ctrl-C came.
    """
    _hints.append(hint)
    try:
        yield
        if _asked.is_set():
            raise Interrupted(hint)
    except Interrupted:  # or of work within this one, with its own hint
        raise
    except BaseException as error:
        if _asked.is_set() or isinstance(error, KeyboardInterrupt):
            raise Interrupted(hint) from None
        raise
    finally:
        _hints.pop()


def say(hint: str = "") -> int:
    """Writes, once, that the command was interrupted; returns the exit code of that, or ends the process with it."""
    if not _said.is_set():
        _said.set()
        line = "; ".join(filter(None, ("interrupted", hint)))
        if _muted:
            _write(f"{line}\n", _muted[0])
        else:
            print(line, file=sys.stderr, flush=True)
    if _ends_process.is_set():
        _leave()
    return INTERRUPTED


def begin() -> None:
    """A command begins: nothing is asked of it yet, and nothing said."""
    _asked.clear()
    _said.clear()


def _leave() -> NoReturn:
    """Ends this process now. The interpreter's own way waits for compilations, and frees what they are still at.

    Files are written whole or not at all, so the process may go at any moment.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a reader that is gone
            if stream.isatty():  # a progress bar hides it
                stream.write(_SHOW_CURSOR)
            stream.flush()
    os._exit(INTERRUPTED)


def end_soon() -> None:
    """Has Ctrl-C end this process soon.

    Python sees a signal between two of its own instructions, and a compilation is one of them; threads at work are
    waited for besides. A module that is being imported makes other errors of KeyboardInterrupt, or aborts: there, the
    process ends without it.
    """
    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, _signalled)
    _ends_process.set()
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()


def ended() -> None:
    """The command has done all it had to do: Ctrl-C comes too late from now on."""
    if _ends_process.is_set():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _signalled(number: int, frame: FrameType | None) -> None:
    if _asked.is_set():  # this process is about to end
        return
    _asked.set()
    _mute()
    caller = frame
    while caller is not None:
        if caller.f_code.co_filename == _IMPORTS:
            say(_hint())
        caller = caller.f_back
    signal.default_int_handler(number, frame)


def _hint() -> str:
    return _hints[-1] if _hints else ""


def _mute() -> None:
    """Leaves standard error to ``say``, to the end of this process.

    Of what is interrupted, Python and libraries have much to say by hooks, warnings and logs: that a task was never
    awaited, or that KeyboardInterrupt came where an object is freed and is dropped.
    """
    with suppress(AttributeError, OSError, ValueError):  # there is none, or it is no file
        file = sys.stderr.fileno()
        _muted.append(os.dup(file))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file)
        os.close(nowhere)


def _write(line: str, file: int) -> None:
    """To a file that nothing else writes to; on a terminal in place of a bar's line, or of what Ctrl-C shows."""
    with suppress(OSError):  # a reader that is gone
        os.write(file, os.fsencode(_CLEAR_LINE + line if os.isatty(file) else line))


def _watch(reader: int) -> None:
    while os.read(reader, 1)[0] != signal.SIGINT:
        pass
    hint = _hint()
    time.sleep(_PATIENCE_S)
    say(hint)
