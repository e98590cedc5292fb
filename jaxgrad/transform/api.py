"""The transformation itself: ``emulate_function(fn, emulation)``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from jax import Array
from jaxtyping import Float32

from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff import new_tap
from jaxgrad.base.errors import InputError
from jaxgrad.programs import collector
from jaxgrad.programs.tracing import Traced, trace, trace_or_refuse
from jaxgrad.transform.cache import Cache
from jaxgrad.transform.derivative import Program, Taps, differentiable
from jaxgrad.transform.insertion import Parameters, estimated, initial_parameters
from jaxgrad.transform.plan import plan
from jaxgrad.transform.rules import Rule, Rules
from jaxgrad.transform.tally import Tally


class Emulated:
    """A function whose GEMMs run on the array; see ``emulate_function``."""

    def __init__(
        self,
        function: Callable[..., Any],
        rules: Rules,
        key: Array | None = None,
        cache: Cache | None = None,
        parameters: Parameters | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.cache = Cache() if cache is None else cache
        self.function, self._plain, self._rules = function, function, rules
        if rules.estimators:
            self.function = estimated(function, rules, key, self.cache, lambda *args, **kwargs: parameters or {})
        self.rules = rules.exact

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, Tally]:
        return self._run(self._read(args, kwargs), lambda _: new_tap())

    def tapped(self, tap: Float32[Array, "2 8 15"], *args: Any, **kwargs: Any) -> tuple[Any, Tally]:
        """The same, to be differentiated: the cotangent of ``tap`` then tells what forward products and gradients took.

        ``jaxgrad.autodiff.new_tap()`` makes a tap, ``jaxgrad.autodiff.read_tap`` reads its cotangent.
        """
        return self._run(self._read(args, kwargs), lambda _: tap)

    def with_taps(self, taps: Callable[[list[str]], Taps], *args: Any, **kwargs: Any) -> tuple[Any, Tally]:
        """The same with a tap a product: ``taps`` is told the labels, and returns taps by label for some of them.

        What the function itself raises is raised as it is.
        """
        with collector.at_rest():
            traced = trace(self.function, args, kwargs)
        return self._run(traced, taps)

    def labels(self, *args: Any, **kwargs: Any) -> tuple[list[str], list[str]]:
        """The labels of a call's products on the array, and the notes, from a trace: nothing is computed, and
        ``jax.ShapeDtypeStruct`` will do for arrays."""
        with collector.at_rest():
            traced = trace(self.function, args, kwargs)
            planned = plan(traced.jaxpr, self.rules, traced.names)
        return planned.labels(()), planned.notes

    def initial_parameters(self, *args: Any, **kwargs: Any) -> dict[str, dict[str, Array]]:
        """Parameters of the estimators, as they begin, for ``emulate_function``: by the label of what computes a
        product (products of one layer share theirs) and by name. From a trace, as ``labels``."""
        with collector.at_rest():
            return initial_parameters(trace(self._plain, args, kwargs), self._rules)

    def _read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
        with collector.at_rest():
            return trace_or_refuse(self.function, args, kwargs)

    def _run(self, traced: Traced, taps: Callable[[list[str]], Taps]) -> tuple[Any, Tally]:
        with collector.at_rest():
            program = Program.of(traced, self.rules, self.cache)
        planned = program.interpreter.plan
        run = differentiable(traced.jaxpr.jaxpr, program, self.rules, self.cache)
        outs, sites = run(taps(planned.labels(())), traced.jaxpr.consts, traced.operands)
        return traced.returned(outs), Tally(sites, tuple(planned.notes))


def emulate_function(
    function: Callable[..., Any],
    emulation: Emulation | Sequence[Rule],
    *,
    key: Array | None = None,
    parameters: Parameters | None = None,
) -> Emulated:
    """``function`` with its GEMMs on the array: ``(*args, **kwargs) -> (what it returns, Tally)``.

    Every product of matrices and every convolution (``programs.shapes`` has the list), of floats, complex numbers and
    integers, runs at the emulation's fidelity, wherever it stands: in ``jit``, ``scan``, ``while_loop``, ``cond``,
    ``remat``, ``vmap``, ``shard_map`` or a linear solve, forward or backward. Gradients that the function computes
    itself (``emulate_function(jax.grad(loss), ...)``, a whole training step) are recognised as their forward products'
    dX and dW and run by the emulation's schedule, both in one pass. It may itself be under ``jax.jit``, which it does
    not do for you, ``jax.vmap``, ``lax.scan`` and ``jax.shard_map``. What the function jits runs compiled, as it does
    without the array: it is compiled at the first call, and again for other shapes.

    ``jax.grad(lambda p: emulate_function(loss, ...)(p)[0])`` runs its backward pass on the array too, by the function's
    own derivative rules where it has some; but what that takes can't be among the results of the forward pass: call
    ``.tapped`` and differentiate by the tap. What of it is left to XLA is said in a warning. It is differentiable once,
    in reverse; ``jax.jvp`` and further derivatives go inside. A product that no result needs does not run and counts
    nothing (dead-code elimination, as under ``jax.jit``); but the forward pass of a gradient counts in full.

    Args:
        function: of arrays, or of pytrees of them; pure. Arguments that are no arrays are handed on as they are, and
            so are results that are no arrays.
        emulation: the array, the schedule and the fidelity; or rules, which say by label where each product runs, and
            by which estimator. The labels are ``Tally.sites``'s: layers as NNX, Linen, Haiku, Keras, Penzai or
            ``jax.named_scope`` name them, a library's weights by their place among the arguments (``layers.1``, as for
            Equinox), and else lines of the program. An estimator gives the gradients where they are taken from
            outside: a function that takes the derivative of such a product itself is refused.
        key: for estimators that are random. A product's own is folded from it, its path, and the round of the loop that
            it is in; the same key gives the same results.
        parameters: of estimators that have some, such as a learned resolution: by label and name, as
            ``initial_parameters`` of what is returned here has them. They may be differentiated by.

    Returns:
        The function. Counters of ``shard_map`` inside are of all its devices together; under ``vmap`` and ``scan``
        outside they have a leading axis, which ``Tally.sum`` folds, and under ``shard_map`` they are each device's.

    Raises:
        ValueError: ``function`` is not to be called, or ``emulation`` is none; when called: the function can't be
            traced, the schedule leaves out a gradient it computes, an estimator lacks its key, or the function has
            taken the derivative that an estimator is to give; or it has parameters, and there are none for a product.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import Accelerator
    >>> run = emulate_function(lambda x, w: jnp.tanh(x @ w).sum(), Emulation(Accelerator(4, 4)))
    >>> out, tally = run(jnp.ones((8, 9)), jnp.ones((9, 10)))
    >>> tally.forward.as_dict()["macs"]
    720
    """
    if not callable(function):
        raise InputError("function", function, "give something to call")
    return Emulated(function, Rules.of(emulation), key, parameters=parameters)
