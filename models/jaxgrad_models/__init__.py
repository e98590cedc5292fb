"""Flax NNX models to train, with no word of hardware in them.

Every model maps images in NHWC to one logit a class, and is built by name; those of ``TEXT`` map tokens, whole numbers
of shape [batch, time], to one logit a class for each:

    model = build("lenet", input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0))
    wide = build("mlp", input_shape=(8, 8, 1), classes=10, rngs=nnx.Rngs(0), hidden=(300, 300), batch_norm=True)
    text = build("transformer-lm", input_shape=(32,), classes=27, rngs=nnx.Rngs(0))

A family is imported when one of it is built, so that listing the names imports neither JAX nor Flax.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxgrad_models.errors import BuildError, is_size

if TYPE_CHECKING:
    from flax import nnx

# name -> where its constructor is; each takes (input_shape, classes, *, rngs), and options by keyword
# Small enough to train here, on images from 8x8 up:
MODELS: dict[str, str] = {
    "mlp": "jaxgrad_models.mlp:MLP",
    "lenet": "jaxgrad_models.lenet:LeNet",
    "resnet20": "jaxgrad_models.resnet:resnet20",
    "irnn": "jaxgrad_models.irnn:IRNN",
    "transformer-lm": "jaxgrad_models.transformer_lm:TransformerLM",
}
# Of these, those that read tokens and not images:
TEXT: tuple[str, ...] = ("transformer-lm",)
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
# name of a paper's network -> the paper's (height, width, channels) of one image; of one of TEXT, (tokens,)
INPUT_SHAPES: Mapping[str, tuple[int, ...]] = (
    dict.fromkeys(PAPERS, (224, 224, 3))
    | dict.fromkeys(("resnet20", "resnet32", "resnet44", "resnet56", "resnet110"), (32, 32, 3))
    | {"lenet": (32, 32, 1), "irnn": (28, 28, 1), "convnet": (32, 32, 3), "inception-v4": (299, 299, 3)}
    | dict.fromkeys(TEXT, (32,))
)
# the same -> how many classes the paper's images have: ImageNet's, or the ten of CIFAR-10 and of digits; of text the
# letters and the space
CLASSES: dict[str, int] = {name: 1000 if shape[0] >= 224 else 10 for name, shape in INPUT_SHAPES.items()} | (
    dict.fromkeys(TEXT, 27)
)


_IMAGES = "give (height, width, channels), each at least 1"


def build(name: str, *, input_shape: Sequence[int], classes: int, rngs: nnx.Rngs, **options: Any) -> nnx.Module:
    """The model ``name``, freshly initialised and in training mode.

    Args:
        name: a key of ``MODELS`` or ``PAPERS``.
        input_shape: (height, width, channels) of one image, ``INPUT_SHAPES[name]`` is the paper's; (tokens,) for one of
            ``TEXT``.
        classes: how many logits the model gives.
        rngs: where the initial weights come from.
        options: what its constructor takes besides, those of ``options_of(name)``.

    Raises:
        BuildError: an unknown name or option, or sizes that the model can't take.
    """
    constructor, possible = _constructor(name), options_of(name)
    rank, remedy = (1, "give (tokens,), at least 1") if name in TEXT else (3, _IMAGES)
    if len(input_shape) != rank or not all(is_size(size) for size in input_shape):
        raise BuildError("input_shape", tuple(input_shape), remedy)
    if not is_size(classes):
        raise BuildError("classes", classes, "give a whole number of at least 1")
    for option, value in options.items():
        if option not in possible:
            remedy = f"{name} takes {', '.join(possible)}" if possible else f"{name} has no options: leave it out"
            raise BuildError(option, value, remedy)
    return constructor(tuple(input_shape), classes, rngs=rngs, **options)


def options_of(name: str) -> tuple[str, ...]:
    """What the constructor of the model ``name`` takes by keyword; of a family's member, what its name leaves open.

    >>> options_of("mlp")
    ('hidden', 'batch_norm', 'kernel_init', 'activation')
    >>> options_of("resnet20")
    ()

    Raises:
        BuildError: an unknown name.
    """
    constructor = _constructor(name)
    settled = {"rngs"}
    if isinstance(constructor, functools.partial):
        settled |= constructor.keywords.keys()
        constructor = constructor.func
    # Of a class its initialiser: the signature of Flax's modules themselves is that of their metaclass.
    function = constructor.__init__ if isinstance(constructor, type) else constructor
    parameters = inspect.signature(function).parameters.values()
    return tuple(
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in settled
    )


def _constructor(name: str) -> Callable[..., nnx.Module]:
    known = MODELS | PAPERS
    if name not in known:
        raise BuildError("model", name, f"choose one of {', '.join(known)}")
    module, constructor = known[name].split(":")
    return getattr(importlib.import_module(module), constructor)


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
