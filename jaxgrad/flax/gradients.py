"""Gradients of an NNX model together with what they took on the array."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jax.extend.core import ClosedJaxpr

from jaxgrad import programs as workload
from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff import LayerCounters, read_tap
from jaxgrad.flax.hooks import Tap
from jaxgrad.flax.layers import hook_layers, hooks, layer_name
from jaxgrad.flax.tracing import name_modules, write_quickly
from jaxgrad.hardware import Accelerator
from jaxgrad.programs import LayerGemm, collector


def value_and_grad(
    loss_fn: Callable[..., Any], *, has_aux: bool = False, wrt: Any = nnx.Param
) -> Callable[..., tuple[Any, nnx.State, dict[str, LayerCounters]]]:
    """``nnx.value_and_grad`` for a model on the array, and its counters.

    The function first takes a trace of the gradient, without arithmetic, to learn which gradients are wanted at all
    and which forward products ``nnx.remat`` runs again; both are counted as they run. Under jit that costs tracing
    time alone.

    Args:
        loss_fn: ``(model, *args, **kwargs) -> loss``, or ``(loss, aux)``; called twice.
        has_aux: whether ``loss_fn`` returns ``(loss, aux)``.
        wrt: an NNX filter, what to differentiate by. Weights left out are frozen: no gradient, no count of one.

    Returns:
        ``(model, *args, **kwargs) -> (loss or (loss, aux), gradients, {layer path: LayerCounters})``. As
        ``nnx.value_and_grad`` does, it updates the model's other variables (batch statistics, random streams). It may
        be called under ``nnx.jit`` and ``jax.jit``. A layer that the loss does not depend on counts zero.
    """

    def run(model: nnx.Module, *args: Any, **kwargs: Any) -> tuple[Any, nnx.State, dict[str, LayerCounters]]:
        graph, params, taps, rest = nnx.split(model, wrt, Tap, ...)

        def loss_of(model: nnx.Module) -> tuple[Array, Any]:
            out = loss_fn(model, *args, **kwargs)
            return out if has_aux else (out, None)

        def read(params: nnx.State) -> Array:
            inner = nnx.merge(graph, params, taps, rest, copy=True)
            _read(inner)
            return loss_of(inner)[0]

        def loss(params: nnx.State, taps: nnx.State) -> tuple[Array, Any]:
            inner = nnx.merge(graph, params, taps, rest, copy=True)
            _as_it_runs(inner, plan)
            value, aux = loss_of(inner)
            return value, (aux, nnx.state(inner, nnx.Not(nnx.Any(wrt, Tap))))

        plan = workload.layer_gemms(jax.make_jaxpr(jax.grad(read))(params))
        (value, (aux, after)), (grads, cotangents) = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, taps)
        nnx.update(model, after)
        return (value, aux) if has_aux else value, grads, read_counters(cotangents)

    return run


def read_counters(taps: nnx.State) -> dict[str, LayerCounters]:
    """The counters in the cotangents of a model's taps, by layer, for a step written by hand.

    With ``graph, params, taps, rest = nnx.split(model, nnx.Param, jaxgrad.flax.Tap, ...)``, differentiate by ``params``
    and ``taps``, and give the gradient by ``taps`` here; nothing else may use it.
    """
    return {layer_name(path[:-2]): read_tap(tap[...]) for path, tap in nnx.to_flat_state(taps)}


def step_gemms(model: nnx.Module, *inputs: Any, wrt: Any = nnx.Param) -> list[LayerGemm]:
    """All GEMMs of a training step of a model, from a trace: nothing is computed.

    They are those of ``layer_gemms`` and, of attention and the like, the products of two activations, under the path of
    the module that computes them: their dX and dW are both gradients of activations.

    Args:
        model: on the array or not; it is left as it is.
        inputs: what the model is called with; ``jax.ShapeDtypeStruct`` will do.
        wrt: an NNX filter, what is trained.

    Returns:
        The GEMMs in the order in which the model computes them.
    """
    with collector.at_rest():
        return workload.step_gemms(_trace(model, inputs, wrt))


def layer_gemms(model: nnx.Module, *inputs: Any, wrt: Any = nnx.Param) -> list[LayerGemm]:
    """What a training step asks of an array that takes a model's layers alone, as ``put_on_array`` has it: the GEMMs
    that taps count. See ``step_gemms`` for all that a step computes.

    Args:
        model: on the array or not; it is left as it is.
        inputs: what the model is called with; ``jax.ShapeDtypeStruct`` will do.
        wrt: an NNX filter, what is trained.

    Returns:
        The layers' GEMMs in the order in which they are called.
    """
    with collector.at_rest():
        return workload.layer_gemms(_trace(model, inputs, wrt))


def _trace(model: nnx.Module, inputs: tuple[Any, ...], wrt: Any) -> ClosedJaxpr:
    """The gradient of the sum of a model's outputs, each layer's products marked."""
    graph, params, rest = nnx.split(model, wrt, ...)

    def read(params: nnx.State, rest: nnx.State, inputs: tuple[Any, ...]) -> Array:
        inner: Any = nnx.merge(graph, params, rest, copy=True)
        name_modules(inner)
        hook_layers(inner, Emulation(Accelerator(1, 1)))  # any: a trace takes no array
        _read(inner)
        outs = jax.tree.leaves(inner(*inputs))
        return sum((out.sum() for out in outs if jnp.issubdtype(out.dtype, jnp.floating)), start=jnp.zeros(()))

    return jax.make_jaxpr(jax.grad(read))(params, rest, inputs)


def _read(model: nnx.Module) -> None:
    """Makes the model ready for a trace, in which each layer's products have its name."""
    write_quickly(model)
    for path, hook in hooks(model):
        hook.reading = path


def _as_it_runs(model: nnx.Module, plan: list[LayerGemm]) -> None:
    """Tells each hook whether its input's gradient is wanted, and how often its forward product runs."""
    for path, hook in hooks(model):
        own = [record for record in plan if record.path == path]
        hook.dx = any(record.needs_dx for record in own)
        times = {1 + record.recomputed / record.times for record in own}
        if times == {runs := int(min(times, default=1))}:
            hook.runs = runs
        elif times:
            warnings.warn(f"{path}: some of its forward products run again and some not; counted once", stacklevel=2)
