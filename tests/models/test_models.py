from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxgrad_models import MODELS, TEXT, build
from jaxgrad_models.lenet import LeNet

IMAGES = [name for name in MODELS if name not in TEXT]
SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3)]


def abstract(name: str, input_shape: tuple[int, int, int], classes: int = 10) -> nnx.Module:
    """The model in shapes alone, which spares the initialisation."""
    return nnx.eval_shape(lambda: build(name, input_shape=input_shape, classes=classes, rngs=nnx.Rngs(0)))


def parameters(model: nnx.Module) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def layers(model: nnx.Module, kind: type) -> int:
    return sum(isinstance(module, kind) for _, module in nnx.iter_modules(model))


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("input_shape", SHAPES)
def test_every_model_gives_a_logit_a_class_for_every_data_set(name, input_shape):
    images = jax.ShapeDtypeStruct((3, *input_shape), jnp.float32)
    logits = nnx.eval_shape(lambda model, x: model(x), abstract(name, input_shape, classes=7), images)
    assert logits.shape == (3, 7)
    assert logits.dtype == jnp.float32


@pytest.mark.parametrize(
    ("name", "input_shape", "expected"),
    [
        ("mlp", (28, 28, 1), 784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10),
        # LeNet-5's 61,706 (in its fully connected form), and the wider first dense layer that padding conv2 brings
        ("lenet", (28, 28, 1), 61_706 + (7 * 7 - 5 * 5) * 16 * 120),
        ("resnet20", (32, 32, 3), 269_722),
        ("irnn", (28, 28, 1), 28 * 100 + 100 * 100 + 100 + 100 * 10 + 10),
    ],
)
def test_parameter_counts_are_the_published_ones(name, input_shape, expected):
    assert parameters(abstract(name, input_shape)) == expected


@pytest.mark.parametrize(
    ("name", "convolutions", "dense", "norms"),
    [("mlp", 0, 3, 0), ("lenet", 2, 3, 0), ("resnet20", 19, 1, 19), ("irnn", 0, 3, 0)],
)
def test_layer_counts(name, convolutions, dense, norms):
    model = abstract(name, (32, 32, 3))
    assert (layers(model, nnx.Conv), layers(model, nnx.Linear), layers(model, nnx.BatchNorm)) == (
        convolutions,
        dense,
        norms,
    )


@pytest.mark.parametrize("name", [name for name in IMAGES if name != "irnn"])  # its own test has it
def test_the_loss_goes_down(name):
    model = build(name, input_shape=(8, 8, 1), classes=4, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.sgd(0.05, momentum=0.9), wrt=nnx.Param)
    images = jax.random.uniform(jax.random.key(1), (16, 8, 8, 1))
    labels = jnp.arange(16) % 4

    @nnx.jit
    def step(model, optimizer):
        def loss(model):
            return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

        value, gradients = nnx.value_and_grad(loss)(model)
        optimizer.update(model, gradients)
        return value

    losses = [float(step(model, optimizer)) for _ in range(15)]
    assert losses[-1] < 0.7 * losses[0]


def test_every_parameter_gets_a_gradient():
    """No layer is left out of the path from the image to the logits."""
    for name in IMAGES:
        model = build(name, input_shape=(8, 8, 1), classes=4, rngs=nnx.Rngs(0))
        images = jax.random.normal(jax.random.key(1), (4, 8, 8, 1))
        weights = jax.random.normal(jax.random.key(2), (4, 4))
        gradients = nnx.jit(nnx.grad(lambda m, x=images, w=weights: (m(x) * w).sum()))(model)
        for path, leaf in jax.tree.leaves_with_path(gradients):
            assert jnp.any(leaf != 0), (name, jax.tree_util.keystr(path))


def test_the_same_seed_builds_the_same_model():
    one, two, other = (LeNet((8, 8, 1), 4, rngs=nnx.Rngs(seed)) for seed in (3, 3, 4))
    same = jax.tree.map(lambda a, b: bool((a == b).all()), nnx.state(one), nnx.state(two))
    assert all(jax.tree.leaves(same))
    assert not np.array_equal(np.asarray(one.conv1.kernel[...]), np.asarray(other.conv1.kernel[...]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "vgg"}, r"model: got 'vgg'; choose one of mlp, lenet, resnet20, .*, vgg16, .*"),
        ({"input_shape": (8, 8)}, r"input_shape: got \(8, 8\); give \(height, width, channels\), each at least 1"),
        ({"input_shape": (8, 0, 1)}, r"input_shape: got \(8, 0, 1\); give .*"),
        ({"input_shape": (8, 8.5, 1)}, r"input_shape: got \(8, 8.5, 1\); give .*"),
        ({"input_shape": (3, 8, 1)}, r"input_shape: got \(3, 8, 1\); lenet needs height and width of at least 4"),
        ({"classes": 0}, r"classes: got 0; give a whole number of at least 1"),
        ({"classes": True}, r"classes: got True; give a whole number of at least 1"),
        ({"hidden": [3]}, r"hidden: got \[3\]; lenet has no options: leave it out"),
        ({"name": "resnet20", "blocks": 5}, r"blocks: got 5; resnet20 has no options: leave it out"),
        ({"name": "mlp", "width": 3}, r"width: got 3; mlp takes hidden, batch_norm, kernel_init, activation"),
        ({"name": "mlp", "kernel_init": "ones"}, r"kernel_init: got 'ones'; choose one of he_normal, lecun_normal"),
        ({"name": "mlp", "activation": "gelu"}, r"activation: got 'gelu'; choose one of relu, tanh"),
        ({"name": "transformer-lm"}, r"input_shape: got \(8, 8, 1\); give \(tokens,\), at least 1"),
        ({"name": "mlp", "hidden": [3, 0]}, r"hidden: got \[3, 0\]; give the width of each hidden layer, .*"),
    ],
)
def test_bad_input_is_refused_in_one_line(changed, message):
    arguments = {"name": "lenet", "input_shape": (8, 8, 1), "classes": 10, "rngs": nnx.Rngs(0)} | changed
    with pytest.raises(ValueError, match=f"^{message}$"):
        build(**arguments)


def test_listing_the_models_imports_neither_jax_nor_jaxgrad():
    code = "import sys, jaxgrad_models; print(*jaxgrad_models.MODELS, {'jax', 'flax', 'jaxgrad'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["mlp", "lenet", "resnet20", "irnn", "transformer-lm", "set()"]
