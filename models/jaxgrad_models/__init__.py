"""Flax NNX image classifiers to train, with no word of hardware in them.

Every model maps images in NHWC to one logit a class, and is built by name:

    model = build("lenet", input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0))

A family is imported when one of it is built, so that listing the names imports neither JAX nor Flax.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgrad_models.errors import BuildError

if TYPE_CHECKING:
    from flax import nnx

# name -> where its constructor is; each takes (input_shape, classes, *, rngs)
# Small enough to train here, on images from 8x8 up:
MODELS: dict[str, str] = {
    "mlp": "jaxgrad_models.mlp:MLP",
    "lenet": "jaxgrad_models.lenet:LeNet",
    "resnet20": "jaxgrad_models.resnet:resnet20",
}
# Networks as their papers have them; some take no small images:
PAPERS: dict[str, str] = {
    "resnet32": "jaxgrad_models.resnet:resnet32",
    "resnet44": "jaxgrad_models.resnet:resnet44",
    "resnet56": "jaxgrad_models.resnet:resnet56",
    "resnet110": "jaxgrad_models.resnet:resnet110",
    "resnet18": "jaxgrad_models.resnet_imagenet:resnet18",
    "resnet34": "jaxgrad_models.resnet_imagenet:resnet34",
    "resnet50": "jaxgrad_models.resnet_imagenet:resnet50",
    "resnet101": "jaxgrad_models.resnet_imagenet:resnet101",
    "resnet152": "jaxgrad_models.resnet_imagenet:resnet152",
    "densenet121": "jaxgrad_models.densenet:densenet121",
    "densenet169": "jaxgrad_models.densenet:densenet169",
    "densenet201": "jaxgrad_models.densenet:densenet201",
    "densenet264": "jaxgrad_models.densenet:densenet264",
    "inception-v4": "jaxgrad_models.inception_v4:InceptionV4",
    "googlenet": "jaxgrad_models.googlenet:GoogLeNet",
    "alexnet": "jaxgrad_models.alexnet:AlexNet",
    "vgg11": "jaxgrad_models.vgg:vgg11",
    "vgg16": "jaxgrad_models.vgg:vgg16",
    "vgg19": "jaxgrad_models.vgg:vgg19",
    "mobilenet-v1": "jaxgrad_models.mobilenet:MobileNetV1",
    "mobilenet-v2": "jaxgrad_models.mobilenet:MobileNetV2",
    "vit-tiny": "jaxgrad_models.vit:vit_tiny",
    "vit-small": "jaxgrad_models.vit:vit_small",
    "convnet": "jaxgrad_models.convnet:ConvNet",
}
# name of a paper's network -> the paper's (height, width, channels) of one image
INPUT_SHAPES: dict[str, tuple[int, int, int]] = (
    dict.fromkeys(PAPERS, (224, 224, 3))
    | dict.fromkeys(("resnet20", "resnet32", "resnet44", "resnet56", "resnet110"), (32, 32, 3))
    | {"lenet": (32, 32, 1), "convnet": (32, 32, 3), "inception-v4": (299, 299, 3)}
)
# the same -> how many classes the paper's images have: ImageNet's, or the ten of CIFAR-10 and of digits
CLASSES: dict[str, int] = {name: 1000 if shape[0] >= 224 else 10 for name, shape in INPUT_SHAPES.items()}


def build(name: str, *, input_shape: Sequence[int], classes: int, rngs: nnx.Rngs) -> nnx.Module:
    """The model ``name``, freshly initialised and in training mode.

    Args:
        name: a key of ``MODELS`` or ``PAPERS``.
        input_shape: (height, width, channels) of one image; ``INPUT_SHAPES[name]`` is the paper's.
        classes: how many logits the model gives.
        rngs: where the initial weights come from.

    Raises:
        BuildError: an unknown name, or sizes that the model can't take.
    """
    known = MODELS | PAPERS
    if name not in known:
        raise BuildError("model", name, f"choose one of {', '.join(known)}")
    if len(input_shape) != 3 or not all(_is_size(size) for size in input_shape):
        raise BuildError("input_shape", tuple(input_shape), "give (height, width, channels), each at least 1")
    if not _is_size(classes):
        raise BuildError("classes", classes, "give a whole number of at least 1")
    module, constructor = known[name].split(":")
    return getattr(importlib.import_module(module), constructor)(tuple(input_shape), classes, rngs=rngs)


def abstract(name: str, *, input_shape: Sequence[int] | None = None, classes: int | None = None) -> nnx.Module:
    """The model ``name`` in shapes, for tracing: no weight is made.

    Its random streams, if it keeps any, give one key again and again.

    Args:
        name: as of ``build``.
        input_shape: as of ``build``; the paper's if left out.
        classes: as of ``build``; the paper's, or 10, if left out.

    Raises:
        BuildError: as ``build``, or no input shape where no paper has one.
    """
    if input_shape is None and name in MODELS | PAPERS and name not in INPUT_SHAPES:
        raise BuildError("input_shape", None, f"{name} has no paper's, give (height, width, channels)")
    shape = INPUT_SHAPES.get(name, ()) if input_shape is None else input_shape
    shapes = importlib.import_module("jaxgrad_models.shapes")
    outputs = CLASSES.get(name, 10) if classes is None else classes
    return shapes.of(lambda rngs: build(name, input_shape=shape, classes=outputs, rngs=rngs))


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
