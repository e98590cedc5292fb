"""The adapter for Flax Linen: modules run on the array inside a context, with their taps in a dictionary by path.

    taps = new_taps(module, variables, images)

    def loss(params, taps):
        with on_array(emulation, taps):
            logits = module.apply({"params": params}, images)
        ...

    grads, cotangents = jax.grad(loss, (0, 1))(variables["params"], taps)
    counters = read_counters(cotangents)

All that ``apply`` computes goes through the transformation: whatever layer a product is in, and also inside
``nn.scan``, ``nn.vmap`` and ``nn.remat``, what that runs again included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
from flax import linen as nn
from jax import Array

from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff import LayerCounters, new_tap, read_tap
from jaxgrad.flax.notes import say
from jaxgrad.hardware import Accelerator
from jaxgrad.programs import kinds
from jaxgrad.transform.api import Emulated
from jaxgrad.transform.cache import Cache
from jaxgrad.transform.rules import Rule, Rules

Taps = Mapping[str, Array]
_Call = Callable[..., Any]
_CACHE = Cache(8)  # of calls outside of any jit: within one, a call is traced once
_inside: ContextVar[bool] = ContextVar("inside", default=False)


def new_taps(module: nn.Module, variables: Any, *args: Any, **kwargs: Any) -> dict[str, Array]:
    """A tap for every product that ``module.apply(variables, *args, **kwargs)`` computes, by path, from a trace.

    A path is that of the innermost module; several products of one module are numbered, ``attention#1``. What the array
    does not take is named in one warning, with its MACs.
    """
    any_array = Rules.of(Emulation(Accelerator(1, 1)))  # a trace takes none

    def apply(variables: Any, *args: Any) -> Any:
        with nn.intercept_methods(_named), _within():
            return module.apply(variables, *args, **kwargs)

    labels, notes = Emulated(apply, any_array).labels(variables, *args)
    say(notes)
    return {label: new_tap() for label in labels}


@contextmanager
def on_array(emulation: Emulation | Sequence[Rule], taps: Taps) -> Iterator[None]:
    """Within it, modules run on the array; their variables stay as they are.

    Args:
        emulation: the array, the schedule and the fidelity; or rules, which say by path where products run, and by
            which estimator. One that is random takes its key from the ``estimator`` rng, as dropout has one of its own:
            ``module.apply(variables, images, rngs={"estimator": key})``.
        taps: from ``new_taps``; the cotangents tell the counts. Products without a tap run and are not counted.
    """
    rules = Rules.of(emulation)

    def run(call: _Call, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        if _inside.get():
            return _named(call, args, kwargs, context)
        if context.module.is_initializing():
            return call(*args, **kwargs)
        return _outermost(context.module, context.method_name, args, kwargs, rules, taps)

    with nn.intercept_methods(run):
        yield


def read_counters(cotangents: Taps) -> dict[str, LayerCounters]:
    """The counters in the cotangents of taps, by path."""
    return {path: read_tap(tap) for path, tap in cotangents.items()}


def _outermost(module: nn.Module, method: str, args: Any, kwargs: Any, rules: Rules, taps: Taps) -> Any:
    """A method of a module that nothing of Linen's calls, as a pure function of the module's variables."""
    unbound, variables = module.unbind()
    scope: Any = module.scope
    rngs = {name: rng.as_jax_rng() for name, rng in scope.rngs.items()}

    def pure(variables: Any, rngs: Any, args: Any, kwargs: Any) -> Any:
        with _within():
            return unbound.apply(variables, *args, rngs=rngs, mutable=scope.mutable, method=method, **kwargs)

    def by_label(labels: Sequence[str]) -> Taps:
        return {label: taps[label] for label in labels if label in taps}

    key = module.make_rng("estimator") if rules.estimators and module.has_rng("estimator") else None
    out, tally = Emulated(pure, rules, key, _CACHE).with_taps(by_label, variables, rngs, args, kwargs)
    say(tally.notes)
    if scope.mutable is False:
        return out
    out, changed = out
    for collection, values in changed.items():
        for name, value in values.items():
            module.put_variable(collection, name, value)
    return out


def _named(call: _Call, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
    """The call of a module, which says in a trace whose it is."""

    def module_call() -> Any:
        with jax.named_scope(kinds.label(None, ".".join(context.module.path) or "model")):
            return call(*args, **kwargs)

    return module_call()


@contextmanager
def _within() -> Iterator[None]:
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)
