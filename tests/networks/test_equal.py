"""One network by each kind of text: the same GEMMs, and the same training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxgrad.flax import step_gemms
from jaxgrad.networks.network import resolve
from jaxgrad.training import data
from jaxgrad.training.config import Override
from jaxgrad.training.config import resolve as configured
from jaxgrad.training.job import Job, prepare
from tests.command import ROOT
from tests.networks import onnx_models

EXAMPLE = ROOT / "examples" / "my_net.py"
NARROW = """

def narrow(rngs, input_shape, classes):
    return Net(input_shape, classes, rngs=rngs)
"""
FACTORY = """
from jaxgrad_models import build


def make(input_shape, classes, rngs):
    return build("mlp", input_shape=input_shape, classes=classes, hidden=(8,), rngs=rngs)
"""


def job(model: str, **settings: Any) -> Job:
    values = {"model.name": model, "data.batch_size": 32, **settings}
    return prepare(configured(None, [Override(key, value, f"--set {key}") for key, value in values.items()]))


def test_a_class_a_function_that_builds_a_jax_function_and_an_onnx_file_have_the_same_gemms(tmp_path: Path) -> None:
    shape, images = (8, 8, 1), jax.ShapeDtypeStruct((5, 8, 8, 1), jnp.float32)
    (tmp_path / "factory.py").write_text(EXAMPLE.read_text() + NARROW)
    references = [f"{EXAMPLE}:Net", f"{tmp_path / 'factory.py'}:narrow", f"{EXAMPLE}:plain"]
    found, layers = [], []
    for reference in (*references, str(onnx_models.write(tmp_path))):
        gemms = step_gemms(resolve(reference).abstract(input_shape=shape), images)
        layers.append([gemm.path for gemm in gemms])
        found.append([(gemm.gemm, gemm.needs_dx, gemm.needs_dw, gemm.weights) for gemm in gemms])
    assert [gemm.macs for gemm, *_ in found[0]] == [5 * 64 * 9 * 8, 5 * 128 * 32, 5 * 32 * 10]
    assert found[1:] == [found[0]] * 3
    assert layers == [["conv", "dense", "head"]] * 3 + [["conv.Conv", "dense", "head"]]


def test_a_file_s_network_trains_bit_for_bit_as_the_named_one(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FACTORY)
    ends = []
    for model, settings in (("mlp", {"model.hidden": [8]}), (f"{tmp_path / 'own.py'}:make", {})):
        made = job(model, **settings)
        state = made.trainer.initial
        for images, labels in list(data.batches(made.dataset, 32, 0, 0))[:2]:
            state = made.trainer.step(state, images, labels)
        ends.append(state)
    named, own = (jax.tree.leaves((state.params, state.counters)) for state in ends)
    for one, other in zip(named, own, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["function", "onnx"])
def test_other_kinds_train(tmp_path: Path, kind: str) -> None:
    """All their weights move, from those of the seed or of the file, and the loss of a batch falls."""
    reference = f"{EXAMPLE}:plain" if kind == "function" else str(onnx_models.write(tmp_path, norm=True))
    made = job(reference, **{"optimizer.name": "sgd", "optimizer.learning_rate": 0.1})
    images, labels = next(data.batches(made.dataset, 32, 0, 0))
    state, losses = made.trainer.initial, []
    for _ in range(3):
        after = made.trainer.step(state, images, labels)
        losses.append(float(after.sums.loss - state.sums.loss) / 32)
        state = after
    moved = jax.tree.map(lambda old, new: bool((old != new).any()), made.trainer.initial.params, state.params)
    assert all(jax.tree.leaves(moved))
    assert losses[2] < losses[0]
    assert state.cycles() > 0


def test_the_example_takes_its_options() -> None:
    network = resolve(f"{EXAMPLE}:plain")
    assert (network.name, network.options) == ("my_net.plain", ("hidden",))
    model: Any = network.build(input_shape=(4, 4, 1), classes=3, rngs=nnx.Rngs(0), hidden=(5,))
    assert model.head["kernel"].shape == (5, 3)
