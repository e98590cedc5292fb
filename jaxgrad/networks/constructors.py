"""How a constructor of the user's is called: with what its signature names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxgrad.base.errors import either

GIVEN = ("input_shape", "classes", "rngs")
"""What a constructor may ask for."""


def options_of(constructor: Callable[..., Any], given: Sequence[str] = GIVEN) -> tuple[str, ...]:
    """What a constructor takes by keyword besides what it is given, in the order of its signature.

    >>> def net(input_shape, *, hidden=(3,), rngs): ...
    >>> options_of(net), options_of(functools.partial(net, hidden=(4,)))
    (('hidden',), ())
    """
    return tuple(
        parameter.name
        for parameter in _open(constructor)
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and parameter.name not in given
    )


def unmet(constructor: Callable[..., Any], given: Sequence[str] = GIVEN) -> str | None:
    """The names of what a constructor needs and would not be given, as a sentence has them; None if there are none."""
    names = [
        parameter.name
        for parameter in _open(constructor)
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in given
        and parameter.default is parameter.empty
    ]
    return either(names, "and") if names else None


def call(constructor: Callable[..., Any], values: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """What a constructor gives.

    Args:
        constructor: a class, a function, or a ``functools.partial`` of one.
        values: it gets those that its signature names.
        options: further keyword arguments.
    """
    parameters = [parameter for parameter in _open(constructor) if parameter.name in values]
    by_place = [values[parameter.name] for parameter in parameters if parameter.kind is parameter.POSITIONAL_ONLY]
    by_name = {
        parameter.name: values[parameter.name]
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    return constructor(*by_place, **by_name, **options)


def _open(constructor: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a constructor that are still to be given."""
    if isinstance(constructor, functools.partial):
        parameters = _open(constructor.func)
        signature = inspect.Signature(parameters)
        bound = signature.bind_partial(*constructor.args, **constructor.keywords).arguments
        return [parameter for parameter in parameters if parameter.name not in bound]
    # Of a class its initialiser: the signature of Flax's modules themselves is that of their metaclass.
    function = constructor.__init__ if isinstance(constructor, type) else constructor
    parameters = list(inspect.signature(function).parameters.values())
    return parameters[1:] if isinstance(constructor, type) else parameters
