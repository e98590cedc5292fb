"""An NNX model made ready for a trace: its modules say in it who they are, and its variables are quick to write."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
_OF_FLAX = ("__call__", "attend")  # what Flax's own modules compute by


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


def name_modules(model: nnx.Module, place: tuple[Any, ...] = ()) -> None:
    """Puts a scope with a module's path, and the kind of what it does, around each call of each module and of its
    public methods.

    Args:
        model: to be used in this trace alone.
        place: where it is in a larger one, of which the paths then are.
    """
    for path, module in nnx.iter_modules(model):
        if not hasattr(module, "_scope") and methods(type(module)):
            kind = next((kind for base, kind in _KINDS.items() if isinstance(module, base)), None)
            object.__setattr__(module, "__class__", _scoped(type(module)))
            module._scope = kinds.label(kind, layer_name((*place, *path)))  # pyright: ignore


@contextmanager
def named(model: nnx.Module, place: tuple[Any, ...] = ()) -> Iterator[None]:
    """Within it, the model is ready for a trace, as ``write_quickly`` and ``name_modules`` make it; after it the model
    is as it was."""
    before = [
        (node, type(node))
        for _, node in nnx.iter_graph(model)
        if isinstance(node, nnx.Variable | nnx.Module) and not hasattr(node, "_scope")
    ]
    write_quickly(model)
    name_modules(model, place)
    try:
        yield
    finally:
        for node, kind in before:
            if isinstance(node, nnx.Module) and hasattr(node, "_scope"):
                del node._scope
            object.__setattr__(node, "__class__", kind)


@functools.cache
def methods(kind: type[nnx.Module]) -> tuple[str, ...]:
    """The names of what a module computes by: its call and its public methods."""
    names = []
    for name in dir(kind):
        owner = next(base for base in kind.__mro__ if name in vars(base))
        if owner.__module__.partition(".")[0] == "flax":
            computes = name in _OF_FLAX
        else:
            computes = name == "__call__" or (not name.startswith("_") and inspect.isfunction(vars(owner)[name]))
        if computes and owner is not object:
            names.append(name)
    return tuple(names)


def subclass(kind: type[nnx.Module], method: Callable[[type, str], Callable[..., Any]]) -> type[nnx.Module]:
    """A class of the same name in which ``method(class, name)`` stands for each of a module's methods."""
    names = {"__module__": kind.__module__, "__doc__": kind.__doc__}
    changed: Any = types.new_class(kind.__name__, (kind,), exec_body=lambda body: body.update(names))
    for name in methods(kind):
        setattr(changed, name, functools.wraps(getattr(kind, name))(method(changed, name)))
    return changed


@functools.cache
def _scoped(kind: type[nnx.Module]) -> type[nnx.Module]:
    def method(scoped: type, name: str) -> Callable[..., Any]:
        def module_call(self: Any, *args: Any, **kwargs: Any) -> Any:
            with jax.named_scope(self._scope):
                return getattr(super(scoped, self), name)(*args, **kwargs)

        assert module_call.__name__ == kinds.CALL  # by which a trace knows where a module's own lines begin
        return module_call

    return subclass(kind, method)


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
