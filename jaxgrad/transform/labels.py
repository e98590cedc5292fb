"""The names of a trace's products: the layer's, or the line of the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from jax.extend.core import Jaxpr, JaxprEqn

from jaxgrad.programs import jaxprs
from jaxgrad.programs.kinds import CALL
from jaxgrad.programs.lines import installed
from jaxgrad.programs.names import told_apart
from jaxgrad.programs.products import Product
from jaxgrad.programs.scopes import names

Path = tuple[int, ...]
Position = tuple[tuple[str, int], ...]
# Of JAX's own lines only those of functions that compute several products matter: the others tell what a product is
# traced by, which differs between one call of a layer and another that ``jax.checkpoint`` runs again.
_IN_JAX = "/jax/_src/"
_WITH_PRODUCTS = ("/jax/_src/nn/", "/jax/_src/numpy/")
_LABEL = "jaxgrad.label:"


def labels(products: Sequence[Product], layers: Mapping[int, str]) -> dict[int, str]:
    """A label for each product, by its identity.

    A product of a layer has the layer's name. Where a layer has several, they are numbered in the order in which they
    are first met; those from one line are one, whether the layer is called again or the line is in a loop. A product of
    none has its line, and a number where there are several, each its own.

    Args:
        products: of a trace.
        layers: whose each is, by identity, as ``programs.layers`` says.
    """
    kept = {id(product): label for product in products if (label := _kept(product)) is not None}
    others = [product for product in products if id(product) not in kept]
    lines = iter(told_apart([product.where for product in others if not layers[id(product)]]))
    positions = {id(product): _position(product) for product in others if layers[id(product)]}
    numbers: dict[str, dict[Position, int]] = {}
    for product, position in positions.items():
        of_layer = numbers.setdefault(layers[product], {})
        of_layer.setdefault(position, len(of_layer) + 1)

    def numbered(product: int) -> str:
        if product not in positions:
            return next(lines)
        layer = layers[product]
        return f"{layer}#{numbers[layer][positions[product]]}" if len(numbers[layer]) > 1 else layer

    return kept | {id(product): numbered(id(product)) for product in others}


def keep(jaxpr: Jaxpr, labels: Mapping[Path, str]) -> Jaxpr:
    """The jaxpr with the labels of its products, by path, written on their name stacks: whatever becomes of it, they
    keep them."""
    around = {path[:depth] for path in labels for depth in range(len(path))}

    def within(jaxpr: Jaxpr, path: Path) -> Jaxpr:
        return jaxpr.replace(eqns=[named((*path, index), equation) for index, equation in enumerate(jaxpr.eqns)])

    def named(path: Path, equation: JaxprEqn) -> JaxprEqn:
        numbers = count()
        if path in labels:
            source = equation.source_info
            stack = source.name_stack.extend(f"{_LABEL}{labels[path]}")
            return equation.replace(source_info=source.replace(name_stack=stack))
        if path not in around:
            return equation
        return jaxprs.with_inner(equation, lambda inner: within(inner, (*path, next(numbers))))

    return within(jaxpr, ())


def _kept(product: Product) -> str | None:
    """The label that ``keep`` wrote; a gradient that is recognised as none has its product's on its name stack too."""
    written = [name for name in names(product.site.equation) if name.startswith(_LABEL)]
    return written[-1].removeprefix(_LABEL) if written and not product.site.place.backward else None


def _position(product: Product) -> Position:
    """The lines that lead to a product from the call of its module; from that of its layer's library, or in the program
    itself, where a layer is not known by its module."""
    place = product.site.place
    traceback = (place.call or product.site.equation).source_info.traceback
    lines: list[tuple[str, int]] = []
    library: bool | None = None  # whether the innermost line that is not JAX's is a library's
    for frame in traceback.frames if traceback is not None else ():
        file = frame.file_name
        if place.path and frame.function_name.endswith(CALL):
            break
        if _IN_JAX not in file:
            library = installed(file) if library is None else library
            if not place.path and installed(file) != library:
                break
            lines.append((file, frame.line_num))
        elif any(folder in file for folder in _WITH_PRODUCTS):
            lines.append((file, frame.line_num))
    return tuple(lines)
