"""An NNX model made ready for a trace: its modules say in it who they are, and its variables are quick to write."""

from __future__ import annotations

import functools
from typing import Any

import jax
from flax import nnx
from jax import Array

from jaxgrad.flax.layers import layer_name
from jaxgrad.programs import kinds
from jaxgrad.programs.kinds import Kind

_KINDS: dict[type[nnx.Module], Kind] = {
    nnx.BatchNorm: "normalisation",
    nnx.LayerNorm: "normalisation",
    nnx.GroupNorm: "normalisation",
    nnx.InstanceNorm: "normalisation",
    nnx.RMSNorm: "normalisation",
    nnx.WeightNorm: "normalisation",
    nnx.SpectralNorm: "normalisation",
    nnx.Dropout: "dropout",
}


def write_quickly(model: nnx.Module) -> None:
    """Lets the model's variables (batch statistics, random streams) be written in a trace without a look at shardings.

    Where a whole variable is written, Flax compares the shardings of the old and the new value. A traced value has
    none, and JAX goes through all equations traced so far to say so: a trace would take a time that grows with the
    square of the network.

    Args:
        model: to be used in this trace alone.
    """
    for _, node in nnx.iter_graph(model):
        if isinstance(node, nnx.Variable) and not isinstance(node, nnx.Param):
            object.__setattr__(node, "__class__", _quick(type(node)))


def name_modules(model: nnx.Module) -> None:
    """Puts a scope with a module's path, and the kind of what it does, around each call of each module.

    Args:
        model: to be used in this trace alone.
    """
    for path, module in nnx.iter_modules(model):
        if callable(module) and not hasattr(module, "_scope"):
            kind = next((kind for known, kind in _KINDS.items() if isinstance(module, known)), None)
            object.__setattr__(module, "__class__", _scoped(type(module)))
            module._scope = kinds.label(kind, layer_name(path))  # pyright: ignore


@functools.cache
def _quick(kind: type[nnx.Variable[Any]]) -> type[nnx.Variable[Any]]:
    class Quick(kind):
        def set_value(self, value: Any, **options: Any) -> None:
            old = self.get_value()
            whole = options.get("index") is ... and not self.ref and isinstance(value, Array) and isinstance(old, Array)
            if whole and (value.shape, value.dtype) == (old.shape, old.dtype):
                super().set_value(value)
            else:
                super().set_value(value, **options)

    Quick.__name__ = kind.__name__
    return Quick


@functools.cache
def _scoped(kind: type[nnx.Module]) -> type[nnx.Module]:
    class Scoped(kind):
        _scope: str

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with jax.named_scope(self._scope):
                return super().__call__(*args, **kwargs)

    Scoped.__name__ = kind.__name__
    return Scoped
