"""The kind of work that an equation of a forward pass belongs to, as a network's author would name it.

``labelled`` writes the kind of each equation of a forward pass on its name stack. Automatic differentiation hands the
names on, so that equations of the gradient's trace have them too, with their phase: JAX wraps the name of what it
transposed in ``transpose(``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, cast

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var
from jax.extend.core import Literal as Constant

from jaxgrad.programs import jaxprs, patterns
from jaxgrad.programs.operations import VIEWS, WINDOWS, elements, shape_of
from jaxgrad.programs.scopes import scopes

Kind = Literal[
    "normalisation", "activation", "pooling", "softmax", "loss", "residual", "bias", "dropout", "update", "other"
]
_Made = Mapping[Any, tuple[JaxprEqn, Kind | None]]  # variable -> what makes it, and that one's kind
_LABEL = re.compile(r"jaxgrad\[(\w*)@([^\]]*)\]")
CALL = "module_call"  # name of the functions that call a module and put its scope around it
# Names of jitted functions and of functions with a derivative of their own, as jax.nn, jax.random and optax have them.
_ACTIVATIONS = (
    *(
        "celu",
        "elu",
        "gelu",
        "glu",
        "hard_sigmoid",
        "hard_silu",
        "hard_swish",
        "hard_tanh",
        "leaky_relu",
        "log_sigmoid",
    ),
    *("mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softplus", "sparse_plus"),
    *("sparse_sigmoid", "squareplus", "swish", "tanh"),
)
_NAMES: dict[str, Kind] = {
    **dict.fromkeys(_ACTIVATIONS, "activation"),
    **dict.fromkeys(("softmax", "_softmax", "log_softmax", "logsumexp"), "softmax"),
    **dict.fromkeys(("local_response_norm", "_normalize", "standardize"), "normalisation"),
    **dict.fromkeys(("_bernoulli", "_uniform", "_normal", "dropout"), "dropout"),
}
_PRIMITIVES: dict[str, Kind] = {
    **dict.fromkeys(("tanh", "logistic", "erf"), "activation"),
    **dict.fromkeys(WINDOWS, "pooling"),
    **dict.fromkeys(("random_bits", "threefry2x32", "random_fold_in", "random_split"), "dropout"),
}


class Place(NamedTuple):
    """Where an equation stands.

    Args:
        kind: what it is for, None where nothing says so.
        path: the innermost module's place in the model, or nothing.
        backward: whether it was transposed.
        derived: whether forward-mode differentiation, which is the first half of reverse mode, went over it.
        call: the layer's own call of the jitted function that it is in, if it is in one: of what is inside, JAX may
            remember another caller.
        scopes: the names of the scopes around it, from the outermost inwards.
        callers: the equations that lead to it, from itself outwards.
    """

    kind: Kind | None = None
    path: str = ""
    backward: bool = False
    derived: bool = False
    call: JaxprEqn | None = None
    scopes: tuple[str, ...] = ()
    callers: tuple[JaxprEqn, ...] = ()

    @property
    def derivatives(self) -> int:
        """How many derivatives were taken of it, one of another."""
        return sum(str(caller.source_info.name_stack).count("jvp(") for caller in self.callers)

    @property
    def layer(self) -> str:
        """The module's path, else the scopes' names; nothing where there is neither."""
        return self.path or ".".join(self.scopes)

    def within(self, equation: JaxprEqn) -> Place:
        """The place of an equation in a function that is called at this one."""
        names = str(equation.source_info.name_stack)
        labels = _LABEL.findall(names)
        kind, path = labels[-1] if labels else ("", "")
        inside = self._replace(path=path or self.path, scopes=(*self.scopes, *scopes(equation)))
        call = self.call if inside.layer == self.layer else None
        if call is None and equation.primitive.name in jaxprs.JITS:
            call = equation
        return inside._replace(
            kind=cast(Kind, kind) or self.kind,
            backward=self.backward or "transpose(" in names,
            derived=self.derived or "jvp(" in names,
            call=call,
            callers=(equation, *self.callers),
        )


def label(kind: Kind | None, path: str = "") -> str:
    """The name for ``jax.named_scope`` about work of a kind at a place."""
    return f"jaxgrad[{kind or ''}@{path}]"


def kind_of(equation: JaxprEqn) -> Kind | None:
    """What an equation alone says of its kind."""
    name = equation.params.get("name")
    if isinstance(name, str) and name in _NAMES:
        return _NAMES[name]
    if equation.primitive.name.startswith("custom_"):  # its name is that of the function inside
        inside: list[Kind | None] = [kind_of(first) for inner in jaxprs.inner(equation) for first in inner.eqns[:1]]
        return _first(inside)
    if equation.primitive.name == "add_any":
        return "residual"  # where a value was used twice, its gradients meet
    return _PRIMITIVES.get(equation.primitive.name)


def labelled(jaxpr: ClosedJaxpr) -> ClosedJaxpr:
    """The jaxpr of a forward pass with every equation's kind and module on its name stack."""
    return jaxpr.replace(jaxpr=_labelled(jaxpr.jaxpr, Place()))


def _labelled(jaxpr: Jaxpr, outer: Place) -> Jaxpr:
    places = [outer.within(equation) for equation in jaxpr.eqns]
    kinds = _kinds(jaxpr, places)
    return jaxpr.replace(
        eqns=[
            _named(equation, place._replace(kind=kind))
            for equation, place, kind in zip(jaxpr.eqns, places, kinds, strict=True)
        ]
    )


def _named(equation: JaxprEqn, place: Place) -> JaxprEqn:
    source = equation.source_info
    names = source.name_stack.extend(label(place.kind, place.path))
    named = equation.replace(source_info=source.replace(name_stack=names))
    if place.kind is not None:
        return named  # what it calls is of its kind
    return jaxprs.with_inner(named, lambda inner: _labelled(inner, place))


def _kinds(jaxpr: Jaxpr, places: Sequence[Place]) -> list[Kind | None]:
    """The kinds of a function's equations; None for one that calls a function of no kind."""
    softmaxes, activations = patterns.softmaxes(jaxpr), patterns.activations(jaxpr)
    made: dict[Any, tuple[JaxprEqn, Kind | None]] = {}
    kinds: list[Kind | None] = []
    for index, (equation, place) in enumerate(zip(jaxpr.eqns, places, strict=True)):
        kind = place.kind or ("softmax" if index in softmaxes else kind_of(equation))
        kind = kind or ("activation" if index in activations else None)
        kind = kind or (_of_gradient if place.backward else _by_operands)(equation, made)
        if kind is None and not any(True for _ in jaxprs.inner(equation)):
            kind = "other"
        kinds.append(kind)
        made.update(dict.fromkeys(equation.outvars, (equation, kind)))
    _views_by_use(jaxpr, kinds)
    return kinds


def _by_operands(equation: JaxprEqn, made: _Made) -> Kind | None:
    """A sum with something small and given is a bias, one of two equals a residual; a sum over some axes of a map
    pools it, and what scales a result by a constant belongs to what made it."""
    name = equation.primitive.name
    variables = [variable for variable in equation.invars if not isinstance(variable, Constant)]
    if name == "add" and len(variables) == 2:
        small = min(variables, key=elements)
        if elements(small) == elements(equation.outvars[0]):
            return "residual" if elements(small) > 1 else None
        while small in made and made[small][0].primitive.name in VIEWS:
            small = made[small][0].invars[0]
        return "bias" if small not in made else None
    if name == "reduce_sum" and len(shape_of(variables[0])) > 2 and shape_of(equation.outvars[0]):
        return "pooling"
    if name in ("mul", "div") and len(variables) == 1 and variables[0] in made:
        kind = made[variables[0]][1]
        return kind if kind in ("pooling", "activation") else None
    return None


def _of_gradient(equation: JaxprEqn, made: _Made) -> Kind | None:
    """The gradient of something is of its kind, whose values it uses; a sum down to one axis is a bias's gradient."""
    if equation.primitive.name == "reduce_sum" and len(shape_of(equation.outvars[0])) == 1:
        return "bias"
    used = [
        made[variable][1] for variable in equation.invars if not isinstance(variable, Constant) and variable in made
    ]
    return next((kind for kind in used if kind in ("activation", "softmax", "normalisation")), None)


def _views_by_use(jaxpr: Jaxpr, kinds: list[Kind | None]) -> None:
    """A view is of the kind of what uses it: the transpose of a broadcast is the sum that a bias's gradient is."""
    users: dict[Var, Kind | None] = {}
    for index in reversed(range(len(kinds))):
        equation = jaxpr.eqns[index]
        if equation.primitive.name in VIEWS and kinds[index] == "other":
            used: list[Kind | None] = [users.get(out) for out in equation.outvars]
            kinds[index] = _first(used) or "other"
        for variable in equation.invars:
            if not isinstance(variable, Constant):
                users.setdefault(variable, kinds[index])


def _first(kinds: Sequence[Kind | None]) -> Kind | None:
    return next((kind for kind in kinds if kind is not None), None)


def scope(kind: Kind | None, path: str = "") -> AbstractContextManager[Any]:
    """Within it, work is of that kind and at that place, unless something inside says otherwise."""
    return jax.named_scope(label(kind, path))
