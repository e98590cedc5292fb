"""A call of a function as a trace of the arrays that it is of; what is no array stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr
from jax.tree_util import keystr

from jaxgrad.base.errors import InputError

_VALUE = object()


class Traced(NamedTuple):
    """A call's jaxpr, and the arrays it is of.

    Args:
        jaxpr: of the operands; it returns what the function returns that is an array.
        operands: the call's arrays.
        leaves: all that the function returns, with a mark in place of those.
        structure: what those are the leaves of.
        names: where each operand is among the arguments, ``layers.1.weight``: the argument itself is left out.
    """

    jaxpr: ClosedJaxpr
    operands: list[Any]
    leaves: list[Any]
    structure: Any
    names: tuple[str, ...]

    def returned(self, outs: list[Any]) -> Any:
        """What the function returns, from the results of the jaxpr."""
        arrays = iter(outs)
        return jax.tree.unflatten(self.structure, [next(arrays) if leaf is _VALUE else leaf for leaf in self.leaves])


def trace_or_refuse(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    """Traces a call.

    Raises:
        ValueError: the function can't be traced.
    """
    try:
        return trace(function, args, kwargs)
    except InputError:
        raise
    except Exception as error:
        said = next(iter(str(error).splitlines()), "")
        name = getattr(function, "__name__", type(function).__name__)
        raise InputError(
            "function",
            function,
            "give one that jax.jit would take",
            problem=f"got {name}, which can't be traced with these arguments ({type(error).__name__}: {said})",
        ) from error


def trace(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    """Traces a call; what the function itself raises is raised as it is."""
    paths, tree = jax.tree.flatten_with_path((args, kwargs))
    leaves = [leaf for _, leaf in paths]
    arrays = [index for index, leaf in enumerate(leaves) if _is_array(leaf)]
    results: list[Any] = []

    def call(operands: list[Any]) -> list[Any]:
        filled = list(leaves)
        for index, operand in zip(arrays, operands, strict=True):
            filled[index] = operand
        args, kwargs = jax.tree.unflatten(tree, filled)
        outs, structure = jax.tree.flatten(function(*args, **kwargs))
        results[:] = [[_VALUE if _is_value(leaf) else leaf for leaf in outs], structure]
        return [leaf for leaf in outs if _is_value(leaf)]

    operands = [leaves[index] for index in arrays]
    names = tuple(keystr(paths[index][0][2:], simple=True, separator=".") for index in arrays)
    jaxpr = jax.make_jaxpr(call)(operands)
    returned, structure = results
    return Traced(jaxpr, operands, returned, structure, names)


def _is_array(leaf: Any) -> bool:
    # A number of Python or NumPy may be a size, an axis or a switch: the function gets it as it is.
    return isinstance(leaf, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def _is_value(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | np.generic)
