"""Networks by the text that names them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxgrad_models
from jaxgrad.base.errors import InputError
from jaxgrad.flax import step_gemms
from jaxgrad.networks.network import resolve
from tests.networks import own

SHAPE = (4, 4, 1)


def gemms(model: nnx.Module, shape: tuple[int, int, int] = SHAPE) -> list[tuple[int, ...]]:
    """Sizes of the model's GEMMs for five images."""
    images = jax.ShapeDtypeStruct((5, *shape), jnp.float32)
    return [(gemm.gemm.batch, gemm.gemm.in_features, gemm.gemm.out_features) for gemm in step_gemms(model, images)]


def test_a_name_is_that_of_the_models() -> None:
    network = resolve("mlp")
    assert (network.name, network.own, network.input_shape) == ("mlp", False, None)
    assert network.options == jaxgrad_models.options_of("mlp")
    assert gemms(network.abstract(input_shape=SHAPE, classes=3, hidden=(6,))) == [(5, 16, 6), (5, 6, 3)]
    same = jaxgrad_models.build("mlp", input_shape=SHAPE, classes=3, rngs=nnx.Rngs(1), hidden=(6,))
    built = network.build(input_shape=SHAPE, classes=3, rngs=nnx.Rngs(1), hidden=(6,))
    np.testing.assert_array_equal(*(jax.tree.leaves(nnx.state(model))[0] for model in (same, built)))


def test_a_class_a_factory_and_a_partial_get_what_they_name(tmp_path: Path) -> None:
    file = own.write(tmp_path)
    for name, width in (("Net", 8), ("factory", 8), ("narrow", 2)):
        network = resolve(f"{file}:{name}")
        assert (network.name, network.own, network.source) == (f"my_net.{name}", True, file)
        assert gemms(network.abstract(input_shape=SHAPE, classes=3)) == [(5, 16, width), (5, width, 3)]


def test_options_are_what_is_left_to_give_by_keyword(tmp_path: Path) -> None:
    file = own.write(tmp_path)
    assert [resolve(f"{file}:{name}").options for name in ("Net", "factory", "narrow")] == [("hidden",), (), ()]
    assert gemms(resolve(f"{file}:Net").abstract(input_shape=SHAPE, classes=3, hidden=(7,))) == [(5, 16, 7), (5, 7, 3)]
    with pytest.raises(InputError, match=r"^hidden: got \(7,\); .*my_net.py:factory has none: leave it out"):
        resolve(f"{file}:factory").abstract(input_shape=SHAPE, hidden=(7,))


def test_what_it_says_of_itself_counts_where_nothing_else_is_said(tmp_path: Path) -> None:
    network = resolve(f"{own.write(tmp_path)}:Fixed")
    assert (network.input_shape, network.classes) == ((4, 4, 1), 3)
    assert gemms(network.abstract()) == [(5, 16, 3)]


def test_weights_are_those_of_the_seed(tmp_path: Path) -> None:
    network = resolve(f"{own.write(tmp_path)}:Fixed")
    one, two, other = (network.build(rngs=nnx.Rngs(seed)) for seed in (3, 3, 4))
    kernels: list[Any] = [np.asarray(model.head.kernel[...]) for model in (one, two, other)]  # pyright: ignore[reportAttributeAccessIssue]  # the file's class has one
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_the_same_network_until_its_file_changes(tmp_path: Path) -> None:
    """A step is compiled for a class; one that is made anew would compile it again."""
    file = own.write(tmp_path)
    before = resolve(f"{file}:Fixed")
    assert resolve(f"{file}:Fixed") is before
    own.write(tmp_path, own.SMALL.replace("(4, 4, 1)", "(8, 2, 1)"))
    os.utime(file, ns=(1, 1))
    assert resolve(f"{file}:Fixed").input_shape == (8, 2, 1)


def test_what_a_file_prints_is_no_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = own.SMALL.replace("height, width,", "print('built'); height, width,")
    resolve(f"{own.write(tmp_path, 'print(1)' + code)}:Net").abstract(input_shape=SHAPE)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.split() == ["1", "built"]


BAD = """
import sys
from flax import nnx

value, module = 3, nnx.Linear(1, 1, rngs=nnx.Rngs(0))


class Shaped(nnx.Module):
    input_shape = (4, 4)


class Classed(nnx.Module):
    classes = 0


class Wide(nnx.Module):
    def __init__(self, rngs):
        self.head = nnx.Linear(16, 7, rngs=rngs)

    def __call__(self, images):
        return self.head(images.reshape(len(images), -1))


class Flat(Wide):
    def __call__(self, images):
        return super().__call__(images), 1


class Mute(nnx.Module):
    pass


def needs(input_shape, width, depth): ...


def nothing(rngs): ...


def fails(rngs):
    raise RuntimeError("no\\nway")


def leaves(rngs):
    sys.exit(3)
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "value",
            "which is a int; give an NNX class, a function that returns a module, or a JAX .* init",
        ),
        ("module", "which is a Linear; give an NNX class, a function .*"),
        ("Shaped", r"whose input_shape is \(4, 4\); have it \(height, width, channels\)"),
        ("Classed", "whose classes is 0; have it a whole number of at least 1"),
        (
            "needs",
            "which also needs width and depth; have it need at most input_shape, classes and rngs; .*",
        ),
        ("nothing", "which gives a NoneType and no Flax NNX module to call; .*"),
        ("Mute", "which gives a Mute and no Flax NNX module to call; .*"),
        ("fails", r"which can't be built for images of 4x4x1 \(RuntimeError: no way\); .*"),
        ("leaves", r"which can't be built for images of 4x4x1 \(SystemExit: 3\); .*"),
        (
            "Wide",
            r"which maps 2 images of 4x4x1 to shape \(2, 7\); give .* to \[batch, .*, here \(2, 3\)",
        ),
        ("Flat", r"which maps 2 images of 4x4x1 to a tuple; .*"),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(tmp_path: Path, name: str, message: str) -> None:
    path = own.write(tmp_path, BAD)
    with pytest.raises(InputError) as refused:
        resolve(f"{path}:{name}", "network").abstract(input_shape=SHAPE, classes=3)
    line = f"network: got '{path}:{name}', {message}"
    assert re.fullmatch(line, str(refused.value))


def test_images_that_it_does_not_take_are_named(tmp_path: Path) -> None:
    message = r"^model: got '.*:Fixed', which fails on images of 8x8x1 \(TypeError: .*\); give one that takes them"
    with pytest.raises(InputError, match=message):
        resolve(f"{own.write(tmp_path)}:Fixed").build(input_shape=(8, 8, 1), rngs=nnx.Rngs(0))


def test_without_any_image_shape_there_is_none() -> None:
    with pytest.raises(InputError, match=r"^input_shape: got None; mlp has no images of its own, give \(height"):
        resolve("mlp").abstract()
