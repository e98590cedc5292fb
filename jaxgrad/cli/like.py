"""A GEMM's sizes: typed, or those of a layer of a network."""

from __future__ import annotations

import difflib
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.cli import choices
from jaxgrad.cli.options import MODEL, SIZE, Choice, Shape, option

if TYPE_CHECKING:
    from jaxgrad.array.gemm import Gemm
    from jaxgrad.programs import LayerGemm

LIKE = option(
    "--like",
    "LAYER",
    "Instead of --in-features and --out-features: the sizes of a layer of --model, --batch images a step (of a "
    "convolution, rows are output positions).",
    "GEMM",
    default="none",
)
LIKE_MODEL = option(
    "--model",
    "NAME",
    "With --like: a network, as in compare: lenet, resnet50, ...; or your own, FILE.py:NAME.",
    MODEL,
    rule=Choice(choices.models, choices.network),
    default="lenet",
)
LIKE_SHAPE = option(
    "--input-shape",
    "HxWxC",
    "With --like: the size of an image, as 32x32x3.",
    MODEL,
    rule=Shape.of,
    default="a paper's; digits'",
)
LIKE_CLASSES = option(
    "--classes", "N", "With --like: outputs of the network.", MODEL, rule=SIZE, default="as in compare"
)

_OF_NETWORK = ("model", "input_shape", "classes")
_MOST_NAMED = 8  # layers in an error


class Sized(NamedTuple):
    """A GEMM to run.

    Args:
        record: of the layer, once, with both of its gradients.
        note: where its sizes are from; empty where they were typed.
        config: what JSON says of that.
    """

    record: LayerGemm
    note: str
    config: dict[str, Any]

    @property
    def gemm(self) -> Gemm:
        return self.record.gemm


def sized(params: Mapping[str, Any], typed: Container[str]) -> Sized:
    """The GEMM that ``--like``, or the sizes, ask for.

    Args:
        params: the command's parameters and their values.
        typed: those that the user typed.

    Raises:
        InputError: there is no such network or layer, or options do not go together.
    """
    from jaxgrad.array.gemm import Gemm
    from jaxgrad.programs import LayerGemm

    like = params["like"]
    if like is None:
        for name in _OF_NETWORK:
            if name in typed:
                raise InputError(name, params[name], "give --like too, a layer of the network, or leave it out")
        sizes = Gemm(params["batch"], params["in_features"], params["out_features"])
        return Sized(LayerGemm("layer", sizes, 1, needs_dx=True), "", {})
    for name in ("in_features", "out_features"):
        if name in typed:
            problem = f"got {params[name]} and --like"
            raise InputError(name, params[name], "the layer has it: leave one of the two out", problem=problem)
    return _of_layer(like, params)


def _of_layer(like: str, params: Mapping[str, Any]) -> Sized:
    from jaxgrad.cli.compare import classes_of, images_of
    from jaxgrad.flax import step_gemms
    from jaxgrad.networks.network import resolve
    from jaxgrad.training import defaults

    network, batch = resolve(params["model"] or defaults.MODEL), params["batch"]
    shape, images = images_of(network, None, params["input_shape"])
    abstract = network.abstract(input_shape=shape, classes=params["classes"] or classes_of(network, shape))
    records = step_gemms(abstract, network.batch(batch, shape))
    alike = [record for record in records if record.path == like]
    if not alike:
        raise _no_such_layer(like, network.name, list(dict.fromkeys(record.path for record in records)))
    gemms = list(dict.fromkeys(record.gemm for record in alike))
    if len(gemms) > 1:
        sizes = ", ".join("x".join(map(str, gemm.sizes.values())) for gemm in gemms)
        problem = f"got {like!r}, which {network.name} calls on several shapes, {sizes}"
        raise InputError("like", like, "give the sizes of one", problem=problem)
    times = sum(record.times for record in alike)
    counted = f"{batch} {images}" if batch > 1 else f"1 {images.replace('images', 'image', 1)}"
    note = f"The sizes are those of {like} of {network.name}, {counted}"
    note += f"; a step has {times} such GEMMs" if times > 1 else ""
    note += "" if any(record.needs_dx for record in alike) else "; it needs no dX of it"
    config = {"model": network.reference, "input_shape": list(shape), "like": like, "images": batch}
    return Sized(replace(alike[0], times=1, recomputed=0, needs_dx=True, needs_dw=True), f"{note}.", config)


def _no_such_layer(like: str, network: str, layers: Sequence[str]) -> InputError:
    if len(layers) <= _MOST_NAMED:
        return InputError("like", like, f"{network} has {', '.join(layers)}: choose one")
    near = difflib.get_close_matches(like, layers, n=_MOST_NAMED, cutoff=0.4) or layers[:_MOST_NAMED]
    return InputError("like", like, f"{network} has {len(layers)} layers, near it {', '.join(near)}: choose one")
