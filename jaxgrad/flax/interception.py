"""An NNX model on the array: what calls of it compute runs through the transformation, its products named by path."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from jaxgrad.array.emulation import Emulation
from jaxgrad.array.schedules import TRAINING_SCHEDULES
from jaxgrad.autodiff import new_tap
from jaxgrad.base.errors import InputError, either, shown
from jaxgrad.flax import tracing
from jaxgrad.flax.layers import layer_name, modules_with_products, modules_with_weights, stack
from jaxgrad.flax.notes import say
from jaxgrad.transform.api import Emulated
from jaxgrad.transform.cache import Cache
from jaxgrad.transform.rules import Rule, Rules, module_of

Model = TypeVar("Model", bound=nnx.Module)
_TAG = "jaxgrad"
_CACHE = Cache(8)  # of calls outside of any jit: within one, a call is traced once
_inside: ContextVar[bool] = ContextVar("inside", default=False)


class Tap(nnx.Variable):
    """A module's tap (``jaxgrad.autodiff.taps``). No parameter: an optimizer that updates ``nnx.Param`` leaves it."""


class Learned(nnx.Param):
    """A parameter that a layer has for its estimator, such as the resolution of its activations. It is trained as the
    model's own are, by an optimizer of ``nnx.Param``."""


@dataclass(frozen=True)
class _Part:
    """What each module of a model on the array knows: the model's rules, and its own path."""

    rules: Rules
    path: tuple[Any, ...]


class OnArray(nnx.Module):
    """What a model on the array knows of it.

    Args:
        rules: which products run where.
        taps: a tap a module that may have products, by path.
        stream: of keys for estimators that are random, if any is.
        parameters: of estimators that have some, by the path of the module, and by name.
    """

    def __init__(
        self,
        rules: Rules,
        taps: dict[str, Tap],
        stream: nnx.RngStream | None,
        parameters: dict[str, dict[str, Learned]],
    ) -> None:
        self.rules = rules
        self.taps = nnx.data(taps)
        self.stream = nnx.data(stream)
        self.parameters = nnx.data(parameters)

    def key(self) -> Array | None:
        """A new key, for one call of the model."""
        return None if self.stream is None else self.stream()

    def values(self) -> dict[str, dict[str, Array]]:
        """The parameters. Of several models in one, a scan that broadcasts variables hands over all of them."""
        return {
            path: {name: variable[...][(0,) * variable[...].ndim] for name, variable in named.items()}
            for path, named in self.parameters.items()
        }


def put_on_array(model: Model, emulation: Emulation | Sequence[Rule], *, rngs: nnx.Rngs | None = None) -> Model:
    """Puts a model's products on the array, in place, and returns the model; a second call changes where they run.

    All products that a call of the model, or of one of its public methods, computes run on the array, forward and
    backward: those of its layers, of attention, and of modules that multiply by themselves. ``value_and_grad`` then
    tells what a step took, product by product. What stays outside is named there with its MACs, in a warning.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import Accelerator
    >>> model = nnx.Linear(6, 3, rngs=nnx.Rngs(0))
    >>> _ = put_on_array(model, [Rule("*", Emulation(Accelerator(4, 4)))])
    >>> model(jnp.ones((2, 6))).shape
    (2, 3)

    Args:
        model: to be changed; its variables stay, and taps are added (``Tap``), and parameters of estimators that have
            some (``Learned``).
        emulation: the array, the schedule and the fidelity; or rules, which say by path where products run, and by
            which estimator. The first that matches a path wins; what no rule matches is left to XLA.
        rngs: for estimators that are random. The model then has its ``estimator`` stream (or the default one), as a
            ``nnx.Dropout`` has one: a key a call, the same ones again from the same seed.

    Raises:
        ValueError: the model is no ``nnx.Module``, the schedule of an emulation does not give both gradients, or an
            estimator is random and there are no ``rngs``.
    """
    if not isinstance(model, nnx.Module):
        problem = f"got {type(model).__name__}"
        raise InputError("model", model, "give an nnx.Module (for Linen: jaxgrad.flax.linen)", problem=problem)
    rules = Rules.of(emulation)
    for schedule in (rule.emulation.schedule for _, rule in rules.rules if rule.emulation is not None):
        if not schedule.trains:
            problem = f"got {schedule.name!r}, which computes one gradient alone"
            remedy = f"to train choose {either(TRAINING_SCHEDULES)}"
            raise InputError("schedule", schedule.name, remedy, problem=problem)
    random = next((estimator for estimator in rules.estimators if estimator.random), None)
    if random is not None and not isinstance(rngs, nnx.Rngs):
        problem = f"got {shown(rngs)}, and {shown(random)} is random"
        raise InputError("rngs", rngs, "give nnx.Rngs(seed)", problem=problem)
    stream = None if random is None or rngs is None else rngs.estimator.fork()
    on_array, axes = record(model), stack(model)
    if on_array is not None:
        on_array.parameters = nnx.data(_parameters(model, rules, axes, on_array))
        on_array.rules, on_array.stream = rules, nnx.data(stream)
    else:
        taps = {path: Tap(new_tap(*axes)) for path in modules_with_products(model)}
        model._on_array = OnArray(rules, taps, stream, _parameters(model, rules, axes))  # pyright: ignore[reportAttributeAccessIssue]
    for path, module in _parts(model):
        if not hasattr(module, "_part"):
            object.__setattr__(module, "__class__", _intercepted(type(module)))
        module._part = _Part(rules, path)  # pyright: ignore[reportAttributeAccessIssue]
    return model


def _parameters(
    model: nnx.Module, rules: Rules, axes: tuple[int, ...], before: OnArray | None = None
) -> dict[str, dict[str, Learned]]:
    """What the modules' estimators have for parameters: those that they had before, where these begin alike."""
    parameters: dict[str, dict[str, Learned]] = {}
    for path in modules_with_weights(model):
        for name, initial in rules.estimator(path).parameters.items():
            variable = Learned(jnp.broadcast_to(initial, (*axes, *initial.shape)))
            if before is not None and path in before.parameters:
                earlier = before.rules.estimator(path).parameters
                if name in earlier and np.array_equal(earlier[name], initial):
                    variable = before.parameters[path][name]
            parameters.setdefault(path, {})[name] = variable
    return parameters


def _parts(model: nnx.Module) -> Iterator[tuple[tuple[Any, ...], nnx.Module]]:
    """The modules that compute, but for those within a model that was put on the array by itself."""
    apart = [path for path, module in nnx.iter_modules(model) if path and record(module) is not None]
    for path, module in nnx.iter_modules(model):
        within = any(path[: len(other)] == other for other in apart)
        if not within and not isinstance(module, OnArray) and (not path or tracing.methods(type(module))):
            yield path, module


def record(module: nnx.Module) -> OnArray | None:
    """What a module knows of the array, if it was put on it."""
    on_array = getattr(module, "_on_array", None)
    return on_array if isinstance(on_array, OnArray) else None


def rules_of(model: nnx.Module) -> Rules | None:
    """The rules of a model and of those within it that were put on the array by themselves; None without any."""
    collected: list[tuple[str, Rule]] = []
    reported = False
    for path, module in sorted(nnx.iter_modules(model), key=lambda item: -len(item[0])):  # the innermost first
        on_array = record(module)
        if on_array is not None:
            rules = on_array.rules.within(layer_name(path) if path else "")
            collected += rules.rules
            reported |= rules.reported
    return Rules(tuple(collected), reported) if collected else None


def key_of(model: nnx.Module) -> Array | None:
    """A new key from the outermost model that has a stream of them, of one and those within it."""
    for _, module in sorted(nnx.iter_modules(model), key=lambda item: len(item[0])):
        on_array = record(module)
        if on_array is not None and on_array.stream is not None:
            return on_array.key()
    return None


def parameters_of(model: nnx.Module) -> dict[str, dict[str, Array]]:
    """The parameters of estimators of a model and of those within it, by the path of the layer, and by name."""
    return {
        layer_name((*path, *(() if layer == "model" else (layer,)))): named
        for path, module in nnx.iter_modules(model)
        if (on_array := record(module)) is not None
        for layer, named in on_array.values().items()
    }


@contextmanager
def traced(model: nnx.Module, place: tuple[Any, ...] = ()) -> Iterator[None]:
    """Within it, calls of models run as they are, for a trace: the model's modules say who they are.

    Args:
        model: whose modules.
        place: where it is in a larger one, of which the modules' paths then are.
    """
    token = _inside.set(True)
    try:
        with tracing.named(model, place):
            yield
    finally:
        _inside.reset(token)


@functools.cache
def _intercepted(kind: type[nnx.Module]) -> type[nnx.Module]:
    def method(intercepted: type, name: str) -> Callable[..., Any]:
        def on_array(self: nnx.Module, *args: Any, **kwargs: Any) -> Any:
            if _inside.get():
                return getattr(super(intercepted, self), name)(*args, **kwargs)
            return _call(self, name, args, kwargs)

        return on_array

    return tracing.subclass(kind, method)


def _call(model: nnx.Module, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A method of a model on the array, by way of a pure function of all variables that it is given."""
    on_array, part = record(model), model._part  # pyright: ignore[reportAttributeAccessIssue]  # its class says so
    key = None if on_array is None else on_array.key()
    arguments = (model, args, kwargs)

    def pure(graph: Any, state: Any) -> tuple[Any, Any, Any]:
        with nnx.merge_context(_TAG, inner=True) as context:
            inner = context.merge(graph, state)
        structure, before = (
            nnx.graphdef(inner),
            {path: variable.get_raw_value() for path, variable in _variables(inner)},
        )
        with traced(inner[0], part.path):
            out = getattr(inner[0], method)(*inner[1], **inner[2])
        if nnx.graphdef(inner) == structure and not any(_variables(out)):
            after = {path: variable.get_raw_value() for path, variable in _variables(inner)}
            return out, {path: value for path, value in after.items() if value is not before[path]}, None
        with nnx.split_context(_TAG) as context:
            return None, {}, context.split((inner, out))

    def taps(labels: Sequence[str]) -> Mapping[str, Array]:
        return {} if on_array is None else {label: _tap(on_array, label) for label in labels}

    with nnx.update_context(_TAG):
        with nnx.split_context(_TAG) as context:
            graph, state = context.split(arguments)
        emulated = Emulated(pure, part.rules, key, _CACHE, {} if on_array is None else on_array.values())
        (out, changed, whole), tally = emulated.with_taps(taps, graph, state)
        alone = f"{layer_name(part.path)}: called from outside of its model, whose taps do not count it"
        say(tally.notes if on_array is not None or not tally.sites else (alone, *tally.notes))
        if whole is not None:  # the call made variables, or changed what is no array
            with nnx.merge_context(_TAG, inner=False) as context:
                return context.merge(*whole)[1]
    for path, variable in _variables(arguments):
        if path in changed:  # the others may be from outside of a derivative, where they can't be written
            variable.set_raw_value(changed[path])
    return out


def _variables(node: Any) -> Iterator[tuple[tuple[Any, ...], nnx.Variable[Any]]]:
    for path, variable in nnx.iter_graph(node):
        if isinstance(variable, nnx.Variable):
            yield path, variable


def _tap(on_array: OnArray, label: str) -> Array:
    """The tap of a product: its module's, or that of the nearest module around it."""
    path = module_of(label)
    while path not in on_array.taps:
        path = path.rpartition(".")[0] or "model"
    tap = on_array.taps[path][...]
    # Of several models in one, a scan that broadcasts variables hands over all taps. One collects the counts.
    return tap[(0,) * (tap.ndim - new_tap().ndim)]
