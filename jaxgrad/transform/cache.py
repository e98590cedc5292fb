"""What was made from a trace, kept for the next call whose trace is the same.

A function is traced at each call, as Python may do something else in each; JAX hands the jaxprs of what it jits on from
one trace to the next. A trace's fingerprint says what it computes and where each product comes from: two with the same
one have the same plan, and run by the same compiled functions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import ContextDecorator
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from jaxgrad.programs.jaxprs import JITS, inner
from jaxgrad.programs.lines import where
from jaxgrad.programs.shapes import PRODUCTS
from jaxgrad.transform.calls import Jits

Made = TypeVar("Made")
# What these call besides their jaxpr matters to derivatives alone: rules of differentiation, and a policy of what to
# keep. They are functions made anew in each trace.
_WITH_DERIVATIVES = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "remat", "remat2", "checkpoint")


class Cache:
    """The latest of what was made from traces.

    Args:
        size: how many of them, each with all that it has compiled.
    """

    def __init__(self, size: int = 16) -> None:
        self._size = size
        self._made: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable | None, make: Callable[[Jits | None], Made]) -> Made:
        """What was made for a key, with room for what it compiles; made anew for None, to compile nothing."""
        if key is None:
            return make(None)
        if key not in self._made:
            self._made[key] = make({})
        self._made.move_to_end(key)
        if len(self._made) > self._size:
            self._made.popitem(last=False)
        return self._made[key]


class Fingerprint:
    """What a jaxpr computes; equal where two compute the same.

    Args:
        parts: of the equations and their variables, by number.
        fresh: whether there is a function among it that the next trace makes anew, so that none will be equal.
    """

    __slots__ = ("_hash", "fresh", "parts")

    def __init__(self, parts: tuple[Any, ...], *, fresh: bool) -> None:
        self.parts, self.fresh, self._hash = parts, fresh, hash(parts)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Fingerprint) and self.parts == other.parts)


class _Same:
    """A value that is the same as itself alone."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def trace_key(kind: str, jaxpr: Jaxpr, *others: Hashable, differentiated: bool = False) -> Hashable | None:
    """A key for what is made from a trace, whose constants are given at each run; None if no later one can be equal.

    Args:
        kind: of what is made.
        jaxpr: of the trace.
        others: what it is made from, too.
        differentiated: whether derivatives are taken of it, so that its derivative rules matter.
    """
    try:
        read = fingerprint(jaxpr, differentiated=differentiated)
        key = (kind, read, *others)
        hash(key)
    except TypeError:  # something can't be hashed
        return None
    return None if read.fresh else key


def fingerprint(jaxpr: Jaxpr, *, differentiated: bool = False) -> Fingerprint:
    """The fingerprint of a trace.

    Raises:
        TypeError: a parameter in it can't be hashed.
    """
    return _Reader(differentiated).jaxpr(jaxpr)


class _Reader:
    def __init__(self, differentiated: bool) -> None:
        self._differentiated = differentiated
        self._fresh = False

    def jaxpr(self, jaxpr: Jaxpr) -> Fingerprint:
        numbers: dict[Any, int] = {}
        for variable in (*jaxpr.constvars, *jaxpr.invars):
            numbers[variable] = len(numbers)
        avals = tuple(variable.aval for variable in numbers)
        equations = tuple(self._equation(equation, numbers) for equation in jaxpr.eqns)
        outs = tuple(_atom(atom, numbers) for atom in jaxpr.outvars)
        return Fingerprint((len(jaxpr.constvars), avals, equations, outs), fresh=self._fresh)

    def _equation(self, equation: JaxprEqn, numbers: dict[Any, int]) -> tuple[Any, ...]:
        name, calls = equation.primitive.name, any(True for _ in inner(equation))
        operands = tuple(_atom(atom, numbers) for atom in equation.invars)
        for variable in equation.outvars:
            numbers[variable] = len(numbers)
        params = tuple((param, self._param(name, value)) for param, value in sorted(equation.params.items()))
        line = where(equation) if calls or name in PRODUCTS else None
        avals = tuple(variable.aval for variable in equation.outvars)
        return equation.primitive, operands, params, avals, equation.source_info.name_stack, line

    def _param(self, name: str, value: Any) -> Hashable:
        if isinstance(value, ClosedJaxpr):
            return self._called(name, value.jaxpr), tuple(map(_Same, value.consts))
        if isinstance(value, Jaxpr):
            return self._called(name, value)
        if isinstance(value, tuple | list):
            return type(value), tuple(self._param(name, item) for item in value)
        if isinstance(value, dict):
            return tuple((key, self._param(name, item)) for key, item in value.items())
        if isinstance(value, np.ndarray | jax.Array):
            return _Same(value)
        if name in _WITH_DERIVATIVES and not isinstance(value, str | int | None):
            if not self._differentiated:
                return None
            self._fresh = True
        elif callable(value) and not isinstance(value, type | ContextDecorator):  # a callback, and no class or mesh
            # A module's own function is the same in all traces.
            self._fresh |= "<locals>" in getattr(value, "__qualname__", "<locals>")
        hash(value)
        return type(value), value.hex() if isinstance(value, float) else value

    def _called(self, name: str, jaxpr: Jaxpr) -> Fingerprint:
        """That of a jaxpr that an equation calls: JAX has one of what it jits in all traces, so it is read once."""
        known = _KNOWN[self._differentiated]
        if jaxpr not in known:
            known[jaxpr] = _Reader(self._differentiated).jaxpr(jaxpr)
        # What is made in the trace of a jitted function is made once.
        self._fresh |= known[jaxpr].fresh and name not in JITS
        return known[jaxpr]


_KNOWN: dict[bool, WeakKeyDictionary[Jaxpr, Fingerprint]] = {of: WeakKeyDictionary() for of in (False, True)}


def _atom(atom: Any, numbers: dict[Any, int]) -> Hashable:
    if not isinstance(atom, Literal):
        return numbers[atom]
    array = np.ndim(atom.val) > 0 or jnp.issubdtype(atom.aval.dtype, jax.dtypes.extended)  # pyright: ignore[reportAttributeAccessIssue]
    return _Same(atom.val) if array else (atom.aval, np.asarray(atom.val).tobytes())
