from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import jaxgrad_models
from jaxgrad.array.counts import CYCLES, STALLS
from jaxgrad.array.emulation import Emulation
from jaxgrad.base.files import write_text
from jaxgrad.costs import LayerCost, step_cost
from jaxgrad.flax import layer_gemms, parameter_words
from jaxgrad.hardware import Accelerator
from jaxgrad.interop import astrasim
from tests.refusals import Refusal, assert_refused
from tests.reports.costs import cost


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()[2:]]


def test_the_format_as_chakra_s_converter_reads_it() -> None:
    text = astrasim.workload(cost(3), "sequential", clock_ghz=1.0)
    head = text.splitlines()[:2]
    assert head == ["DATA", "3"]
    for name, reserved, *columns in rows(text):
        assert name.startswith("blocks.")
        assert reserved == "-1"
        assert [columns[index] for index in (1, 4)] == ["NONE", "NONE"]
        assert columns[7] == "ALLREDUCE"
        assert all(int(columns[index]) >= 0 for index in (0, 2, 3, 5, 6, 8, 9))
        assert len(columns) == 10


@pytest.mark.parametrize("schedule", ["interleaved", "sequential", "ws_only", "os_only"])
def test_times_are_the_cost_s_cycles_at_the_clock(schedule: str) -> None:
    own = cost(3)
    text = astrasim.workload(own, schedule, clock_ghz=0.5, update_words_per_cycle=10, word_bytes=2)
    for layer, row in zip(own.layers, rows(text), strict=True):
        assert int(row[2]) == 2 * layer.forward[CYCLES]
        assert int(row[5]) + int(row[8]) == 2 * layer.backward[schedule][CYCLES]
        assert (int(row[5]) > 0) == (schedule != "interleaved" and layer.needs_dx)
        gemm = layer.gemms[0].gemm
        weights = gemm.in_features * gemm.out_features
        assert int(row[10]) == 2 * weights
        assert int(row[11]) == 2 * math.ceil(weights / 10)


def test_a_clock_a_thousand_times_as_fast_gives_microseconds_rounded_up() -> None:
    """For Chakra's converter, which hands the times on as microseconds."""
    own = cost(3)
    text = astrasim.workload(own, "sequential", clock_ghz=0.004 * 1000)
    for layer, row in zip(own.layers, rows(text), strict=True):
        assert int(row[2]) == math.ceil(layer.forward[CYCLES] / 4)  # 4 cycles a microsecond


def test_weights_of_a_network_are_exchanged_once_each() -> None:
    """LeNet's, and a depthwise network's, whose groups have weights of their own."""
    for name, shape in (("lenet", (32, 32, 1)), ("mobilenet-v1", (224, 224, 3))):
        model = jaxgrad_models.abstract(name, input_shape=shape, classes=10)
        gemms = layer_gemms(model, jax.ShapeDtypeStruct((2, *shape), jnp.float32))
        own = step_cost(gemms, Emulation(Accelerator(8, 8)), ("sequential",))
        exchanged = sum(int(row[10]) for row in rows(astrasim.workload(own, "sequential", clock_ghz=1, word_bytes=1)))
        assert exchanged == sum(math.prod(leaf.shape) for leaf in kernels(model))


def kernels(model: object) -> list[jax.Array]:
    leaves = jax.tree.leaves_with_path(model)
    return [leaf for path, leaf in leaves if "kernel" in jax.tree_util.keystr(path)]


@pytest.mark.parametrize(
    ("name", "shape"),
    [("lenet", (8, 8, 1)), ("resnet20", (32, 32, 3)), ("mobilenet-v1", (32, 32, 3)), ("vit-tiny", (32, 32, 3))],
)
def test_every_parameter_is_exchanged_once(name: str, shape: tuple[int, int, int]) -> None:
    """Biases, norms, embeddings of places and the class token too."""
    model = jaxgrad_models.abstract(name, input_shape=shape, classes=10)
    gemms = layer_gemms(model, jax.ShapeDtypeStruct((2, *shape), jnp.float32))
    own = step_cost(gemms, Emulation(Accelerator(8, 8)), ("sequential",))
    text = astrasim.workload(own, "sequential", clock_ghz=1, word_bytes=4, parameters=parameter_words(model))
    sizes = [leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))]
    assert sum(int(row[10]) for row in rows(text)) == 4 * sum(sizes)
    assert sum(sizes) > sum(leaf.size for leaf in kernels(model))


def test_a_parameter_goes_with_the_layer_that_shares_most_of_its_path() -> None:
    own = cost(2)
    frozen = replace(own.layers[0], gemms=tuple(replace(gemm, needs_dw=False) for gemm in own.layers[0].gemms))
    parameters = {
        "blocks.0.conv.kernel": 1,
        "blocks.0.conv.bias": 2,
        "blocks.0.norm.scale": 4,
        "blocks.1.conv.kernel": 8,
        "blocks.1.norm.bias": 16,
        "token": 32,
    }

    def exchanged(layers: tuple[LayerCost, ...]) -> list[list[str]]:
        of = replace(own, layers=layers)
        text = astrasim.workload(of, "sequential", clock_ghz=1, parameters=parameters)
        return [row[9:11] for row in rows(text)]

    assert exchanged(own.layers) == [["ALLREDUCE", str(4 * 39)], ["ALLREDUCE", str(4 * 24)]]
    assert exchanged((frozen, own.layers[1])) == [["NONE", "0"], ["ALLREDUCE", str(4 * 60)]]
    activations = replace(frozen, gemms=tuple(replace(gemm, weights=False) for gemm in frozen.gemms))
    assert exchanged((activations, own.layers[1])) == [["NONE", "0"], ["ALLREDUCE", str(4 * 63)]]


def test_frozen_weights_are_not_exchanged() -> None:
    own = cost(2)
    frozen = replace(own.layers[0], gemms=tuple(replace(gemm, needs_dw=False) for gemm in own.layers[0].gemms))
    text = astrasim.workload(replace(own, layers=(frozen, own.layers[1])), "sequential", clock_ghz=1)
    assert [row[9] for row in rows(text)] == ["NONE", "ALLREDUCE"]


def test_waiting_for_memory_takes_time_too() -> None:
    own = cost(1)
    (layer,) = own.layers
    waiting = {name: {**counts, STALLS: 5} for name, counts in layer.phases["sequential"].items()}
    stalled = replace(own, layers=(replace(layer, phases={"sequential": waiting}),))
    with_stalls, without = (astrasim.workload(each, "sequential", clock_ghz=1) for each in (stalled, own))
    assert int(rows(with_stalls)[0][2]) == int(rows(without)[0][2]) + 5


def test_written_as_it_is(tmp_path: Path) -> None:
    text = astrasim.workload(cost(1), "sequential", clock_ghz=1)
    assert write_text(tmp_path / "workload.txt", text).read_text() == text


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(lambda: astrasim.workload(cost(1), "auto", clock_ghz=1), "schedule", "auto", "sequential"),
        Refusal(lambda: astrasim.workload(cost(1), "sequential", clock_ghz=0), "clock_ghz", "0", "above 0"),
        Refusal(
            lambda: astrasim.workload(cost(1), "sequential", clock_ghz=1, word_bytes=0), "word_bytes", "0", "at least 1"
        ),
        Refusal(
            lambda: astrasim.workload(replace(cost(1), steps=3), "sequential", clock_ghz=1), "cost", "3 steps", "one"
        ),
    ],
)
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)
