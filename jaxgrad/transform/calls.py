"""What calls jaxprs with products in them, run so that the counters of those come out too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental.layout import Format
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, jaxpr_as_fun

from jaxgrad.array.manual_axes import varied
from jaxgrad.autodiff import LayerCounters
from jaxgrad.base.errors import InputError
from jaxgrad.programs import jaxprs
from jaxgrad.programs.jaxprs import JITS, closed
from jaxgrad.programs.lines import where
from jaxgrad.transform.reading import Path
from jaxgrad.transform.tally import Sites, folded, merged, nothing

Values = list[Any]
# The functions that jitted ones became, by path: each is jitted once, whatever runs it.
Jits = dict[Path, Callable[..., tuple[Values, Sites]]]
_Round = tuple[Array | None, Values, Sites]  # a loop's key, what it carries, and what it took so far


@runtime_checkable
class Runner(Protocol):
    """What runs a jaxpr: see ``interpreter.Interpreter`` and ``insertion.Insertion``."""

    @property
    def key(self) -> Array | None:
        """A PRNG key for what it runs, if that needs one: another one in each round of a loop and on each device."""
        ...

    @property
    def differentiated(self) -> bool:
        """Whether derivatives are taken of what runs, so that ``remat`` has a meaning."""
        ...

    @property
    def jits(self) -> Jits | None:
        """The jitted functions in what it runs, filled as it comes by them; None where nothing would run them twice,
        so that their equations run one by one."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Arrays for what it runs, the same ones everywhere."""
        ...

    def with_key(self, key: Array | None) -> Runner: ...

    def with_parameters(self, parameters: Mapping[str, Any]) -> Runner: ...

    def labels(self, path: Path) -> list[str]:
        """Whose counters come out of an equation."""
        ...

    def changes(self, path: Path) -> bool:
        """Whether what is at a path is to run otherwise than XLA would run it."""
        ...

    def run(self, jaxpr: Jaxpr, path: Path, consts: Sequence[Any], operands: Sequence[Any]) -> tuple[Values, Sites]: ...


def call(runner: Runner, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
    """The results of an equation that calls jaxprs, and what the products in them took.

    Raises:
        ValueError: its primitive calls them in a way that is not known.
    """
    rule = _RULES.get(equation.primitive.name)
    if rule is None:
        name = equation.primitive.name
        raise InputError(
            "function",
            name,
            "keep them out of it, or emulate the parts around it",
            problem=f"got {name} at {where(equation)}, which calls products in a way that is not known",
        )
    return rule(runner, equation, path, operands)


def _once(runner: Runner, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
    """A function that is called as it is. Derivative rules of its own don't matter: no one differentiates what runs."""
    called = jaxprs.called(equation)
    assert called is not None  # that is what its rule says
    return runner.run(called.jaxpr, (*path, called.number), called.consts, [operands[i] for i in called.operands])


def _jit(runner: Runner, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
    """A jitted function stays one, as the program has it: what it donates, where its arrays lie, its name."""
    if runner.jits is None:
        return _once(runner, equation, path, operands)
    if path not in runner.jits:
        runner.jits[path] = _jitted(runner.with_key(None).with_parameters({}), equation, path)
    return runner.jits[path](runner.key, runner.parameters, *operands)


def _jitted(runner: Runner, equation: JaxprEqn, path: Path) -> Callable[..., tuple[Values, Sites]]:
    params = equation.params

    def function(key: Array | None, parameters: Mapping[str, Any], *operands: Any) -> tuple[Values, Sites]:
        return _once(runner.with_key(key).with_parameters(parameters), equation, path, list(operands))

    function.__name__ = function.__qualname__ = params["name"]
    ins, outs = (list(map(_placed, params[f"{side}_shardings"], params[f"{side}_layouts"])) for side in ("in", "out"))
    shardings: dict[str, Any] = {}
    if any(ins):
        shardings["in_shardings"] = (None, None, *ins)
    if any(outs):
        shardings["out_shardings"] = (outs, None)
    return jax.jit(
        function,
        **shardings,
        donate_argnums=[index + 2 for index, donated in enumerate(params["donated_invars"]) if donated],
        keep_unused=params["keep_unused"],
        compiler_options=dict(params["compiler_options_kvs"]) or None,
    )


def _placed(sharding: Any, layout: Any) -> Any:
    """What a jitted function says of where an array lies, and in which order; None where it says nothing."""
    placed = sharding if isinstance(sharding, jax.sharding.Sharding) else None
    return placed if layout is None else Format(layout, placed)


def _remat(runner: Runner, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
    params = equation.params
    if runner.differentiated and not params["differentiated"]:

        def again(operands: Values) -> tuple[Values, Sites]:
            return _once(runner, equation, path, operands)

        return jax.checkpoint(again, prevent_cse=params["prevent_cse"], policy=params["policy"])(operands)
    if params["differentiated"] and params["prevent_cse"]:
        # Its forward products run again, and XLA shall not take them for those before.
        operands = list(lax.optimization_barrier(operands))
    return _once(runner, equation, path, operands)


def _scan(runner: Runner, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
    ((jaxpr, consts),) = closed(equation)
    params = equation.params
    constants, carried = jaxprs.scan_counts(equation)
    whole = constants + carried
    shared = operands[:constants]
    keys = None if runner.key is None else jax.random.split(runner.key, params["length"])

    def body(carry: Values, scanned: tuple[Array | None, Values]) -> tuple[Values, tuple[Values, Sites]]:
        key, slices = scanned
        outs, sites = runner.with_key(key).run(jaxpr, (*path, 0), consts, [*shared, *carry, *slices])
        return outs[:carried], (outs[carried:], sites)

    carry, (stacked, sites) = lax.scan(
        body,
        operands[whole - carried : whole],
        (keys, operands[whole:]),
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*carry, *stacked], folded(sites)


def _while(runner: Runner, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
    (test, test_consts), (body, body_consts) = closed(equation)
    for_test, for_body = equation.params["cond_nconsts"], equation.params["body_nconsts"]
    tested, shared = operands[:for_test], operands[for_test : for_test + for_body]
    start = operands[for_test + for_body :]
    zero = varied(nothing(runner.labels(path)), *operands)

    def step(key: Array | None, values: Values, spent: Sites) -> _Round:
        key, now = (None, None) if key is None else jax.random.split(key)
        outs, sites = runner.with_key(now).run(body, (*path, 1), body_consts, [*shared, *values])
        return key, outs, merged(spent, sites)

    if not runner.changes((*path, 0)):
        asked = jaxpr_as_fun(ClosedJaxpr(test, test_consts))
        _, outs, sites = lax.while_loop(
            lambda carry: asked(*tested, *carry[1])[0], lambda carry: step(*carry), (runner.key, start, zero)
        )
        return outs, sites

    # What a condition takes can't leave it: it is evaluated before the loop, and then at the end of each round.
    def goes_on(key: Array | None, values: Values, spent: Sites) -> tuple[_Round, Array]:
        key, now = (None, None) if key is None else jax.random.split(key)
        (on,), sites = runner.with_key(now).run(test, (*path, 0), test_consts, [*tested, *values])
        return (key, values, merged(spent, sites)), on

    (_, outs, sites), _ = lax.while_loop(
        lambda carry: carry[1], lambda carry: goes_on(*step(*carry[0])), goes_on(runner.key, start, zero)
    )
    return outs, sites


def _cond(runner: Runner, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
    index, *arguments = operands
    labels = runner.labels(path)

    def branch(number: int, jaxpr: Jaxpr, consts: Sequence[Any]) -> Callable[..., tuple[Values, Sites]]:
        def run(*arguments: Any) -> tuple[Values, Sites]:
            outs, sites = runner.run(jaxpr, (*path, number), consts, arguments)
            return outs, merged(varied(nothing(labels), *arguments), sites)

        return run

    branches = [branch(number, *inner) for number, inner in enumerate(closed(equation))]
    return lax.switch(jnp.asarray(index, jnp.int32), branches, *arguments)


def _shard_map(runner: Runner, equation: JaxprEqn, path: Path, operands: Values) -> tuple[Values, Sites]:
    params = equation.params
    ((jaxpr, consts),) = closed(equation)
    axes = tuple(sorted(params["newly_manual_axes"]))

    def device(key: Array | None, parameters: Mapping[str, Any], *operands: Any) -> tuple[Values, Sites]:
        if key is not None:
            key = jax.random.fold_in(key, lax.axis_index(axes))
        here = runner.with_key(key).with_parameters(parameters)
        outs, sites = here.run(jaxpr, (*path, 0), consts, operands)
        return outs, jax.tree.map(
            lambda counters: counters.psum(axes),
            _on_each(sites, axes) if params["check_vma"] else sites,
            is_leaf=lambda counters: isinstance(counters, LayerCounters),
        )

    mapped = jax.shard_map(
        device,
        mesh=params["mesh"],
        in_specs=(jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(), *params["in_specs"]),
        out_specs=(list(params["out_specs"]), jax.sharding.PartitionSpec()),
        axis_names=set(axes),
        check_vma=params["check_vma"],
    )
    return mapped(runner.key, runner.parameters, *operands)


_RULES: dict[str, Callable[[Runner, JaxprEqn, Path, Values], tuple[Values, Sites]]] = {
    **dict.fromkeys(JITS, _jit),
    **dict.fromkeys(("closed_call", "core_call", "core_closed_call"), _once),
    **dict.fromkeys(("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "custom_linear_solve"), _once),
    "linear_call": _once,
    **dict.fromkeys(("remat", "remat2", "checkpoint"), _remat),
    "scan": _scan,
    "while": _while,
    "cond": _cond,
    "shard_map": _shard_map,
}


def _on_each(sites: Sites, axes: tuple[str, ...]) -> Sites:
    """The counters as each device's own, also where all devices do the same."""

    def of_device(leaf: Array) -> Array:
        missing = tuple(axis for axis in axes if axis not in jax.typeof(leaf).manual_axis_type.varying)
        return lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(of_device, sites)
