"""A program beside the command: reads what native code writes to standard error, and passes on what is of use.

Where a process of several is gone, JAX's own threads end the others with pages of text from which no Python code is
called any more. One line stands for them. It is run as a file, and imports nothing of the package, to start at once.
"""

from __future__ import annotations

import os
import re
import signal
import sys

HINT, LOST = "jaxgrad hint: ", "jaxgrad lost"
_FATAL = re.compile(rb"Terminating process because the JAX distributed service|" + LOST.encode())
_NOISE = re.compile(rb"^\[Gloo\]|coordination_service|preemption_sync|distributed_runtime|GRPC error|grpc_status")


def main() -> None:
    """Reads to the end of standard input, which is that of the process that writes there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hint = ""
    for line in sys.stdin.buffer:
        if line.startswith(HINT.encode()):
            hint = line.decode(errors="replace").removeprefix(HINT).strip()
        elif _FATAL.search(line):
            told = "; ".join(filter(None, ("error: another process has ended, or can't be reached", hint)))
            os.write(2, f"{told}\n".encode())
            while sys.stdin.buffer.read(4096):
                pass
        elif not _NOISE.search(line):
            os.write(2, line)


if __name__ == "__main__":
    main()
