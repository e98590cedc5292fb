"""Masks of ReLUs: what a step keeps of a nonlinearity for its derivative, one bit an element.

A ReLU is ``max(v, 0)`` in a function of that name, ``jax.nn.relu`` (which ``flax.nnx.relu`` and ``flax.linen.relu``
are); its derivative asks ``v > 0``. Where no derivative is taken, nothing asks; under ``jax.checkpoint`` only what runs
again does, so that a mask is there once.
"""

from __future__ import annotations

from typing import NamedTuple

from jax.extend.core import JaxprEqn
from jax.extend.core import Literal as Constant

from jaxgrad.base.arithmetic import ceil_div
from jaxgrad.programs.operations import elements
from jaxgrad.programs.trace import Site, Trace

BITS_A_WORD = 32


class ReluMask(NamedTuple):
    """What is kept of one ReLU.

    Args:
        path: the innermost module's place in the model; ``model`` outside of all.
        elements: of its input, each time.
        times: how often a step computes it.

    >>> ReluMask("model", elements=33, times=2).words
    4
    """

    path: str
    elements: int
    times: int = 1

    @property
    def words(self) -> int:
        """Words of 32 bits, whole ones each time."""
        return self.times * ceil_div(self.elements, BITS_A_WORD)


def relu_masks(trace: Trace) -> list[ReluMask]:
    """The masks of a traced training step, in the order in which it computes them.

    >>> import jax
    >>> from jaxgrad.programs.numbering import walk
    >>> loss = lambda x: jax.nn.relu(x).sum()
    >>> relu_masks(walk(jax.make_jaxpr(jax.grad(loss))(jax.numpy.ones((5, 7)))))
    [ReluMask(path='model', elements=35, times=1)]
    """
    rectified = {site.operands[0].number for site in trace.sites if _with_zero(site.equation, "max") and _in_relu(site)}
    return [
        ReluMask(site.place.layer or "model", elements(site.equation.outvars[0]), site.runs)
        for site in trace.sites
        if _with_zero(site.equation, "gt") and site.operands[0].number in rectified
    ]


def _in_relu(site: Site) -> bool:
    return any(caller.params.get("name") == "relu" for caller in site.place.callers)


def _with_zero(equation: JaxprEqn, name: str) -> bool:
    """Whether it is that operation of a value and 0."""
    if equation.primitive.name != name or isinstance(equation.invars[0], Constant):
        return False
    second = equation.invars[1]
    return isinstance(second, Constant) and second.val == 0
