"""jaxgrad.studies.pipelines.points and compare: periods against a search of all partitions, and what is kept."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import jaxgrad_models
from jaxgrad import Accelerator
from jaxgrad.array.emulation import Emulation
from jaxgrad.base.errors import InputError
from jaxgrad.flax import step_gemms
from jaxgrad.pipelines.network import Layer, Network, network
from jaxgrad.pipelines.partitions import Link
from jaxgrad.pipelines.plans import plans
from jaxgrad.studies.pipelines import compare, points, report, schema, tables
from jaxgrad.studies.pipelines.compare import Results
from jaxgrad.studies.store import Store
from tests.command import ROOT
from tests.studies.cases import write
from tests.studies.pipelines.cases import tree

MACS = Path(__file__).with_name("macs.json")
"""Each layer's MACs for one image, equal ones in a row together: tracing all seven networks takes too long."""


def run(experiment: schema.PipelineExperiment, file: Path, store: Store) -> Results:
    expanded = points.expand(experiment, file)
    return compare.results(experiment, list(zip(expanded, points.run(expanded, store), strict=True)))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def found(kept: Store, tmp_path_factory: pytest.TempPathFactory) -> Results:
    file = write(tmp_path_factory.mktemp("file"), tree())
    return run(schema.load(file), file, kept)


def least(times: Sequence[int], arrays: int) -> int:
    """The least period of all partitions."""
    inner = range(1, len(times))
    return min(
        max(sum(times[start:stop]) for start, stop in pairwise((0, *cuts, len(times))))
        for cuts in combinations(inner, arrays - 1)
    )


def test_periods_by_macs_are_those_of_the_best_partition(found: Results) -> None:
    """Of LeNet's five layers, from its GEMMs; on six arrays PipeDream has one idle."""
    images = jax.ShapeDtypeStruct((4, *jaxgrad_models.INPUT_SHAPES["lenet"]), jnp.float32)
    whole, parts = [], []
    for gemm in step_gemms(jaxgrad_models.abstract("lenet"), images):
        macs = gemm.times * gemm.gemm.macs
        whole.append(macs * (1 + gemm.needs_dx + gemm.needs_dw))
        parts += [macs, *([macs // 2, macs // 2] if gemm.needs_dx else []), macs]
    pipedream, layerpipe = (found.periods("lenet", f"{name}, MACs") for name in ("PipeDream", "LayerPipe"))
    assert pipedream == {2: least(whole, 2), 3: least(whole, 3), 6: least(whole, 5)}
    assert layerpipe == {count: least(parts, count) for count in (2, 3, 6)}
    assert [sample.busy for sample in found.samples["lenet"] if sample.variant == 0] == [2, 3, 5]
    assert found.speedups("lenet", "PipeDream, MACs")[2] == sum(whole) / pipedream[2]
    assert (found.idle("lenet", "PipeDream"), found.idle("lenet", "LayerPipe")) == ([6], [])
    by_macs, by_cycles, interleaving = found.ratios
    assert by_macs.by_network["lenet"] == {count: pipedream[count] / layerpipe[count] for count in (2, 3, 6)}
    assert by_macs.overall == pytest.approx(sum(by_macs.by_network["lenet"].values()) / 3)
    assert by_cycles.by_network != by_macs.by_network
    # A layer's gradients take no more time at once than one after the other, on every partition.
    assert all(ratio >= 1 for ratio in interleaving.by_network["lenet"].values())
    assert interleaving.overall > 1


def test_ours_is_of_the_numbers_of_arrays_that_the_figure_is_of(found: Results) -> None:
    mean, greatest = found.experiment.published
    ratios = found.ratios[0].by_network["lenet"]
    assert found.ours(mean) == found.ratios[0].overall
    assert found.ours(greatest) == max(ratios[3], ratios[6])


def test_a_point_is_kept_and_names_of_variants_do_not_decide_it(
    found: Results, kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tree()
    content["variant"][4]["name"] = "interleaved"
    content["comparison"][2].update(variant="interleaved")
    file = write(tmp_path, content)

    def never(point: points.Point) -> None:
        raise AssertionError(point)

    monkeypatch.setattr(points, "compute", never)
    assert run(schema.load(file), file, kept).samples == found.samples
    content["pipelines"]["processors"] = [2, 3, 5, 6]
    (other,) = points.expand(schema.load(write(tmp_path, content)), file)
    assert not kept.has(points.KIND, other.spec)


def test_flushed_pipelines_links_and_updates_are_those_of_the_plans(tmp_path: Path) -> None:
    """One by one as ``plans`` has them, from networks of the microbatches' and the shares' own sizes."""
    content = tree()
    content["workload"]["batch"] = 8
    content["pipelines"]["processors"] = [1, 2, 4]
    content["variant"] = [
        {"name": "1F1B", "pipeline": "1f1b", "microbatches": 4, "update_cycles": True},
        {"name": "data parallel", "pipeline": "data_parallel", "words_per_cycle": 8},
        {"name": "replicated", "pipeline": "pipedream_replicated", "words_per_cycle": 0.5, "overlapped": False},
        {"name": "interleaved", "pipeline": "interleaved_1f1b", "microbatches": 4, "chunks": 1},
    ]
    content["comparison"] = [{"name": "rounds", "variant": "1F1B", "over": "data parallel"}]
    content["published"] = []
    file = write(tmp_path, content)
    found = run(schema.load(file), file, Store(tmp_path / "store"))

    @functools.cache
    def at(batch: int, update_cycles: bool = False) -> Network:
        graph = points.traced("lenet", batch)
        return network(graph, Emulation(Accelerator(8, 8), "sequential"), update_cycles=update_cycles)

    wanted = {
        "1F1B": plans(functools.partial(at, update_cycles=True), 8, [1, 2, 4], ["1f1b"], microbatches=4),
        "data parallel": plans(at, 8, [1, 2, 4], ["data_parallel"], link=Link(8)),
        "replicated": plans(at, 8, [1, 2, 4], ["pipedream_replicated"], link=Link(0.5, False)),
        "interleaved": plans(at, 8, [1, 2, 4], ["interleaved_1f1b"], microbatches=4, chunks=1),
    }
    for name, of_variant in wanted.items():
        assert found.periods("lenet", name) == {count: plan.period for (count, _), plan in of_variant.items()}
        assert found.moved("lenet", name) == {count: plan.words_moved for (count, _), plan in of_variant.items()}
    assert found.speedups("lenet", "1F1B")[2] == at(8, True).total / wanted["1F1B"][2, "1f1b"].period
    (moved,) = found.words
    assert (
        moved.by_network["lenet"][2]
        == wanted["1F1B"][2, "1f1b"].words_moved / wanted["data parallel"][2, "data_parallel"].words_moved
    )
    assert math.isnan(moved.by_network["lenet"][1])  # one array moves nothing
    assert tables.words(found).rows[0][:2] == ["rounds", "-"]
    folder = tmp_path / "out"
    report.write(folder, found)
    assert json.loads((folder / "results.json").read_text())["comparisons"][0]["words"]["lenet"]["1"] is None


def test_what_can_t_be_computed_is_said_with_the_network(tmp_path: Path) -> None:
    content = tree()
    content["machine"]["memory"] = {"sram_kib": 1, "dram_gb_per_s": 1.0}
    content["machine"].update(rows=64, cols=64)
    file = write(tmp_path, content)
    with pytest.raises(InputError, match=r"lenet.*needs"):
        run(schema.load(file), file, Store(tmp_path / "store"))


def test_layerpipe_over_pipedream_by_macs_is_as_the_notes_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All seven networks, 2 to 10 arrays; MACs grow with the batch, so that two images do."""
    whole = schema.load(ROOT / "experiments" / "layerpipe.toml")
    experiment = whole.model_copy(
        update={
            "workload": whole.workload.model_copy(update={"batch": 2}),
            "variant": [variant for variant in whole.variant if variant.time == "macs"],
            "comparison": [each for each in whole.comparison if "by MACs" in each.name],
        }
    )
    monkeypatch.setattr(points, "traced", lambda name, batch, folder: name)
    monkeypatch.setattr(points, "network", lambda name, *_, **__: recorded(name))
    both, intra = run(experiment, tmp_path / "layerpipe.toml", Store(tmp_path)).ratios
    assert both.overall == pytest.approx(1.2893, abs=0.0001)
    assert intra.overall == pytest.approx(1.249, abs=0.0005)
    assert [round(both.by_network["vgg11"][count], 2) for count in (8, 9, 10)] == [1.76, 1.88, 2.0]
    assert [round(both.by_network["googlenet"][count], 2) for count in (7, 8, 9)] == [1.48, 1.63, 1.77]
    many = [*both.by_network["resnet50"].values(), *both.by_network["densenet121"].values()]
    assert sum(many) / len(many) == pytest.approx(1.036, abs=0.001)
    assert min(ratio for ratios in both.by_network.values() for ratio in ratios.values()) >= 1


@pytest.mark.parametrize("name", ["vgg11", "googlenet"])
def test_the_recorded_macs_are_the_networks_own(name: str) -> None:
    step = network(points.traced(name, 2), Emulation(Accelerator(8, 8)), time="macs")
    times = [(layer.forward, sum(layer.halves), layer.dx, layer.dw) for layer in step.layers]
    assert times == [(layer.forward, sum(layer.halves), layer.dx, layer.dw) for layer in recorded(name).layers]


def recorded(name: str) -> Network:
    """A network's layers by MACs, for two images; all want dW, and dX but for the first one."""
    macs = [each for each, times in json.loads(MACS.read_text(encoding="utf-8"))[name] for _ in range(times)]
    return Network(
        tuple(
            Layer(str(number), 2 * each, (each, each) if number else (), 2 * each if number else 0, 2 * each,
                  4 * each if number else 2 * each, 0, 0)
            for number, each in enumerate(macs)
        ),
        (),
        "macs",
    )  # fmt: skip
