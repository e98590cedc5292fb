"""Runs a trace with its products on the array, and adds up what they take through whatever calls them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun
from jax.sharding import PartitionSpec

from jaxgrad.autodiff import LayerCounters, new_tap
from jaxgrad.autodiff.dot_general import DotGeneral
from jaxgrad.autodiff.rule import Task
from jaxgrad.counters import Counters
from jaxgrad.emulation import Emulation
from jaxgrad.manual_axes import vary_alike
from jaxgrad.transform import array, matrices
from jaxgrad.transform.plan import Backward, Forward, Path, Plan, hoisted, unknown
from jaxgrad.transform.tally import Sites, folded, merged, nothing

Values = list[Any]
_EMPTY = jax.make_jaxpr(lambda: ())().jaxpr
_INLINED = ("jit", "pjit", "closed_call", "core_call", "core_closed_call")
_REMATS = ("remat", "remat2", "checkpoint")
_CUSTOM_JVPS = ("custom_jvp_call",)
_CUSTOM_VJPS = ("custom_vjp_call", "custom_vjp_call_jaxpr")


@dataclass(frozen=True)
class Interpreter:
    """One run of a trace.

    Args:
        plan: what to do with its products.
        emulation: on what, and how.
        tap: whose cotangent tells what the products and their gradients took, if they are differentiated; or None.
    """

    plan: Plan
    emulation: Emulation
    tap: Array | None = None

    def run(self, jaxpr: Jaxpr, path: Path, consts: Sequence[Any], operands: Sequence[Any]) -> tuple[Values, Sites]:
        """A jaxpr's results, and what its products took."""
        known: dict[Var, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *operands), strict=True))
        sites: Sites = {}
        done: set[int] = set()

        def value(variable: Any) -> Any:
            if isinstance(variable, Literal):
                return jnp.asarray(variable.val, variable.aval.dtype)  # pyright: ignore[reportAttributeAccessIssue]
            return known[variable]

        def gradients(index: int, step: Backward) -> Sites:
            for each in hoisted(jaxpr, index, step.last):
                if each not in done:
                    plain(each)
            done.add(step.last)
            outs, spent = self._backward(step, value)
            known.update(outs)
            return {step.label: LayerCounters(Counters.zero(), spent)}

        def plain(index: int) -> None:
            equation = jaxpr.eqns[index]
            done.add(index)
            known.update(zip(equation.outvars, bind(equation, known), strict=True))

        for index, equation in enumerate(jaxpr.eqns):
            own = (*path, index)
            if index in done:
                continue
            step = self.plan.steps.get(own)
            if isinstance(step, Backward):
                sites = merged(sites, gradients(index, step))
            elif isinstance(step, Forward):
                out, spent = self._forward(step, equation, *map(value, equation.invars))
                known[equation.outvars[0]] = out
                sites = merged(sites, {step.label: LayerCounters(spent, Counters.zero())})
            elif self.plan.labels(own):
                outs, inner = self._call(equation, own, [value(variable) for variable in equation.invars])
                known.update(zip(equation.outvars, outs, strict=True))
                sites = merged(sites, inner)
            else:
                plain(index)
        return [value(variable) for variable in jaxpr.outvars], sites

    def _forward(self, step: Forward, equation: JaxprEqn, lhs: Array, rhs: Array) -> tuple[Array, Counters]:
        tap = new_tap() if self.tap is None else self.tap
        if equation.primitive.name == "conv_general_dilated":
            return array.product(Task(matrices.convolution(equation), self.emulation), lhs, rhs, tap)
        params = equation.params
        (contracted, batch), options = (
            params["dimension_numbers"],
            (params["precision"], params["preferred_element_type"]),
        )
        if not step.swapped:
            contraction = DotGeneral.of(lhs, rhs, (contracted, batch), *options)
            return array.product(Task(contraction, self.emulation), lhs, rhs, tap)
        contraction = DotGeneral.of(rhs, lhs, (contracted[::-1], batch[::-1]), *options)
        out, spent = array.product(Task(contraction, self.emulation), rhs, lhs, tap)
        groups, of_right = len(batch[0]), rhs.ndim - len(contracted[1]) - len(batch[1])
        order = (*range(groups), *range(groups + of_right, out.ndim), *range(groups, groups + of_right))
        return out.transpose(order), spent

    def _backward(self, step: Backward, value: Callable[[Any], Any]) -> tuple[dict[Var, Any], Counters]:
        """The results of the gradients' equations, and what they took together."""
        dx, dw = step.dx, step.dw
        first = dx or dw
        assert first is not None  # there is one at least
        dy = value(first.equation.invars[first.cotangent])
        x = None if dw is None else value(dw.equation.invars[dw.operand])
        w = None if dx is None else value(dx.equation.invars[dx.operand])
        if step.forward.primitive.name == "dot_general":
            layer = matrices.dots(dx, dw, x, w, dy)
        else:
            layer = matrices.convolutions(step.forward, x, w, dy)
        task, operands = Task(layer.contraction, self.emulation), (layer.x, layer.w, layer.dy)
        wanted = {"dx": dx is not None, "dw": dw is not None}
        results: dict[Var, Any] = {}
        if self.emulation.fidelity == "native":
            spent = array.count_backward(task, *operands, **wanted)
            for each, operand in ((dx, w), (dw, x)):
                if each is not None:
                    equation = each.equation
                    given = {equation.invars[each.cotangent]: dy, equation.invars[each.operand]: operand}
                    (results[equation.outvars[0]],) = bind(equation, given)
        else:
            of_x, of_w, spent = array.backward(task, *vary_alike(*operands), **wanted)
            for each, other, result in ((dx, dw, of_x), (dw, dx, of_w)):
                if each is not None and result is not None:
                    if step.forward.primitive.name == "dot_general":
                        result = matrices.dot_result(each, other, result, dw=each is dw)
                    aval: Any = each.equation.outvars[0].aval
                    results[each.equation.outvars[0]] = result.astype(aval.dtype)
        return {variable: array.once(result) for variable, result in results.items()}, spent

    def _call(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        """An equation with products in what it calls."""
        name = equation.primitive.name
        if name in _INLINED:
            return self._inner(equation, path, operands)
        if name in _REMATS:
            return self._remat(equation, path, operands)
        if name == "scan":
            return self._scan(equation, path, operands)
        if name == "while":
            return self._while(equation, path, operands)
        if name == "cond":
            return self._cond(equation, path, operands)
        if name in _CUSTOM_JVPS + _CUSTOM_VJPS:
            return self._custom(equation, path, operands)
        if name == "shard_map":
            return self._shard_map(equation, path, operands)
        raise unknown(equation)

    def _inner(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        jaxpr, consts = _jaxprs(equation)[0]
        return self.run(jaxpr, (*path, 0), consts, operands)

    def _remat(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        params = equation.params
        if params["differentiated"]:  # its forward products run again, and XLA shall not take them for those before
            barred = lax.optimization_barrier(operands) if params["prevent_cse"] else operands
            return self._inner(equation, path, list(barred))

        @functools.partial(jax.checkpoint, prevent_cse=params["prevent_cse"], policy=params["policy"])
        def again(*operands: Any) -> tuple[Values, Sites]:
            return self._inner(equation, path, list(operands))

        return again(*operands)

    def _scan(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        ((jaxpr, consts),) = _jaxprs(equation)
        params = equation.params
        carried = sum(_rank(one) == _rank(other) for one, other in zip(equation.outvars, jaxpr.outvars, strict=True))
        whole = sum(_rank(one) == _rank(other) for one, other in zip(equation.invars, jaxpr.invars, strict=True))
        shared = operands[: whole - carried]

        def body(carry: Values, slices: Values) -> tuple[Values, tuple[Values, Sites]]:
            outs, sites = self.run(jaxpr, (*path, 0), consts, [*shared, *carry, *slices])
            return outs[:carried], (outs[carried:], sites)

        carry, (stacked, sites) = lax.scan(
            body,
            operands[whole - carried : whole],
            operands[whole:],
            length=params["length"],
            reverse=params["reverse"],
            unroll=params["unroll"],
        )
        return [*carry, *stacked], folded(sites)

    def _while(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        (test, test_consts), (body, body_consts) = _jaxprs(equation)
        for_test, for_body = equation.params["cond_nconsts"], equation.params["body_nconsts"]
        tested, shared = operands[:for_test], operands[for_test : for_test + for_body]
        zero = _varying(nothing(self.plan.labels((*path, 1))), operands)

        def goes_on(carry: tuple[Values, Sites]) -> Array:
            (on,) = jaxpr_as_fun(ClosedJaxpr(test, test_consts))(*tested, *carry[0])
            return on

        def step(carry: tuple[Values, Sites]) -> tuple[Values, Sites]:
            outs, sites = self.run(body, (*path, 1), body_consts, [*shared, *carry[0]])
            return outs, merged(carry[1], sites)

        return lax.while_loop(goes_on, step, (operands[for_test + for_body :], zero))

    def _cond(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        index, *given = operands
        labels = self.plan.labels(path)

        def branch(number: int, jaxpr: Jaxpr, consts: Sequence[Any]) -> Callable[..., tuple[Values, Sites]]:
            def run(*given: Any) -> tuple[Values, Sites]:
                outs, sites = self.run(jaxpr, (*path, number), consts, given)
                return outs, merged(_varying(nothing(labels), given), sites)

            return run

        branches = [branch(number, *inner) for number, inner in enumerate(_jaxprs(equation))]
        return lax.switch(jnp.asarray(index, jnp.int32), branches, *given)

    def _custom(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        """A function with a derivative of its own: that one is kept, and is not emulated."""
        inner = replace(self, tap=None)

        def emulated(*operands: Any) -> tuple[Values, Sites]:
            return inner._inner(equation, path, list(operands))

        def plain(*operands: Any) -> Values:
            return bind(equation, dict(zip(equation.invars, operands, strict=True)))

        def warn() -> None:
            warnings.warn(
                f"{self.plan.labels(path)[0]}: the derivative rule of its {equation.primitive.name} is left to XLA; "
                "differentiate inside, emulated(jax.grad(...))",
                stacklevel=2,
            )

        if equation.primitive.name in _CUSTOM_JVPS:
            run = jax.custom_jvp(emulated)

            @run.defjvp
            def _(primals: Any, tangents: Any) -> Any:
                warn()
                outs, sites = emulated(*primals)
                _, changes = jax.jvp(plain, primals, tangents)
                return (outs, sites), (changes, jax.tree.map(array.float0, sites))

            return run(*operands)
        ruled = jax.custom_vjp(emulated)

        def forward(*operands: Any) -> Any:
            warn()
            return emulated(*operands), jax.vjp(plain, *operands)[1]

        ruled.defvjp(forward, lambda transpose, cotangents: transpose(cotangents[0]))
        return ruled(*operands)

    def _shard_map(self, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
        params = equation.params
        ((jaxpr, consts),) = _jaxprs(equation)
        axes = tuple(sorted(params["newly_manual_axes"]))
        tap = new_tap() if self.tap is None else self.tap

        def device(tap: Array, *operands: Any) -> tuple[Values, Sites]:
            outs, sites = replace(self, tap=tap).run(jaxpr, (*path, 0), consts, operands)
            return outs, jax.tree.map(
                lambda own: own.psum(axes),
                _on_each(sites, axes) if params["check_vma"] else sites,
                is_leaf=lambda own: isinstance(own, LayerCounters),
            )

        mapped = jax.shard_map(
            device,
            mesh=params["mesh"],
            in_specs=(PartitionSpec(), *params["in_specs"]),
            out_specs=(list(params["out_specs"]), PartitionSpec()),
            axis_names=set(axes),
            check_vma=params["check_vma"],
        )
        return mapped(tap, *operands)


def bind(equation: JaxprEqn, values: dict[Any, Any]) -> Values:
    """An equation's results, as the function itself has them."""
    variables = list(dict.fromkeys(each for each in equation.invars if isinstance(each, Var)))
    alone = _EMPTY.replace(
        constvars=[], invars=variables, outvars=equation.outvars, eqns=[equation], effects=equation.effects
    )
    return jaxpr_as_fun(ClosedJaxpr(alone, ()))(*(values[each] for each in variables))


def _jaxprs(equation: JaxprEqn) -> list[tuple[Jaxpr, Sequence[Any]]]:
    """The jaxprs that an equation calls, each with its constants, in the order of ``workload.jaxprs.inner``."""
    found: list[tuple[Jaxpr, Sequence[Any]]] = []
    for given in equation.params.values():
        for item in given if isinstance(given, tuple | list) else (given,):
            if isinstance(item, ClosedJaxpr):
                found.append((item.jaxpr, item.consts))
            elif isinstance(item, Jaxpr):
                found.append((item, ()))
    return found


def _varying(sites: Sites, operands: Sequence[Any]) -> Sites:
    """The counters, varying over every manual axis of a mesh that an operand varies over."""
    leaves, tree = jax.tree.flatten(sites)
    return jax.tree.unflatten(tree, vary_alike(*leaves, *operands)[: len(leaves)])


def _on_each(sites: Sites, axes: tuple[str, ...]) -> Sites:
    """The counters as each device's own, also where all devices do the same."""

    def own(leaf: Array) -> Array:
        missing = tuple(axis for axis in axes if axis not in jax.typeof(leaf).manual_axis_type.varying)
        return lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(own, sites)


def _rank(variable: Any) -> int:
    return len(variable.aval.shape)
