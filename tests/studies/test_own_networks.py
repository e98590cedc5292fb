"""Networks of the user's own in experiments of every kind and in design spaces, and what the store tells apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import jaxgrad_models
from jaxgrad.array.counts import CYCLES
from jaxgrad.base.errors import InputError
from jaxgrad.designs import schema as designs
from jaxgrad.flax import step_gemms
from jaxgrad.programs import LayerGemm
from jaxgrad.studies import compute, points, schema
from jaxgrad.studies.design_sweep import SweepWork
from jaxgrad.studies.learning import points as learning_points
from jaxgrad.studies.learning import schema as learning
from jaxgrad.studies.memory import points as memory_points
from jaxgrad.studies.memory import schema as memory
from jaxgrad.studies.pipelines import points as pipeline_points
from jaxgrad.studies.pipelines import schema as pipelines
from jaxgrad.studies.store import Store
from tests.networks import own
from tests.studies.cases import tree, write
from tests.studies.learning.cases import tree as learning_tree
from tests.studies.memory.cases import tree as memory_tree
from tests.studies.pipelines.cases import tree as pipelines_tree

BATCH, SHAPE, CLASSES = 3, [2, 3, 1], 4
MINE = {"model": "my_net.py:Net", "input_shape": SHAPE, "classes": CLASSES, "name": "mine"}
"""A perceptron 6-8-4, which is ``mlp`` of that width."""


def gemms_of_mlp(width: int = 8) -> list[LayerGemm]:
    sizes = {"input_shape": SHAPE, "classes": CLASSES, "hidden": [width]}
    model = jaxgrad_models.build("mlp", rngs=_rngs(), **sizes)
    return step_gemms(model, jax.ShapeDtypeStruct((BATCH, *SHAPE), jnp.float32))


def _rngs() -> Any:
    from flax import nnx

    return nnx.Rngs(0)


def sizes_of(gemms: list[LayerGemm]) -> list[tuple[Any, bool]]:
    return [(gemm.gemm, gemm.needs_dx) for gemm in gemms]


def expanded(folder: Path, network: Any = MINE) -> list[points.Point]:
    changes = {"workload": {"networks": [network], "batch": BATCH}, "sweep": None, "published": None}
    file = write(folder, tree(**changes))
    return points.expand(schema.load(file), file)


def test_an_experiment_costs_it_and_its_changed_file_anew(tmp_path: Path) -> None:
    """The file is seen from the folder of the experiment, and what it says is part of the result's address."""
    store, folder = Store(tmp_path / "store"), tmp_path / "there"
    folder.mkdir()
    own.write(folder)
    point = expanded(folder)[0]
    assert point.network == "mine"
    asked = compute.demand(point.spec, store, point.folder)
    assert sizes_of(asked.gemms) == sizes_of(gemms_of_mlp())
    first = compute.compute(point, store)
    address = store.path("points", point.spec)
    own.write(folder, own.SMALL.replace("hidden=(8,)", "hidden=(80,)"))
    changed = expanded(folder)[0]
    assert store.path("points", changed.spec) != address
    assert sizes_of(compute.demand(changed.spec, store, changed.folder).gemms) == sizes_of(gemms_of_mlp(80))
    assert compute.compute(changed, store).select("step").counts[CYCLES] > first.select("step").counts[CYCLES]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    own.write(elsewhere)
    assert store.path("points", expanded(elsewhere)[0].spec) == address
    with pytest.raises(InputError, match=r"^workload\.networks\.0 in .*small\.toml: got .*; .* has no Nett$"):
        expanded(folder, {**MINE, "model": "my_net.py:Nett"})


def test_an_onnx_file_is_a_network_too(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from tests.networks import onnx_models

    onnx_models.write(tmp_path, (4, 4, 1))
    point = expanded(tmp_path, "net.onnx")[0]
    assert point.network == "net"
    gemms = compute.demand(point.spec, Store(tmp_path / "store"), point.folder).gemms
    # A convolution of 3 x 3 on 4 x 4 pixels, and dense layers of a map of 2 x 2.
    assert [tuple(gemm.gemm.sizes.values()) for gemm in gemms] == [
        (BATCH * 16, 9, 8), (BATCH, 2 * 2 * 8, 32), (BATCH, 32, 10),
    ]  # fmt: skip
    onnx_models.write(tmp_path, (4, 6, 1))
    assert expanded(tmp_path, "net.onnx")[0].spec != point.spec


def test_its_zeros_are_those_of_a_training_run(tmp_path: Path) -> None:
    own.write(tmp_path)
    trained = {"model": "my_net.py:Net", "epochs": 1}
    file = write(tmp_path, tree(workload={"batch": 256}, trained=trained, sweep=None, published=None))
    point = points.expand(schema.load(file), file)[0]
    assert point.network == "my_net.Net"
    asked = compute.demand(point.spec, Store(tmp_path / "store"), point.folder)
    assert [tuple(gemm.gemm.sizes.values()) for gemm in asked.gemms] == [(256, 64, 8), (256, 8, 10)]
    assert all(0 < some < of for (some, of), _ in asked.effectual.values())
    own.write(tmp_path, own.SMALL + "\n# another\n")
    assert points.expand(schema.load(file), file)[0].spec["trained"] != point.spec["trained"]
    write(tmp_path, tree(workload={"batch": 256}, trained={"model": "my_net.py:Fixed"}, sweep=None, published=None))
    with pytest.raises(InputError, match=r"^trained\.model in .*small\.toml: got .*, which fails on images of 8x8x1"):
        points.expand(schema.load(file), file)


def test_a_design_space_sweeps_it(tmp_path: Path) -> None:
    own.write(tmp_path)
    file = write(
        tmp_path, {"workload": {"networks": [MINE, "lenet"], "batch": [BATCH]}, "space": {"rows": [4], "cols": [4, 5]}}
    )
    work = SweepWork(designs.load(file), file, Store(tmp_path / "store"))
    mine, lenet = work.parts
    assert (mine.network, lenet.network) == ("mine", "lenet")
    assert lenet.workload == {"network": "lenet"}
    assert sizes_of(work.gemms(mine)) == sizes_of(gemms_of_mlp())
    assert work.compute(mine)["network"] == ["mine"] * 2
    before = work.spec(mine)
    own.write(tmp_path, own.SMALL + "\n# another\n")
    again = SweepWork(designs.load(file), file, Store(tmp_path / "store"))
    assert again.spec(again.parts[0]) != before
    with pytest.raises(InputError, match=r"workload\.networks in F: got 'mine' twice"):
        designs.check({"workload": {"networks": [MINE, MINE]}, "space": {"rows": [4], "cols": [4]}}, "F")


def test_pipelines_divide_it(tmp_path: Path) -> None:
    own.write(tmp_path)
    file = write(tmp_path, pipelines_tree() | {"workload": {"networks": [MINE], "batch": 4}, "published": []})
    (point,) = pipeline_points.expand(pipelines.load(file), file)
    samples = pipeline_points.compute(point)
    macs = 4 * (2 * 6 * 8 + 3 * 8 * 4)  # the first layer has no dX
    assert point.network == "mine"
    assert {sample.single for sample in samples if sample.variant == 0} == {macs}


def test_what_it_stores_is_told(tmp_path: Path) -> None:
    own.write(tmp_path)
    content = memory_tree() | {"published": []}
    content["network"][0] = {**MINE, "options": {"hidden": [7]}}
    file = write(tmp_path, content)
    mine, maps = memory_points.expand(memory.load(file), file)
    assert memory_points.compute(mine).inputs == [[6, 1], [7, 1]]
    assert "source" not in maps.spec
    own.write(tmp_path, own.SMALL + "\n# another\n")
    assert memory_points.expand(memory.load(file), file)[0].spec != mine.spec


def test_it_is_trained(tmp_path: Path) -> None:
    own.write(tmp_path)
    content = learning_tree() | {"variant": [{"name": "plain"}], "published": [], "seeds": [0]}
    content["training"]["model"] = {"name": "my_net.py:Net"}
    file = write(tmp_path, content)
    (point,) = learning_points.expand(learning.load(file), file)
    assert point.config.model.name == f"{tmp_path}/my_net.py:Net"
    assert str(tmp_path) not in str(point.spec)
    (outcome,) = learning_points.run([point], Store(tmp_path / "store"))
    assert outcome.counters["macs"] > 0
    own.write(tmp_path, own.SMALL + "\n# another\n")
    assert learning_points.expand(learning.load(file), file)[0].spec != point.spec
    content["training"]["model"] = {"name": "my_net.py:Fixed"}
    with pytest.raises(
        InputError, match=r"^plain: training\.model\.name in .*: got .*my_net\.py:Fixed', which fails on"
    ):
        learning_points.expand(learning.load(write(tmp_path, content)), file)
