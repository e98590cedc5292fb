"""What an NNX model's structure says of its products, before any call: where some are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flax import nnx

from jaxgrad.programs import LayerGemm

# Flax's own layers that compute one product whenever they are called.
_CONTRACTING = (nnx.Linear, nnx.LinearGeneral, nnx.Conv, nnx.ConvTranspose, nnx.Einsum)
# Others of Flax that may compute some.
_AT_TIMES = (nnx.Embed, nnx.LoRA, nnx.MultiHeadAttention)


def layer_name(path: Sequence[Any]) -> str:
    """A path in a model as one name: ``blocks.0.conv1``."""
    return ".".join(map(str, path)) or "model"


def layers_with_products(model: nnx.Module) -> list[str]:
    """The paths of Flax's own layers that compute a product whenever they are called."""
    return [layer_name(path) for path, module in nnx.iter_modules(model) if isinstance(module, _CONTRACTING)]


def with_weights(gemms: Sequence[LayerGemm], model: nnx.Module) -> list[LayerGemm]:
    """The records; those of Flax's own layers have weights, also where a layer makes them of others, as by a mask."""
    layers = set(layers_with_products(model))
    return [replace(gemm, weights=gemm.weights or gemm.path in layers) for gemm in gemms]


def modules_with_products(model: nnx.Module) -> list[str]:
    """The paths of all modules that may compute products themselves, the model among them."""
    return [
        layer_name(path)
        for path, module in nnx.iter_modules(model)
        if not path
        or isinstance(module, (*_CONTRACTING, *_AT_TIMES))
        or type(module).__module__.split(".")[0] != "flax"
    ]


def modules_with_weights(model: nnx.Module) -> list[str]:
    """The paths of the modules that may multiply by weights of their own."""
    paths = set(modules_with_products(model))
    return [
        layer_name(path)
        for path, module in nnx.iter_modules(model)
        if layer_name(path) in paths
        and (
            isinstance(module, (*_CONTRACTING, *_AT_TIMES))
            or any(isinstance(value, nnx.Param) for value in vars(module).values())
        )
    ]


def stack(model: nnx.Module) -> tuple[int, ...]:
    """The leading axes that all layers' variables share, where ``nnx.vmap`` made several models in one."""
    stacks = [_stack(module) for _, module in nnx.iter_modules(model) if isinstance(module, _CONTRACTING)]
    shared = min(stacks, key=len, default=())
    return shared if all(axes[: len(shared)] == shared for axes in stacks) else ()


def parameter_words(model: nnx.Module) -> dict[str, int]:
    """Elements of each parameter of a model, by its path: ``blocks.0.norm.scale``."""
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {layer_name(path): math.prod(leaf.shape) for path, leaf in flat}


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
