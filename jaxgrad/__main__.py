"""``jaxgrad`` and ``python -m jaxgrad``: the command line, which Ctrl-C ends in one line from its first import on."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

INTERRUPTED = 130  # as cli.interrupts has it, which is not there yet


def _leave(*_: object) -> NoReturn:
    """Not by an exception, of which what is being imported would make others."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def main() -> int:
    """Runs the command that the process was started with; returns its exit code, see ``jaxgrad.cli.main``."""
    signal.signal(signal.SIGINT, _leave)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA's own errors, but not what it warns itself of on a GPU
    from jaxgrad.cli import interrupts  # a tenth of a second
    from jaxgrad.cli import main as run

    try:
        return run()
    except KeyboardInterrupt:  # outside of what a command guards
        return interrupts.say()


if __name__ == "__main__":
    sys.exit(main())
