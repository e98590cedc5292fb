"""Bad input as one line on stderr, ``error: <field>: got <value>; <what would do>``, and the exit codes."""

from __future__ import annotations

import errno
import functools
import importlib
import inspect
import shlex
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

from jaxgrad.base.errors import Elsewhere, InputError, one_of
from jaxgrad.cli.interrupts import Interrupted, resumable, say
from jaxgrad_models.errors import BuildError

CHECK_FAILED = 1
BAD_INPUT = 2

# The parser's exceptions are click's, or those of typer's own copy of click.
_PARSER: Any = importlib.import_module(typer.BadParameter.__module__)
UsageError: type[Exception] = _PARSER.UsageError


class BadInput(Exception):
    """An option's text is not what the option takes. No ValueError: the parser would make its own text of one."""

    def __init__(self, error: InputError) -> None:
        super().__init__(error)
        self.error = error


def report(error: InputError) -> int:
    """Writes the one line and returns the exit code of bad input."""
    print(f"error: {error}", file=sys.stderr)
    return BAD_INPUT


def of_system(error: OSError) -> InputError:
    """What the system refused. A write to standard output names no file."""
    full = error.errno == errno.ENOSPC
    field = str(error.filename or ("output" if full else "file"))
    remedy = "free some space, or give another place" if full else "give a path that can be used"
    return InputError(field, error, remedy, problem=f"got {error.strerror or error}")


def flag(name: str) -> str:
    """The option whose parameter is ``name``, as the user types it."""
    return "--" + name.replace("_", "-")


def typed(command: str, *arguments: object, **options: object) -> str:
    """A command as the user would type it in a shell, without options that have no value and switches that are off."""
    words = ["jaxgrad", command, *map(str, arguments)]
    for name, value in options.items():
        if value is True:
            words.append(flag(name))
        elif value is not None and value is not False:
            words += [flag(name), str(value)]
    return shlex.join(words)


def command(function: Callable[..., int]) -> Callable[..., int]:
    """A command whose bad input and interruption end in one line and an exit code."""
    signature = inspect.signature(function, eval_str=True)
    flags = _flags(signature)

    @functools.wraps(function)
    def guarded(*args: Any, **options: Any) -> int:
        usual, warnings.formatwarning = warnings.formatwarning, _warning
        try:
            with resumable(""):
                return function(*args, **options)
        except Interrupted as interrupt:
            return say(interrupt.hint)
        except InputError as error:
            return report(_by_option(error, flags))
        except BuildError as error:
            return report(_by_option(InputError(error.field, error.value, error.remedy), flags))
        except OSError as error:
            if error.filename is None:  # standard output's, which takes no more
                raise
            return report(of_system(error))
        except (MemoryError, RuntimeError) as error:
            # JAX has no class of its own for it.
            if isinstance(error, RuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
                raise
            problem = "got more than this machine's memory holds"
            return report(InputError("sizes", None, "give smaller ones", problem=problem))
        except Elsewhere:
            return BAD_INPUT
        finally:
            warnings.formatwarning = usual

    # Evaluated once: the parser asks for them again and again.
    guarded.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    vars(guarded)["__signature__"] = signature
    return guarded


def _flags(signature: inspect.Signature) -> dict[str, str]:
    """What the user types for each parameter that is an option; the first of its names."""
    declared = {
        name: getattr(parameter.annotation, "__metadata__", ()) for name, parameter in signature.parameters.items()
    }
    first = {name: infos[0].default for name, infos in declared.items() if infos}
    return {name: default.partition("/")[0] for name, default in first.items() if isinstance(default, str)}


def _by_option(error: InputError, flags: Mapping[str, str]) -> InputError:
    """The error by the name of the option that set the field; of what is in a file the field's own name tells."""
    if error.origin is not None or error.context or error.field not in flags:
        return error
    return error.renamed(flags[error.field])


def _warning(message: Warning | str, *_: Any) -> str:
    """A warning as one line, without the place in our code that gave it."""
    return f"warning: {' '.join(str(message).split())}\n"


def check_command(arguments: Sequence[str], commands: Sequence[str]) -> None:
    """Refuses a command that is none.

    Raises:
        InputError: the first argument is neither an option nor a command.
    """
    if not arguments[0].startswith("-"):
        one_of("command", arguments[0], commands)


def usage(error: Any, arguments: Sequence[str], group: Any) -> InputError:
    """The parser's own error (an unknown option, say) as ours.

    Args:
        error: a ``UsageError``.
        arguments: what the user typed.
        group: the parser's commands.
    """
    parser = group.commands.get(arguments[0])
    see = f"see jaxgrad {parser.name} --help" if parser else "see jaxgrad --help"
    if isinstance(error, _PARSER.NoSuchOption):
        near = ", ".join(error.possibilities or ())
        return InputError("option", error.option_name, f"{f'did you mean {near}? ' if near else ''}{see}")
    if isinstance(error, _PARSER.BadOptionUsage):
        takes_none = any(error.option_name in param.opts and param.is_flag for param in (parser or group).params)
        problem, remedy = ("got a value", "it takes none") if takes_none else ("got no value", "give one")
        return InputError(error.option_name, None, f"{remedy}, {see}", problem=problem)
    if isinstance(error, _PARSER.MissingParameter) and error.param is not None:
        return InputError(error.param.metavar or error.param.name, None, f"give one, {see}", problem="got none")
    return InputError("arguments", " ".join(arguments), f"{error.format_message().rstrip('.')}, {see}")
