"""Every network on images of CIFAR-10's size, from shapes alone: none is compiled."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from jaxgrad.flax.tracing import write_quickly
from jaxgrad_models import INPUT_SHAPES, MODELS, PAPERS, TEXT, abstract, build
from jaxgrad_models.errors import BuildError
from tests.models import tracing

SHAPE = (32, 32, 3)
TOO_SMALL = {"alexnet": 63, "inception-v4": 75}
NAMES = [name for name in (*MODELS, *PAPERS) if name not in {*TOO_SMALL, *TEXT}]
# Those that are others, deeper: what is traced of the others is theirs too.
DEEPER = (
    *("resnet44", "resnet56", "resnet110", "resnet34", "resnet101", "resnet152"),
    *("densenet169", "densenet201", "densenet264", "vgg16", "vgg19", "vit-small"),
)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DEEPER])
def test_a_training_step_traces(name: str) -> None:
    """Gradients of every parameter, and the running statistics with them."""
    graph, params, rest = nnx.split(abstract(name, input_shape=SHAPE, classes=10), nnx.Param, ...)

    def loss(params: nnx.State, rest: nnx.State, images: jax.Array, labels: jax.Array) -> tuple[jax.Array, nnx.State]:
        model = nnx.merge(graph, params, rest, copy=True)
        write_quickly(model)
        losses = optax.softmax_cross_entropy_with_integer_labels(model(images), labels)
        return losses.mean(), nnx.state(model, nnx.Not(nnx.Param))

    images, labels = jax.ShapeDtypeStruct((2, *SHAPE), jnp.float32), jax.ShapeDtypeStruct((2,), jnp.int32)
    gradients, after = jax.eval_shape(jax.grad(loss, has_aux=True), params, rest, images, labels)
    shapes = [jax.tree.map(lambda leaf: leaf.shape, tree) for tree in (gradients, params, after, rest)]
    assert shapes[0] == shapes[1]
    assert shapes[2] == shapes[3]


@pytest.mark.parametrize("name", DEEPER)
def test_deeper_ones_are_built(name: str) -> None:
    model = abstract(name, input_shape=SHAPE, classes=7)
    assert tracing.parameters(model) > 10_000
    assert model.head.out_features == 7  # pyright: ignore[reportAttributeAccessIssue]  # all have one


@pytest.mark.parametrize(("name", "least"), TOO_SMALL.items())
def test_what_takes_no_such_images_says_so(name: str, least: int) -> None:
    with pytest.raises(BuildError, match=rf"^input_shape: got \(32, 32, 3\); {name} needs .* at least {least}$"):
        build(name, input_shape=SHAPE, classes=10, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("name", "kernel", "pixels"),
    [
        ("resnet50", (3, 3, 3, 64), 32),
        ("densenet121", (3, 3, 3, 64), 32),
        ("googlenet", (3, 3, 3, 64), 32),
        ("mobilenet-v1", (3, 3, 3, 32), 32),
        ("mobilenet-v2", (3, 3, 3, 32), 32),
        ("vit-tiny", (4, 4, 3, 192), 8),
    ],
)
def test_stems_of_networks_made_for_large_images_leave_the_pixels(
    name: str, kernel: tuple[int, ...], pixels: int
) -> None:
    """3x3 at a stride of 1, or patches of 4 pixels, whose result no pooling halves: the usual stems on CIFAR."""
    model = abstract(name, input_shape=SHAPE, classes=10)
    model.eval()
    equations = tracing.equations(tracing.traced(model, (1, *SHAPE)))
    shapes = [
        [var.aval.shape for var in (*equation.invars, *equation.outvars)]  # pyright: ignore[reportAttributeAccessIssue]  # arrays all
        for equation in equations
        if equation.primitive.name == "conv_general_dilated"
    ]
    images, stem, after = shapes[0]
    assert (images, stem, after[1:3]) == ((1, *SHAPE), kernel, (pixels, pixels))
    for next_in, *_ in shapes[1:2]:
        assert next_in[1:3] == (pixels, pixels)


def test_the_papers_images_are_no_small_ones() -> None:
    """Of 64 pixels and more all is as the papers have it."""
    for name in ("resnet50", "vit-tiny"):
        large, paper = (abstract(name, input_shape=shape, classes=10) for shape in ((64, 64, 3), INPUT_SHAPES[name]))
        stems = [model.patches if name == "vit-tiny" else model.stem for model in (large, paper)]  # pyright: ignore[reportAttributeAccessIssue]
        assert stems[0].kernel.shape == stems[1].kernel.shape
