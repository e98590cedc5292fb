"""Gradients of an NNX model together with what they took on the array."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.extend.core import ClosedJaxpr

from jaxgrad import programs
from jaxgrad.autodiff import LayerCounters, new_tap, read_tap
from jaxgrad.flax.interception import key_of, parameters_of, rules_of, traced
from jaxgrad.flax.layers import layer_name, layers_with_products, with_weights
from jaxgrad.flax.notes import say
from jaxgrad.programs import LayerGemm, ReluMask, collector
from jaxgrad.transform.api import Emulated
from jaxgrad.transform.cache import Cache
from jaxgrad.transform.insertion import estimated
from jaxgrad.transform.rules import Rules, module_of
from jaxgrad.transform.tally import Sites, merged, nothing


def value_and_grad(
    loss_fn: Callable[..., Any], *, has_aux: bool = False, wrt: Any = nnx.Param
) -> Callable[..., tuple[Any, nnx.State, dict[str, LayerCounters]]]:
    """``nnx.value_and_grad`` for a model on the array, and its counters.

    All that the loss and its gradient compute is traced once and run on the array as it stands: gradients that no one
    wants are not there, what ``nnx.remat`` runs again is there again. Under jit that costs tracing time alone. The
    gradients of a product that a rule gives an estimator are that estimator's; each call draws a new key for those that
    are random (``rngs`` of ``put_on_array``).

    Args:
        loss_fn: ``(model, *args, **kwargs) -> loss``, or ``(loss, aux)``; it may take gradients itself.
        has_aux: whether ``loss_fn`` returns ``(loss, aux)``.
        wrt: an NNX filter, what to differentiate by. Weights left out are frozen: no gradient, no count of one.

    Returns:
        ``(model, *args, **kwargs) -> (loss or (loss, aux), gradients, {path: LayerCounters})``. As
        ``nnx.value_and_grad`` does, it updates the model's other variables (batch statistics, random streams). It may
        be called under ``nnx.jit`` and ``jax.jit``. A path is that of the module that computes a product; several of
        one module are numbered, ``attention#1``, and those outside of all modules have a line, ``losses.py:12``. A
        layer that is not called counts zero. What is left to XLA is said in a warning, with its MACs.
    """

    cache = Cache()

    def run(model: nnx.Module, *args: Any, **kwargs: Any) -> tuple[Any, nnx.State, dict[str, LayerCounters]]:
        rules, key = rules_of(model), key_of(model)
        graph, params, rest = nnx.split(model, wrt, ...)

        def loss(params: nnx.State, rest: nnx.State) -> tuple[Array, Any]:
            inner = nnx.merge(graph, params, rest, copy=True)
            with traced(inner):
                out = loss_fn(inner, *args, **kwargs)
            value, aux = out if has_aux else (out, None)
            return value, (aux, nnx.state(inner, nnx.Not(wrt)))

        counters: dict[str, LayerCounters] = {}
        if rules is None:
            (value, (aux, after)), grads = jax.value_and_grad(loss, has_aux=True)(params, rest)
        else:
            if rules.estimators:
                loss = estimated(
                    loss,
                    rules,
                    key,
                    cache,
                    lambda params, rest: parameters_of(nnx.merge(graph, params, rest, copy=True)),
                )
            gradient = functools.wraps(loss_fn)(jax.value_and_grad(loss, has_aux=True))
            ((value, (aux, after)), grads), tally = Emulated(gradient, rules.exact, cache=cache).with_taps(
                lambda _: new_tap(), params, rest
            )
            say(tally.notes)
            counters = _with_idle_layers(tally.sites, model, rules)
        nnx.update(model, after)
        return (value, aux) if has_aux else value, grads, counters

    return run


def _with_idle_layers(sites: Sites, model: nnx.Module, rules: Rules) -> Sites:
    """The counters, and zeros for the layers on the array that were not called."""
    idle = [path for path in layers_with_products(model) if (rule := rules.first(path)) and rule.emulation]
    called = set(map(module_of, sites))
    return merged(nothing(path for path in idle if path not in called), sites)


def read_counters(taps: nnx.State) -> dict[str, LayerCounters]:
    """The counters in the cotangents of a model's taps, by module, for a step written by hand.

    With ``graph, params, taps, rest = nnx.split(model, nnx.Param, jaxgrad.flax.Tap, ...)``, differentiate by ``params``
    and ``taps``, and give the gradient by ``taps`` here; nothing else may use it. Products of one module are together,
    and what ``jax.checkpoint`` runs again is counted once: ``value_and_grad`` tells more.
    """
    counters: dict[str, LayerCounters] = {}
    for path, tap in nnx.to_flat_state(taps):
        *place, _, _, module = path  # where the model is, its record, the record's taps
        counters[layer_name([*place, module] if module != "model" or not place else place)] = read_tap(tap[...])
    return counters


def step_gemms(model: nnx.Module, *inputs: Any, wrt: Any = nnx.Param) -> list[LayerGemm]:
    """All GEMMs of a training step of a model, from a trace: nothing is computed.

    They are those that ``put_on_array`` puts on the array, each under the path of the module that computes it. Of a
    product of two activations, as attention has them, dX and dW are both gradients of activations.

    Args:
        model: on the array or not; it is left as it is.
        inputs: what the model is called with; ``jax.ShapeDtypeStruct`` will do.
        wrt: an NNX filter, what is trained.

    Returns:
        The GEMMs in the order in which the model computes them.
    """
    with collector.at_rest():
        return with_weights(programs.step_gemms(_trace(model, inputs, wrt)), model)


def step_gemms_and_masks(
    model: nnx.Module, *inputs: Any, wrt: Any = nnx.Param
) -> tuple[list[LayerGemm], list[ReluMask]]:
    """``step_gemms``, and the masks of the model's ReLUs, from one trace.

    Args:
        model: on the array or not; it is left as it is.
        inputs: what the model is called with; ``jax.ShapeDtypeStruct`` will do.
        wrt: an NNX filter, what is trained.

    Returns:
        GEMMs and masks, each in the order in which the model computes them.
    """
    with collector.at_rest():
        gemms, masks = programs.step_gemms_and_masks(_trace(model, inputs, wrt))
        return with_weights(gemms, model), masks


def layer_gemms(model: nnx.Module, *inputs: Any, wrt: Any = nnx.Param) -> list[LayerGemm]:
    """The GEMMs of a training step that have weights: ``step_gemms`` without the products of two activations.

    Args:
        model: on the array or not; it is left as it is.
        inputs: what the model is called with; ``jax.ShapeDtypeStruct`` will do.
        wrt: an NNX filter, what is trained.

    Returns:
        The layers' GEMMs in the order in which they are called.
    """
    return [gemm for gemm in step_gemms(model, *inputs, wrt=wrt) if gemm.weights]


def _trace(model: nnx.Module, inputs: tuple[Any, ...], wrt: Any) -> ClosedJaxpr:
    """The sum of a model's outputs and its gradient, the modules named."""
    graph, params, rest = nnx.split(model, wrt, ...)

    def read(params: nnx.State, rest: nnx.State, inputs: tuple[Any, ...]) -> Array:
        inner: Any = nnx.merge(graph, params, rest, copy=True)
        with traced(inner):
            outs = jax.tree.leaves(inner(*inputs))
        return sum((out.sum() for out in outs if jnp.issubdtype(out.dtype, jnp.floating)), start=jnp.zeros(()))

    return jax.make_jaxpr(jax.value_and_grad(read))(params, rest, inputs)
