"""The adapter for Flax Linen: modules run on the array inside a context, with their taps in a dictionary by path.

    taps = new_taps(module, variables, images)

    def loss(params, taps):
        with on_array(emulation, taps):
            logits = module.apply({"params": params}, images)
        ...

    grads, cotangents = jax.grad(loss, (0, 1))(variables["params"], taps)
    counters = read_counters(cotangents)

``nn.Dense``, ``nn.DenseGeneral`` and ``nn.Conv`` go on the array, also inside ``nn.scan``, ``nn.vmap`` and ``nn.remat``
(what that runs again is counted once: NNX's adapter can tell, this one cannot).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
from flax import linen as nn
from jax import Array, lax

from jaxgrad.array.emulation import Emulation
from jaxgrad.autodiff import LayerCounters, conv_general_dilated, dot_general, new_tap, read_tap

Taps = Mapping[str, Array]
# A layer's attribute for another contraction, and what that contraction is on the array.
_SOCKETS: dict[type[nn.Module], tuple[str, Callable[..., Array], Callable[..., Array]]] = {
    nn.Dense: ("dot_general", lax.dot_general, dot_general),
    nn.DenseGeneral: ("dot_general", lax.dot_general, dot_general),
    nn.Conv: ("conv_general_dilated", lax.conv_general_dilated, conv_general_dilated),
}
_WITHOUT = (nn.ConvTranspose, nn.ConvLocal, nn.Einsum, nn.MultiHeadDotProductAttention)


def new_taps(module: nn.Module, variables: Any, *args: Any, **kwargs: Any) -> dict[str, Array]:
    """A tap for every layer that ``module.apply(variables, *args, **kwargs)`` calls, by path, from a trace.

    Layers that contract but can't be emulated are named in one warning.
    """
    paths: dict[str, None] = {}
    others: dict[str, str] = {}

    def note(call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        module = context.module
        if context.method_name == "__call__":
            if _socket(module) is not None:
                paths[_path(module)] = None
            elif isinstance(module, (*_SOCKETS, *_WITHOUT)):
                others[_path(module)] = type(module).__name__
        return call(*args, **kwargs)

    with nn.intercept_methods(note):
        jax.eval_shape(functools.partial(module.apply, **kwargs), variables, *args)
    if others:
        names = ", ".join(f"{path} ({kind})" for path, kind in others.items())
        warnings.warn(f"not emulated, and not counted: {names}", stacklevel=2)
    return {path: new_tap() for path in paths}


@contextmanager
def on_array(emulation: Emulation, taps: Taps) -> Iterator[None]:
    """Within it, the layers that ``taps`` names run on the array; the module's variables stay as they are."""

    def run(call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        module = context.module
        socket = _socket(module) if context.method_name == "__call__" else None
        tap = taps.get(_path(module)) if socket else None
        if socket is None or tap is None:
            return call(*args, **kwargs)
        attribute, contraction = socket
        hook = functools.partial(contraction, tap=tap, emulation=emulation)
        # The twin shares the module's scope, hence its parameters. It has a contraction of its own: no socket.
        changes: dict[str, Any] = {attribute: hook}
        return module.clone(parent=module.scope, **changes)(*args, **kwargs)

    with nn.intercept_methods(run):
        yield


def read_counters(cotangents: Taps) -> dict[str, LayerCounters]:
    """The counters in the cotangents of taps, by path."""
    return {path: read_tap(tap) for path, tap in cotangents.items()}


def _socket(module: nn.Module) -> tuple[str, Callable[..., Array]] | None:
    """Where a layer takes another contraction and which, unless it has one of its own or dilates its input."""
    for kind, (attribute, default, contraction) in _SOCKETS.items():
        if isinstance(module, kind):
            own = getattr(module, attribute) not in (None, default) or getattr(module, f"{attribute}_cls") is not None
            dilation = getattr(module, "input_dilation", 1) or 1
            dilated = dilation != 1 if isinstance(dilation, int) else any(step != 1 for step in dilation)
            return None if own or dilated else (attribute, contraction)
    return None


def _path(module: nn.Module) -> str:
    return ".".join(module.path) or "model"
