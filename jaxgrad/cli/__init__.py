"""The command line, ``jaxgrad``. Its help starts without JAX: each command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from jaxgrad.base.errors import InputError
from jaxgrad.cli import interrupts, processes
from jaxgrad.cli.app import COMMANDS, app
from jaxgrad.cli.errors import BadInput, UsageError, check_command, of_system, report, usage


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 1 if a check failed, 2 for bad input, 130 when interrupted.

    Args:
        arguments: those after the program's name; the process's own by default.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    interrupts.begin()
    if arguments is None:
        interrupts.end_soon()
    try:
        code = _run(typed)
    except Exception as error:
        processes.end(error)
    if code == interrupts.INTERRUPTED:
        interrupts.say()  # outside of a command nothing has been said
    interrupts.ended()
    return processes.leave(code)


def _run(typed: list[str]) -> int:
    group = typer.main.get_command(app)
    try:
        with interrupts.resumable(""):
            check_command(typed, COMMANDS)
            code = group.main(_bare_resume(typed), prog_name="jaxgrad", standalone_mode=False) or 0
            sys.stdout.flush()
            return code
    except interrupts.Interrupted:
        return interrupts.INTERRUPTED
    except (OSError, SystemExit) as error:
        # The parser makes an exit of a broken pipe.
        refused = error.__context__ if isinstance(error, SystemExit) else error
        if not isinstance(refused, OSError):
            raise
        # No more output, and no complaint from the interpreter at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Of a reader (`| head`, say) that has gone, nothing is said.
        return 0 if isinstance(refused, BrokenPipeError) else report(of_system(refused))
    except InputError as error:
        return report(error)
    except BadInput as error:
        return report(error.error)
    except UsageError as error:
        return report(usage(error, typed, group))


def _bare_resume(arguments: list[str]) -> list[str]:
    """``--resume`` without a folder means the one in ``--out``; the parser has no options whose value may lack."""
    following = [*arguments[1:], "-"]
    return [
        "--resume=" if argument == "--resume" and after.startswith("-") else argument
        for argument, after in zip(arguments, following, strict=True)
    ]
