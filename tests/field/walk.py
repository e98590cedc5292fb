"""MACs of a program, from the definitions: every equation of its trace is run with the values it gets, loops as often
as they go round, and each product that is met is counted. Knows nothing of jaxgrad."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal


class Met(NamedTuple):
    """One product that ran: the primitive, the dtype of its left operand, its MACs (four real ones a complex one)."""

    primitive: str
    dtype: str
    macs: int


def products(function: Callable[..., Any], *args: Any) -> tuple[Any, list[Met]]:
    """What the function returns, and the products it ran on the way. What is no array stays out of the trace."""
    leaves, treedef = jax.tree.flatten(args)
    arrays = [index for index, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]
    returned: list[Any] = []

    def of_arrays(*values: Any) -> list[Any]:
        filled = list(leaves)
        for index, value in zip(arrays, values, strict=True):
            filled[index] = value
        out, out_tree = jax.tree.flatten(function(*jax.tree.unflatten(treedef, filled)))
        returned[:] = [out, out_tree]
        return [leaf for leaf in out if isinstance(leaf, jax.Array)]

    values = [leaves[index] for index in arrays]
    traced = jax.make_jaxpr(of_arrays)(*values)
    met: list[Met] = []
    results = iter(_run(traced, values, [True] * len(traced.jaxpr.outvars), met))
    out, out_tree = returned
    return jax.tree.unflatten(out_tree, [next(results) if isinstance(leaf, jax.Array) else leaf for leaf in out]), met


def _run(closed: ClosedJaxpr, operands: Sequence[Any], wanted: Sequence[bool], met: list[Met]) -> list[Any]:
    """The results that are wanted, None for the others. Dead code does not run, as under ``jax.jit``."""
    jaxpr = closed.jaxpr
    values: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*closed.consts, *operands), strict=True))

    def value(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation, outs in zip(jaxpr.eqns, _live(jaxpr, wanted)[0], strict=True):
        results: list[Any] = [None] * len(outs)
        if any(outs) or equation.effects:
            results = _equation(equation, [value(atom) for atom in equation.invars], outs, met)
        values.update(zip(equation.outvars, results, strict=True))
    return [value(atom) if want else None for atom, want in zip(jaxpr.outvars, wanted, strict=True)]


def _equation(equation: JaxprEqn, operands: list[Any], wanted: list[bool], met: list[Met]) -> list[Any]:
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        return _scan(equation, operands, met)
    if name == "while":
        return _while(params, operands, met)
    inner = list(_called(params))
    if name == "cond":
        return _run(inner[int(jnp.clip(operands[0], 0, len(inner) - 1))], operands[1:], wanted, met)
    if _is_call(equation, inner):
        return _run(inner[0], operands, wanted, met)
    if name == "custom_linear_solve":  # its matrix is for the derivative alone
        lengths, solve = params["const_lengths"], params["jaxprs"].solve
        first = lengths.matvec + lengths.vecmat
        return _run(_closed(solve), [*operands[first : first + lengths.solve], *operands[sum(lengths) :]], wanted, met)
    if name in ("dot_general", "conv_general_dilated", "ragged_dot_general"):
        dtype = operands[0].dtype
        real = 4 if jnp.issubdtype(dtype, jnp.complexfloating) else 1
        met.append(Met(name, str(dtype), real * _macs(equation)))
    results = equation.primitive.bind(*operands, **params)
    return list(results) if equation.primitive.multiple_results else [results]


def _is_call(equation: JaxprEqn, inner: list[ClosedJaxpr]) -> bool:
    fits = len(inner) == 1 and len(inner[0].jaxpr.invars) == len(equation.invars)
    return fits and equation.primitive.name not in ("scan", "while", "cond", "reduce")


def _live(jaxpr: Jaxpr, wanted: Sequence[bool]) -> tuple[list[list[bool]], list[bool]]:
    """Which results of each equation lead to what is wanted, and which operands of the whole do."""
    live = {atom for atom, want in zip(jaxpr.outvars, wanted, strict=True) if want and not isinstance(atom, Literal)}
    outs: list[list[bool]] = []
    for equation in reversed(jaxpr.eqns):
        outs.append([variable in live for variable in equation.outvars])
        if any(outs[-1]) or equation.effects:
            reads = zip(equation.invars, _reads(equation, outs[-1]), strict=True)
            live.update(atom for atom, read in reads if read and not isinstance(atom, Literal))
    return outs[::-1], [variable in live for variable in jaxpr.invars]


def _reads(equation: JaxprEqn, wanted: list[bool]) -> list[bool]:
    """Which operands are read for the results that are wanted. A loop computes all that it carries."""
    inner = list(_called(equation.params))
    if equation.primitive.name == "cond":
        branches = zip(*(_live(branch.jaxpr, wanted)[1] for branch in inner), strict=True)
        return [True, *map(any, branches)]
    return _live(inner[0].jaxpr, wanted)[1] if _is_call(equation, inner) else [True] * len(equation.invars)


def _macs(equation: JaxprEqn) -> int:
    left, right = (operand.aval.shape for operand in equation.invars[:2])  # pyright: ignore[reportAttributeAccessIssue]
    out = math.prod(equation.outvars[0].aval.shape)  # pyright: ignore[reportAttributeAccessIssue]
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return out * math.prod(left[axis] for axis in contracted)
    if equation.primitive.name == "ragged_dot_general":
        numbers = equation.params["ragged_dot_dimension_numbers"]
        contracted, _ = numbers.dot_dimension_numbers[0]
        groups = 1 if numbers.rhs_group_dimensions else equation.invars[2].aval.shape[0]  # pyright: ignore[reportAttributeAccessIssue]
        return out * math.prod(left[axis] for axis in contracted) // groups  # each row is of one group
    numbers = equation.params["dimension_numbers"]
    groups = equation.params["feature_group_count"] * equation.params["batch_group_count"]
    if any(step != 1 for step in equation.params["lhs_dilation"]):
        # The zeros between the elements of the input are not multiplied: each element meets the whole kernel of its
        # channel (transposed), or each element of the result the whole input of its channel (a kernel's gradient).
        whole_kernel = math.prod(left) * math.prod(right) // (right[numbers.rhs_spec[1]] * groups)
        return min(whole_kernel, out * math.prod(left) // (left[numbers.lhs_spec[0]] * groups))
    # Each element of the result meets one output channel's kernel.
    return out * math.prod(right) // right[numbers.rhs_spec[0]]


def _called(params: dict[str, Any]) -> Iterator[ClosedJaxpr]:
    for param in params.values():
        for item in param if isinstance(param, tuple) else (param,):
            if isinstance(item, ClosedJaxpr | Jaxpr):
                yield _closed(item)


def _closed(jaxpr: ClosedJaxpr | Jaxpr) -> ClosedJaxpr:
    return jaxpr if isinstance(jaxpr, ClosedJaxpr) else ClosedJaxpr(jaxpr, ())


def _scan(equation: JaxprEqn, operands: list[Any], met: list[Met]) -> list[Any]:
    (body,) = _called(equation.params)
    length = equation.params["length"]
    # What is stacked has an axis more outside of the body than in it.
    carried = sum(map(_same_rank, equation.outvars, body.jaxpr.outvars))
    consts = sum(map(_same_rank, equation.invars, body.jaxpr.invars)) - carried
    shared, carry, stacked = operands[:consts], operands[consts : consts + carried], operands[consts + carried :]
    everything, rounds = [True] * len(equation.outvars), dict[int, list[Any]]()
    for index in reversed(range(length)) if equation.params["reverse"] else range(length):
        outs = _run(body, [*shared, *carry, *(value[index] for value in stacked)], everything, met)
        carry, rounds[index] = outs[:carried], outs[carried:]
    columns = zip(*(rounds[index] for index in range(length)), strict=True)
    return [*carry, *(jnp.stack(column) for column in columns)]


def _same_rank(one: Any, other: Any) -> bool:
    return len(one.aval.shape) == len(other.aval.shape)


def _while(params: dict[str, Any], operands: list[Any], met: list[Met]) -> list[Any]:
    for_test, for_body = params["cond_nconsts"], params["body_nconsts"]
    tested, shared = operands[:for_test], operands[for_test : for_test + for_body]
    carry = operands[for_test + for_body :]
    test, body = _closed(params["cond_jaxpr"]), _closed(params["body_jaxpr"])
    while bool(_run(test, [*tested, *carry], [True], met)[0]):
        carry = _run(body, [*shared, *carry], [True] * len(carry), met)
    return carry
