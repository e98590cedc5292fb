"""ONNX files as networks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad.base.errors import InputError
from jaxgrad.flax import parameter_words, step_gemms
from jaxgrad.interop.onnx import read
from jaxgrad.networks.network import resolve
from tests.interop.onnx.models import evaluated, helper, onnx, save, weights
from tests.networks import onnx_models

IMAGES = np.random.default_rng(1).normal(size=(5, 8, 6, 3)).astype(np.float32)


def softmax(logits: Any) -> np.ndarray:
    return np.asarray(jax.nn.softmax(logits))


@pytest.mark.parametrize("norm", [False, True])
def test_it_computes_what_the_file_says_in_evaluation(tmp_path: Path, norm: bool) -> None:
    """From images with channels last; the logits are those before the file's last softmax."""
    file = onnx_models.write(tmp_path, (8, 6, 3), norm=norm)
    network = resolve(str(file))
    assert (network.name, network.input_shape, network.classes) == (file.stem, (8, 6, 3), 10)
    assert (network.source, network.options) == (file, ())
    model: Any = network.build(rngs=nnx.Rngs(0))
    model.eval()
    (expected,) = evaluated(file, x=np.moveaxis(IMAGES, -1, 1))
    logits = model(jnp.asarray(IMAGES))
    np.testing.assert_allclose(softmax(logits), expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(logits, expected, atol=0.1)


def test_batch_normalisation_trains_by_the_batch(tmp_path: Path) -> None:
    model: Any = resolve(str(onnx_models.write(tmp_path, (8, 6, 3), norm=True))).build(rngs=nnx.Rngs(0))
    before = nnx.clone(model)
    model(jnp.asarray(IMAGES))
    statistics = [which.norm for which in (before, model)]
    conv = getattr(model, "conv.Conv")
    y = jax.lax.conv_general_dilated(jnp.moveaxis(IMAGES, -1, 1), conv["weight"][...], (1, 1), ((1, 1), (1, 1))) + conv[
        "bias"
    ][...].reshape(1, -1, 1, 1)
    for name, now in (("mean", y.mean((0, 2, 3))), ("var", y.var((0, 2, 3)))):
        old, new = (part[name][...] for part in statistics)
        np.testing.assert_allclose(new, 0.8 * old + 0.2 * now, rtol=1e-4, atol=1e-6)


def test_layers_have_the_names_of_nodes_and_hold_their_weights(tmp_path: Path) -> None:
    model = resolve(str(onnx_models.write(tmp_path, (8, 6, 3), norm=True))).abstract()
    gemms = step_gemms(model, jax.ShapeDtypeStruct((5, 8, 6, 3), jnp.float32))
    assert [gemm.path for gemm in gemms] == ["conv.Conv", "dense", "head"]
    words = parameter_words(model)
    assert words["dense.weight"] == 32 * 4 * 3 * 8
    assert {path.rpartition(".")[0] for path in words} == {"conv.Conv", "norm", "dense", "head"}


def test_images_may_be_flat_or_have_channels_last(tmp_path: Path) -> None:
    """The file's axes tell; where they leave it open, channels come first."""
    flat = [helper.make_node("MatMul", ["x", "w"], ["y"], "fit")]
    file = save(tmp_path, flat, [weights("w", 8 * 6 * 3, 4)], {"x": ("n", 8 * 6 * 3)})
    assert resolve(str(file)).input_shape is None
    assert resolve(str(file)).abstract(input_shape=(8, 6, 3), classes=4)
    pooled = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1, 2], keepdims=0)]
    (tmp_path / "last").mkdir()
    last = resolve(str(save(tmp_path / "last", pooled, [], {"x": ("n", 8, 6, 3)}))).build(classes=3, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(last(jnp.asarray(IMAGES)), IMAGES.mean((1, 2)), rtol=1e-5, atol=1e-6)  # pyright: ignore[reportCallIssue]
    (tmp_path / "open").mkdir()
    pooled = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    open_axes = resolve(str(save(tmp_path / "open", pooled, [], {"x": ("n", "c", "h", "w")})))
    model = open_axes.build(input_shape=(8, 6, 3), classes=3, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(model(jnp.asarray(IMAGES)), IMAGES.mean((1, 2)), rtol=1e-5, atol=1e-6)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("name", ["squeezenet", "zfnet512", "bvlc_alexnet"])
def test_published_networks_have_the_gemms_that_are_read_off_their_files(name: str) -> None:
    """Two readings of one file: run by JAX and traced, and by the operators' rules alone."""
    file = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"
    network = resolve(str(file))
    assert (network.input_shape, network.classes) == ((224, 224, 3), 1000)
    gemms = step_gemms(network.abstract(), jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32))
    assert [(gemm.gemm, gemm.times) for gemm in gemms] == [(gemm.gemm, gemm.times) for gemm in read(file).gemms]


def refusal(reference: str, **sizes: Any) -> str:
    with pytest.raises(InputError) as refused:
        resolve(reference, "network").abstract(**sizes)
    return str(refused.value)


def test_what_is_no_classifier_is_refused_in_one_line(tmp_path: Path) -> None:
    file = str(onnx_models.write(tmp_path))
    assert refusal(file, input_shape=(8, 8, 3)) == (
        f"network: got '{file}', which can't be built for images of 8x8x3 (ShapeMismatch: its images are 1x8x8); "
        "give a network that can be built"
    )
    assert re.fullmatch(
        f"network: got '{file}', which maps 2 images of 8x8x1 to shape \\(2, 10\\); .*here \\(2, 3\\)",
        refusal(file, classes=3),
    )
    assert refusal("none.onnx") == (
        f"network: got 'none.onnx': No such file or directory in {Path.cwd()}; give a file that can be read"
    )
    (tmp_path / "text.onnx").write_text("no model")
    assert re.fullmatch(
        f"network: got '{tmp_path}/text.onnx', which is no ONNX model .*", refusal(f"{tmp_path}/text.onnx")
    )
    odd = [helper.make_node("Det", ["x"], ["d"]), helper.make_node("LSTM", ["d", "w", "w"], ["y"], hidden_size=1)]
    assert refusal(str(save(tmp_path, odd, [weights("w", 1, 4, 1)], {"x": (2, 3, 3)}))) == (
        f"network: got '{tmp_path}/model.onnx', which has Det, LSTM, which can't be run here; "
        "give one of other operators"
    )
    two = [helper.make_node("Add", ["a", "b"], ["y"])]
    assert refusal(str(save(tmp_path, two, [], {"a": (2, 3), "b": (2, 3)}))) == (
        f"network: got '{tmp_path}/model.onnx', which has 2 inputs and 1 outputs; give one with one of each"
    )
