"""Which layers of an NNX model go on the array, and which cannot."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.base.errors import InputError, either
from jaxgrad.flax.hooks import ConvHook, DotGeneralHook, EinsumHook, Hook

Model = TypeVar("Model", bound=nnx.Module)


class _Socket(NamedTuple):
    """Where a layer takes its contraction: the attribute, what is there by default, and what goes in."""

    attribute: str
    default: Any
    hook: type[Hook]


_SOCKETS: dict[type[nnx.Module], _Socket] = {
    nnx.Linear: _Socket("dot_general", lax.dot_general, DotGeneralHook),
    nnx.LinearGeneral: _Socket("dot_general", None, DotGeneralHook),
    nnx.Conv: _Socket("conv_general_dilated", lax.conv_general_dilated, ConvHook),
    nnx.Einsum: _Socket("einsum_op", jnp.einsum, EinsumHook),
}
# Flax's own layers that contract without a place for another contraction, and what of them stays outside.
_WITHOUT: dict[type[nnx.Module], str] = {
    nnx.ConvTranspose: "ConvTranspose",
    nnx.LoRA: "LoRA",
    nnx.MultiHeadAttention: "MultiHeadAttention: the products of its activations",
}


def put_on_array(model: Model, emulation: Emulation) -> Model:
    """Puts a model's contractions on the array, in place, and returns the model; a second call changes the emulation.

    Every ``nnx.Linear``, ``nnx.LinearGeneral``, ``nnx.Conv`` and ``nnx.Einsum`` gets a hook that owns a ``Tap``; all
    else of the model stays as it was. ``value_and_grad`` then tells what a step took. Other layers that contract are
    named in one warning, attention's products of two activations among them: they run as they did, and no tap counts
    them, but ``step_gemms`` and all that costs a step from shapes does.

    Raises:
        ValueError: the model is no ``nnx.Module``, or the emulation's schedule does not give both gradients.
    """
    if not isinstance(model, nnx.Module):
        raise InputError(
            "model",
            model,
            "give an nnx.Module (for Linen: jaxgrad.flax.linen)",
            problem=f"got {type(model).__name__}",
        )
    if not emulation.schedule.trains:
        raise InputError(
            "schedule",
            emulation.schedule.name,
            f"to train choose {either(TRAINING_SCHEDULES)}",
            problem=f"got {emulation.schedule.name!r}, which computes one gradient alone",
        )
    hook_layers(model, emulation)
    others = layers_not_emulated(model)
    if others:
        names = ", ".join(f"{path} ({kind})" for path, kind in others)
        warnings.warn(f"not emulated, and not counted: {names}", stacklevel=2)
    return model


def layers_not_emulated(model: nnx.Module) -> list[tuple[str, str]]:
    """(path, kind) of the layers with contractions that the array does not take, by a model's structure.

    Of modules that are not Flax's own, those that hold a weight matrix themselves are listed: what they do with it is
    theirs to know.
    """
    found = []
    for path, module in _modules(model):
        kind = _kind_not_emulated(module)
        if kind is not None:
            found.append((layer_name(path), kind))
    return sorted(found)


def hook_layers(model: nnx.Module, emulation: Emulation) -> None:
    """``put_on_array`` without a word."""
    for _, module in _modules(model):
        socket = _socket(module)
        if socket is None or _own_way(module, socket) is not None:
            continue
        hook = getattr(module, socket.attribute)
        if isinstance(hook, Hook):
            hook.emulation = emulation
        else:
            setattr(module, socket.attribute, nnx.data(socket.hook(emulation, _stack(module))))


def hooks(model: nnx.Module) -> Iterator[tuple[str, Hook]]:
    """The hooks in a model, by the path of their layer."""
    for path, module in nnx.iter_modules(model):
        if isinstance(module, Hook):
            yield layer_name(path[:-1]), module


def layer_name(path: Sequence[Any]) -> str:
    """A path in a model as one name: ``blocks.0.conv1``."""
    return ".".join(map(str, path)) or "model"


def _modules(model: nnx.Module) -> list[tuple[tuple[Any, ...], nnx.Module]]:
    return [(path, module) for path, module in nnx.iter_modules(model) if not isinstance(module, Hook)]


def _socket(module: nnx.Module) -> _Socket | None:
    return next((socket for kind, socket in _SOCKETS.items() if isinstance(module, kind)), None)


def _own_way(module: nnx.Module, socket: _Socket) -> str | None:
    """Why a layer that has a socket can't be emulated, if so."""
    name = type(module).__name__
    there = getattr(module, socket.attribute)
    if not (there is socket.default or isinstance(there, Hook)) or getattr(module, "dot_general_cls", None) is not None:
        return f"{name} with a {socket.attribute} of its own"
    dilation = getattr(module, "input_dilation", None)
    if any(step != 1 for step in (dilation if isinstance(dilation, Sequence) else [dilation or 1])):
        return f"{name} with input_dilation {dilation}"
    return None


def _kind_not_emulated(module: nnx.Module) -> str | None:
    socket = _socket(module)
    if socket is not None:
        return _own_way(module, socket)
    for kind, name in _WITHOUT.items():
        if isinstance(module, kind):
            return name
    own = type(module).__module__.partition(".")[0] != "flax"
    if own and any(isinstance(value, nnx.Param) and len(value.shape) > 1 for value in vars(module).values()):
        return type(module).__name__
    return None


def _stack(module: Any) -> tuple[int, ...]:
    """The leading axes of a layer's kernel, where it is several layers in one."""
    shape = module.kernel.shape
    if isinstance(module, nnx.Linear):
        rank = 2
    elif isinstance(module, nnx.LinearGeneral):
        rank = len(module.batch_axis) + len(module.in_features) + len(module.out_features)
    else:
        rank = len(module.kernel_shape)
    return tuple(shape[: len(shape) - rank])


def weight_words(model: nnx.Module) -> dict[str, int]:
    """Elements of each layer's kernel, by the layer's path."""
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {layer_name(path[:-1]): math.prod(leaf.shape) for path, leaf in flat if path[-1] == "kernel"}
