"""``jaxgrad`` and ``python -m jaxgrad``: the command line, which Ctrl-C ends in one line from its first import on."""

from __future__ import annotations

import sys

INTERRUPTED = 130  # as cli.interrupts has it, which is not there yet


def main() -> int:
    """Runs the command that the process was started with; returns its exit code, see ``jaxgrad.cli.main``."""
    try:
        from jaxgrad.cli import main as run  # a tenth of a second

        return run()
    except KeyboardInterrupt:  # outside of what a command guards
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
