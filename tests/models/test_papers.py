"""Every paper's network has the layers, the multiply-accumulates and the weights that are published of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgrad_models import INPUT_SHAPES, MODELS, PAPERS, build
from jaxgrad_models.alexnet import AlexNet
from jaxgrad_models.convnet import ConvNet
from jaxgrad_models.densenet import DenseNet
from jaxgrad_models.googlenet import GoogLeNet
from jaxgrad_models.inception_v4 import InceptionV4
from jaxgrad_models.mobilenet import BOTTLENECKS, SEPARABLE, MobileNetV1, MobileNetV2
from jaxgrad_models.resnet_imagenet import Basic, Bottleneck, ImageNetResNet
from jaxgrad_models.vgg import VGG
from jaxgrad_models.vit import ViT
from tests.models import tracing

CIFAR = [name for name, shape in INPUT_SHAPES.items() if shape == (32, 32, 3)]


class Published(NamedTuple):
    """Counts of one network for an image and 1000 classes; giga and mega as their sources round them."""

    convs: int
    dense: int
    gmac: str
    weights: str
    parameters: int


# gmac and weights (M): the project's reference figures for Inception-v4, DenseNet-264, ResNet-50 and VGG-16. ResNets,
# DenseNets, VGGs and MobileNet-v2: torchvision's tables, which count as we do (the ResNet paper's 3.8, 7.6 and 11.3 G
# have the stride on the 1x1). GoogLeNet: its paper's table 1, see test_googlenet.py. AlexNet: Sze et al., "Efficient
# processing of deep neural networks", Proceedings of the IEEE 105(12), 2017, table 2. MobileNet-v1: its paper's
# table 4. ViTs: the DeiT paper's 1.3 and 4.6.
# parameters, with biases and norms: torchvision; Caffe's AlexNet and GoogLeNet; Keras's MobileNet-v1; the PyTorch
# Inception-v4 of the pretrained-models collection; DeiT's code. DenseNet-264: ours, no other source has it.
PUBLISHED = {
    "resnet18": Published(20, 1, "1.814", "11.7", 11_689_512),
    "resnet34": Published(36, 1, "3.664", "21.8", 21_797_672),
    "resnet50": Published(53, 1, "4.09", "25.5", 25_557_032),
    "resnet101": Published(104, 1, "7.801", "44.4", 44_549_160),
    "resnet152": Published(155, 1, "11.514", "60.0", 60_192_808),
    "densenet121": Published(120, 1, "2.834", "7.9", 7_978_856),
    "densenet169": Published(168, 1, "3.36", "14.0", 14_149_480),
    "densenet201": Published(200, 1, "4.291", "19.8", 20_013_928),
    "densenet264": Published(264, 1, "5.75", "32.9", 33_337_704),
    "inception-v4": Published(149, 1, "12.25", "42.6", 42_679_816),
    "googlenet": Published(57, 1, "1.58", "7.0", 6_998_552),
    "alexnet": Published(5, 3, "0.724", "61.0", 60_965_224),
    "vgg11": Published(8, 3, "7.609", "132.9", 132_863_336),
    "vgg16": Published(13, 3, "15.5", "138.3", 138_357_544),
    "vgg19": Published(16, 3, "19.632", "143.7", 143_667_240),
    "mobilenet-v1": Published(27, 1, "0.569", "4.2", 4_231_976),
    "mobilenet-v2": Published(52, 1, "0.301", "3.5", 3_504_872),
    "vit-tiny": Published(1, 73, "1.3", "5.6", 5_717_416),
    "vit-small": Published(1, 73, "4.6", "21.9", 22_050_664),
}
SLOW = pytest.mark.slow
DEEP = ("resnet101", "resnet152", "densenet169", "densenet201", "resnet110")
# depth, MACs (M; He et al., "Soft filter pruning", IJCAI 2018, table 1; by the formula for ResNet-44 and -110) and
# parameters (M; the paper's table 6)
CIFAR_PUBLISHED = {
    "resnet20": (20, 40.6, "0.27"),
    "resnet32": (32, 68.9, "0.46"),
    "resnet44": (44, 97.2, "0.66"),
    "resnet56": (56, 125.5, "0.85"),
    "resnet110": (110, 252.9, "1.7"),
    # RAD's: by hand (1024 x 75 x 16, 1024 x 400 x 32, twice 256 x 800 x 32, 2048 x 10); its memory tells the weights
    "convnet": (5, 27.5, "0.086"),
}


def rounded(value: float, like: str) -> str:
    return f"{value:.{len(like.partition('.')[2])}f}"


def test_every_network_has_published_counts():
    assert {*PUBLISHED, *CIFAR_PUBLISHED} == {*PAPERS, "resnet20"}
    assert {*INPUT_SHAPES} == {*PAPERS, *MODELS} - {"mlp"}
    assert not {*PAPERS} & {*MODELS}


@pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW if n in DEEP else ()) for n in PUBLISHED])
def test_counts_are_the_published_ones(name):
    published = PUBLISHED[name]
    model = tracing.network(name)
    image = (1, *INPUT_SHAPES[name])
    gmac = tracing.macs(model, image) / 1e9
    assert tracing.output_shape(model, image) == (1, 1000)
    assert (
        tracing.layers(model, nnx.Conv),
        tracing.layers(model, nnx.Linear, nnx.LinearGeneral),
        rounded(gmac, published.gmac),
        rounded(tracing.weights(model) / 1e6, published.weights),
        tracing.parameters(model),
    ) == published


@pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW if n in DEEP else ()) for n in CIFAR])
def test_cifar_counts_are_the_published_ones(name):
    depth, mmac, published = CIFAR_PUBLISHED[name]
    model = tracing.abstract(lambda rngs: build(name, input_shape=(32, 32, 3), classes=10, rngs=rngs))
    assert tracing.layers(model, nnx.Conv, nnx.Linear) == depth
    assert tracing.macs(model, (1, 32, 32, 3)) / 1e6 == pytest.approx(mmac, abs=0.05)
    assert rounded(tracing.parameters(model) / 1e6, published) == published


# Small ones: a few blocks, narrow where the family has a width, and images hardly larger than the smallest.
VARIANTS = {
    "resnet, basic": (partial(ImageNetResNet, block=Basic, blocks=(1, 1, 1, 1)), (32, 32, 2)),
    "resnet, bottleneck": (partial(ImageNetResNet, block=Bottleneck, blocks=(1, 1, 1, 1)), (33, 32, 1)),
    "densenet": (partial(DenseNet, blocks=(1, 2, 1, 1), growth=8), (29, 32, 1)),
    "inception-v4": (partial(InceptionV4, blocks=(1, 1, 1)), (75, 107, 3)),
    "googlenet": (GoogLeNet, (31, 40, 1)),
    "alexnet": (partial(AlexNet, hidden=(64, 64)), (63, 80, 3)),
    "vgg": (partial(VGG, convs=(1, 1, 1, 1, 1), hidden=(64, 64)), (32, 64, 1)),
    "mobilenet-v1": (partial(MobileNetV1, width=0.25, blocks=SEPARABLE[:4]), (32, 40, 1)),
    "mobilenet-v2": (partial(MobileNetV2, width=0.25, blocks=BOTTLENECKS[:3]), (32, 40, 1)),
    "vit": (partial(ViT, width=24, heads=3, depth=2, patch=8), (24, 16, 1)),
    "convnet": (ConvNet, (12, 8, 1)),
}
LONG_TO_COMPILE = ("resnet, basic", "inception-v4", "googlenet")


def initial(make: Callable[[nnx.Rngs], nnx.Module]) -> Any:
    """What ``make`` gives, in training mode. The weights are drawn by NumPy: JAX compiles a generator a shape."""
    model = tracing.abstract(make)
    generator = np.random.default_rng(0)

    def value(path: tuple, leaf: Any) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.key(0)
        if path[-1] in ("kernel", "class_token", "positions"):
            return jnp.asarray(generator.normal(0, np.sqrt(2 / math.prod(leaf.shape[:-1])), leaf.shape), leaf.dtype)
        return jnp.full(leaf.shape, 1 if path[-1] in ("scale", "var") else 0, leaf.dtype)

    values = [(path, leaf.replace(value(path, leaf.get_value()))) for path, leaf in nnx.to_flat_state(nnx.state(model))]
    nnx.update(model, nnx.from_flat_state(values))
    model.train()
    return model


@pytest.mark.parametrize("family", [pytest.param(n, marks=SLOW if n in LONG_TO_COMPILE else ()) for n in VARIANTS])
def test_a_small_one_trains(family):
    """Every parameter gets a gradient, and a step against it brings the loss down by as much as it says."""
    make, shape = VARIANTS[family]
    model = initial(lambda rngs: make(shape, 4, rngs=rngs))
    model.set_attributes(nnx.Dropout, deterministic=True, raise_if_not_found=False)
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    images = jax.random.normal(jax.random.key(1), (4, *shape))
    labels = jnp.arange(4)

    def loss(params, rest):
        model = nnx.merge(graph, params, rest, copy=True)
        return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

    @jax.jit
    def step(params, rest):
        value, gradients = jax.value_and_grad(loss)(params, rest)
        # so long a step that the loss would fall by a thousandth of itself, were it linear
        rate = 1e-3 * value / optax.tree.norm(gradients, squared=True)
        reached = jax.tree.map(jnp.any, gradients)
        return value, reached, jax.tree.map(lambda weight, gradient: weight - rate * gradient, params, gradients)

    first, reached, params = step(params, rest)
    second, _, _ = step(params, rest)
    missed = [jax.tree_util.keystr(path) for path, leaf in jax.tree.leaves_with_path(reached) if not leaf]
    assert not missed
    assert float(first - second) == pytest.approx(1e-3 * float(first), rel=0.3)


@pytest.mark.parametrize(
    ("family", "image", "message"),
    [
        ("densenet", (7, 40, 3), r"got \(7, 40, 3\); densenet needs height and width of at least 8"),
        ("inception-v4", (99, 74, 3), r"got \(99, 74, 3\); inception-v4 needs height and width of at least 75"),
        ("alexnet", (62, 99, 3), r"got \(62, 99, 3\); alexnet needs height and width of at least 63"),
        ("vgg", (31, 64, 3), r"got \(31, 64, 3\); vgg needs height and width of at least 32"),
        ("convnet", (8, 3, 3), r"got \(8, 3, 3\); convnet needs height and width of at least 4"),
        ("vit", (16, 20, 3), r"got \(16, 20, 3\); vit needs height and width that are multiples of 8"),
    ],
)
def test_too_small_an_image_is_refused_in_one_line(family, image, message):
    make, _ = VARIANTS[family]
    with pytest.raises(ValueError, match=f"^input_shape: {message}$"):
        make(image, 10, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("family", "image"),
    [
        *(("resnet, basic", (1, 1, 1)), ("resnet, bottleneck", (1, 3, 1)), ("densenet", (8, 8, 1))),
        *(("inception-v4", (75, 75, 1)), ("googlenet", (1, 1, 1)), ("alexnet", (63, 63, 1)), ("vgg", (32, 32, 1))),
        *(("mobilenet-v1", (1, 1, 1)), ("mobilenet-v2", (1, 1, 1)), ("vit", (8, 8, 1))),
    ],
)
def test_the_smallest_image_leaves_pixels_to_the_end(family, image):
    """An average over no pixels is NaN, and a dense layer of no inputs is no layer."""
    make, _ = VARIANTS[family]
    model = tracing.abstract(lambda rngs: make(image, 10, rngs=rngs))
    equations = tracing.equations(tracing.traced(model, (1, *image)))
    shapes = [var.aval.shape for equation in equations for var in equation.outvars]  # pyright: ignore[reportAttributeAccessIssue]  # arrays all
    assert all(0 not in shape for shape in shapes)


@pytest.mark.parametrize("family", ["alexnet", "vgg", "googlenet"])
def test_dropout_is_at_work_in_training_alone(family):
    make, shape = VARIANTS[family]
    model = tracing.abstract(lambda rngs: make(shape, 4, rngs=rngs))
    assert "random_bits" not in operations(model, shape)
    model.train()
    assert "random_bits" in operations(model, shape)


def operations(model: nnx.Module, shape: Sequence[int]) -> set[str]:
    return {equation.primitive.name for equation in tracing.equations(tracing.traced(model, (1, *shape)))}
