"""A product whose gradients an estimator computes, as it stands in a trace: one equation a pass.

What an estimator poses is no forward product with its two gradients, so nothing of it could be recognised in a trace.
The product is therefore a function with a derivative rule (``product``) whose two passes are equations of their own:
the forward one gives the result and what the estimator saves, the residuals that JAX then keeps, stacks and hands on;
the backward one takes those and the cotangent. The interpreter runs both on the array (``run``).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jax import Array
from jax.extend.core import JaxprEqn, Primitive

from jaxgrad.array.counters import Counters
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.manual_axes import vary_alike
from jaxgrad.autodiff import LayerCounters
from jaxgrad.autodiff.estimators import Estimator, Saved, describe
from jaxgrad.autodiff.layer import Wanted
from jaxgrad.autodiff.task import Task
from jaxgrad.programs.products import Role, weights_left
from jaxgrad.transform.posed import Posed, check_computes

FORWARD, BACKWARD = Primitive("estimator_forward"), Primitive("estimator_backward")
ESTIMATES = (FORWARD, BACKWARD)
for _primitive in ESTIMATES:
    _primitive.multiple_results = True
    _primitive.def_abstract_eval(lambda *operands, results, **_: results)


@dataclass(frozen=True)
class Estimate:
    """A product to be computed by an estimator.

    Args:
        label: of its site.
        ways: as the array takes it if the left operand is x, and if the right one is.
        outside: whether each operand comes from outside, as weights do, and the network's input.
        emulation: on what, and how.
        estimator: which gives the product, and its gradients.
        dtype: of the result.
    """

    label: str
    ways: tuple[Posed, Posed]
    outside: tuple[bool, bool]
    emulation: Emulation
    estimator: Estimator
    dtype: Any

    @classmethod
    def of(
        cls, equation: JaxprEqn, label: str, outside: tuple[bool, bool], emulation: Emulation, estimator: Estimator
    ) -> Estimate:
        ways = Posed.of(equation), Posed.of(equation, swapped=equation.primitive.name == "dot_general")
        out: Any = equation.outvars[0].aval
        return cls(label, ways, outside, emulation, estimator, out.dtype)

    @property
    def whole(self) -> bool:
        """Whether the weights' whole dW is in the array at the end of a run, as an update in its PEs needs it."""
        return any(run.updates for run in describe(self.estimator, self.ways[0].contraction).backward)

    def posed(self, *, left: bool, right: bool) -> Posed:
        """How the array takes it, by the operands whose gradients are wanted."""
        wanted: set[Role] = set()
        if left:
            wanted.add("dx")
        if right:
            wanted.add("dw")
        return self.ways[self.ways[1].swapped and weights_left(self.outside, wanted)]


class _Pass(NamedTuple):
    """What the two passes of one call share.

    Args:
        label: of its site.
        posed: the product.
        task: what to compute, on what and how.
        wanted: the gradients that are wanted of x and w.
    """

    label: str
    posed: Posed
    task: Task
    wanted: Wanted

    def forward(self, x: Array, w: Array, parameters: Mapping[str, Array], *key: Array) -> tuple[Any, Counters]:
        """The product and what is saved, and what they took."""
        out, saved, spent = self.task.product(x, w, key[0] if key else None, self.wanted, parameters)
        assert spent is not None  # it is asked for
        return (out, saved), spent

    def backward(self, saved: Saved, cotangent: Array) -> tuple[Any, Counters]:
        """The gradients that are wanted, in the operands' types, the cotangents of parameters, and what they took."""
        dx, dw, spent, cotangents = self.task.gradients(saved, cotangent, self.wanted)
        assert spent is not None  # it is asked for
        dx = None if dx is None else dx.astype(self.wanted.lhs.dtype)
        return (dx, None if dw is None else dw.astype(self.wanted.rhs.dtype), cotangents), spent


@jax.tree_util.register_static
@dataclass(frozen=True)
class _Call:
    """A pass, and the structure of what its forward one saves."""

    both: _Pass
    saved: Any


def product(estimate: Estimate, left: Array, right: Array, key: Array | None, parameters: Mapping[str, Array]) -> Array:
    """The product as an equation of the trace, with the estimator's gradients."""
    left, right = estimate.ways[0].taken(left, right)
    left, right, *values = vary_alike(left, right, *parameters.values())
    return _product(estimate, left, right, key, dict(zip(parameters, values, strict=True)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _product(estimate: Estimate, left: Array, right: Array, key: Array | None, parameters: dict[str, Array]) -> Array:
    return _forward(estimate, (left, False), (right, False), key, parameters, trained=False)[0]


def _rule_forward(estimate: Estimate, left: Any, right: Any, key: Any, parameters: Any) -> tuple[Array, Any]:
    key = None if key is None else key.value
    values = {name: parameter.value for name, parameter in parameters.items()}
    trained = any(parameter.perturbed for parameter in parameters.values())
    operands = (left.value, left.perturbed), (right.value, right.perturbed)
    return _forward(estimate, *operands, key, values, trained=trained)


def _forward(
    estimate: Estimate,
    left: tuple[Array, bool],
    right: tuple[Array, bool],
    key: Array | None,
    parameters: dict[str, Array],
    *,
    trained: bool,
) -> tuple[Array, tuple[_Call, list[Array]]]:
    """The product, and what is saved, from the operands, each with whether its gradient is wanted; ``trained`` says it
    of the parameters, whose cotangents are made from that of x."""
    posed = estimate.posed(left=left[1], right=right[1])
    (x, dx), (w, dw) = posed.operands(left, right)
    dx |= trained
    check_computes(estimate.emulation.schedule, dx=dx, dw=dw)
    wanted = Wanted.of(x, w, dx=dx, dw=dw, counts=True)
    both = _Pass(
        estimate.label, posed, Task(posed.contraction, estimate.emulation, estimator=estimate.estimator), wanted
    )
    out, saved = _bind(FORWARD, both, x, w, parameters, *([] if key is None else [key]))
    leaves, structure = jax.tree.flatten(saved)
    return posed.result(out).astype(estimate.dtype), (_Call(both, structure), leaves)


def _rule_backward(estimate: Estimate, residuals: Any, cotangent: Array) -> tuple[Any, ...]:
    call, leaves = residuals
    both = call.both
    saved = jax.tree.unflatten(call.saved, leaves)
    dx, dw, cotangents = _bind(BACKWARD, both, saved, both.posed.cotangent(cotangent))
    names = estimate.estimator.parameters
    values = [cotangents.get(name) for name in names]
    _, left, right, *values = vary_alike(cotangent, *both.posed.operands(dx, dw), *values)
    return left, right, None, dict(zip(names, values, strict=True))


_product.defvjp(_rule_forward, _rule_backward, symbolic_zeros=True)


def _bind(primitive: Primitive, both: _Pass, *operands: Any) -> Any:
    """One pass as an equation, and its results."""
    leaves, structure = jax.tree.flatten(operands)
    results: list[Any] = []

    def flat(*leaves: Array) -> list[Array]:
        outs, tree = jax.tree.flatten(_compute(primitive, both, structure, leaves)[0])
        results[:] = [tree]
        return outs

    avals = tuple(jax.make_jaxpr(flat)(*leaves).out_avals)
    outs = primitive.bind(*leaves, both=both, structure=structure, results=avals)
    return jax.tree.unflatten(results[0], outs)


def _compute(primitive: Primitive, both: _Pass, structure: Any, leaves: Sequence[Array]) -> tuple[Any, Counters]:
    return (both.forward if primitive is FORWARD else both.backward)(*jax.tree.unflatten(structure, leaves))


def label_of(equation: JaxprEqn) -> str:
    """The site of a pass."""
    return equation.params["both"].label


def run(equation: JaxprEqn, operands: Sequence[Array]) -> tuple[list[Array], LayerCounters]:
    """The results of a pass, computed on the array, and what it took."""
    primitive, params = equation.primitive, equation.params
    results, spent = _compute(primitive, params["both"], params["structure"], operands)
    zero = Counters.zero()
    return jax.tree.leaves(results), LayerCounters(*((spent, zero) if primitive is FORWARD else (zero, spent)))
