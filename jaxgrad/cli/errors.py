"""Bad input as one line on stderr, ``error: <field>: got <value>; <what would do>``, and the exit codes."""

from __future__ import annotations

import difflib
import functools
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

CHECK_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


class BadInput(Exception):
    """What the user gave won't do; the message is the line to show."""


@contextmanager
def bad_input(names: Mapping[str, str] | None = None) -> Iterator[None]:
    """Within it, a ValueError or OSError is the user's input at fault, not a bug.

    Args:
        names: the user's name for each field that a message may begin with.
    """
    try:
        yield
    except ValueError as error:
        field, colon, rest = str(error).partition(": ")
        raise BadInput((names or {}).get(field, field) + colon + rest) from error
    except OSError as error:
        raise BadInput(
            f"{error.filename or 'file'}: got {error.strerror or error}; give a path that can be used"
        ) from error


def flag(name: str) -> str:
    """The option whose parameter is ``name``, as the user types it."""
    return "--" + name.replace("_", "-")


def typed(command: str, argument: str, **options: str | None) -> str:
    """A command as the user would type it, with those of the options that have a value."""
    given = [part for name, value in options.items() if value is not None for part in (flag(name), value)]
    return shlex.join(["jaxgrad", command, argument, *given])


def report(message: str) -> int:
    """Writes the one line and returns the exit code of bad input."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return BAD_INPUT


def command(function: Callable[..., int]) -> Callable[..., int]:
    """A command whose bad input and interruption end in one line and an exit code."""

    @functools.wraps(function)
    def guarded(*args: Any, **options: Any) -> int:
        usual, warnings.formatwarning = warnings.formatwarning, _warning
        try:
            return function(*args, **options)
        except BadInput as error:
            return report(str(error))
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):  # as JAX puts it
                raise
            return report("sizes: got more than this machine's memory holds; give smaller ones")
        except KeyboardInterrupt as interrupt:
            print("; ".join(["interrupted", *map(str, interrupt.args)]), file=sys.stderr)
            return INTERRUPTED
        finally:
            warnings.formatwarning = usual

    return guarded


def _warning(message: Warning | str, *_: Any) -> str:
    """A warning as one line, without the place in our code that gave it."""
    return f"warning: {' '.join(str(message).split())}\n"


def usage(error: Any, arguments: Sequence[str], commands: Sequence[str]) -> str:
    """The parser's own error (an unknown option, say) in our one line.

    Args:
        error: an exception of typer's parser.
        arguments: what the user typed.
        commands: the commands there are.
    """
    said = error.format_message()
    named = arguments[0] if arguments and arguments[0] in commands else ""
    help_line = f"see jaxgrad {named} --help" if named else "see jaxgrad --help"
    if re.search(r"no such option", said, re.IGNORECASE):
        near = ", ".join(getattr(error, "possibilities", None) or ())
        return f"option: got {error.option_name!r}; {f'did you mean {near}? ' if near else ''}{help_line}"
    if re.search(r"no such command", said, re.IGNORECASE):
        near = difflib.get_close_matches(arguments[0], commands, n=1)
        return f"command: got {arguments[0]!r}; choose one of {', '.join(commands)}" + (
            f" (did you mean {near[0]!r}?)" if near else ""
        )
    if hasattr(error, "option_name"):
        lacks = "requires" in said
        return f"{error.option_name}: got {'no value' if lacks else 'a value'}; {said.rstrip('.')}, {help_line}"
    extra = re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", said)
    if extra:
        return f"argument: got {extra[1]!r}; leave it out, {named} takes no more: {help_line}"
    return f"arguments: got {' '.join(arguments)!r}; {said.rstrip('.')}, {help_line}"
