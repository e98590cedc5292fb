"""Points computed: what the one door to the costs says, once each, whatever the order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad import costs as evaluate
from jaxgrad.array.counts import EFFECTUAL_MACS, MACS
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.costs import Summary
from jaxgrad.networks.entries import Described
from jaxgrad.programs import LayerGemm
from jaxgrad.studies import compute, points, runner, schema
from jaxgrad.studies.compare import published, quantities, rows
from jaxgrad.studies.points import Measure, Point
from jaxgrad.studies.store import Store
from tests.studies.cases import tree


def expand(**changes: Any) -> tuple[schema.Experiment, list[Point]]:
    experiment = schema.check(tree(**changes), "small.toml")
    return experiment, points.expand(experiment, Path("small.toml"))


def results(wanted: list[Point], store: Store) -> list[tuple[Point, Summary]]:
    return [(point, summary) for point, summary, _ in runner.run(wanted, store)]


ONE = {"variant": [{"name": "WS", "schedule": "ws_only", "order": "best", "plan_for": "dram"}], "published": []}


def test_a_point_is_what_step_cost_says(tmp_path: Path) -> None:
    _, wanted = expand(**ONE, machine__precision="int8")
    for point, summary in results(wanted, Store(tmp_path)):
        layer = LayerGemm("dense", Gemm(point.spec["batch"], 40, 24), 1, needs_dx=True)
        cost = evaluate.step_cost(
            [layer],
            Emulation(point.machine.array),
            ["ws_only"],
            machine=point.machine,
            order="best",
            plan_for="dram",
        )
        assert summary.as_dict() == evaluate.summary(cost, "ws_only").as_dict()


def test_what_is_done_is_taken_from_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, wanted = expand()
    first = results(wanted, Store(tmp_path))

    def refuse(*_: object) -> Summary:
        raise AssertionError("computed again")

    monkeypatch.setattr(runner, "compute", refuse)
    assert [fresh for *_, fresh in runner.run(wanted, Store(tmp_path))] == [False] * len(wanted)
    again = results(wanted, Store(tmp_path))
    assert [one.as_dict() for _, one in again] == [one.as_dict() for _, one in first]


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, wanted = expand()
    calls: list[str] = []

    def counted(point: Point, store: Store) -> Summary:
        if len(calls) == 2:
            calls.append("interrupted")
            raise KeyboardInterrupt
        calls.append(point.variant)
        return compute.compute(point, store)

    monkeypatch.setattr(runner, "compute", counted)
    with pytest.raises(KeyboardInterrupt):
        results(wanted, Store(tmp_path))
    results(wanted, Store(tmp_path))
    # Equal machines are one point: the array of equal area is the baseline's own here.
    assert len(calls) == len({str(point.spec) for point in wanted}) + 1


def test_results_do_not_depend_on_the_order(tmp_path: Path) -> None:
    _, wanted = expand()
    forwards = results(wanted, Store(tmp_path / "a"))
    backwards = results(wanted[::-1], Store(tmp_path / "b"))
    assert [one.as_dict() for _, one in forwards] == [one.as_dict() for _, one in reversed(backwards)]


def test_a_network_is_traced_once_for_all_that_need_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[str] = []
    original = compute._trace

    def counted(network: Described, *rest: Any) -> dict[str, Any]:
        traced.append(str(network))
        return original(network, *rest)

    monkeypatch.setattr(compute, "_trace", counted)
    experiment, wanted = expand(
        workload={"networks": ["lenet"], "batch": 2, "vector": True},
        machine__vector_lanes=8,
        machine__memory__sram_kib=64,
        sweep=[],
        published=[],
        compare="step",
    )
    found = results(wanted, Store(tmp_path))
    assert traced == ["lenet"]
    table = rows(experiment, found)
    assert all("vector update" in [part.phase.label for part in row.summary.phases] for row in table)
    assert all(row.values["cycles"] == row.summary.select("step").time_cycles for row in table)


def test_a_trained_network_has_fewer_effectual_macs(tmp_path: Path) -> None:
    _, wanted = expand(
        workload={"batch": 32},
        trained={"model": "lenet", "epochs": 1},
        machine__memory__sram_kib=64,
        variant=[
            {"name": "WS", "schedule": "ws_only"},
            {"name": "gated", "schedule": "ws_only", "machine": {"zero_gating": True}},
        ],
        sweep=[],
        published=[],
    )
    (_, plain), (_, gated) = results(wanted, Store(tmp_path))
    for one in (plain, gated):
        part = one.select("backward")
        assert 0 < part.counts[EFFECTUAL_MACS] < 0.6 * part.counts[MACS]
    backward, spared = plain.select("backward"), gated.select("backward")
    share = backward.counts[EFFECTUAL_MACS] / backward.counts[MACS]
    assert spared.energy_pj["mac"] == pytest.approx(share * backward.energy_pj["mac"])
    assert spared.energy_pj["sram"] == backward.energy_pj["sram"]


def test_a_layer_that_does_not_fit_is_named(tmp_path: Path) -> None:
    _, wanted = expand(machine__memory__sram_kib=1, machine__rows=64, machine__cols=64)
    with pytest.raises(ValueError, match=r"40x24, WS.*sram_bytes: got 1024; layer 'dense' needs \d+ more"):
        results(wanted, Store(tmp_path))


def test_ratios_are_over_the_baseline_at_the_same_place(tmp_path: Path) -> None:
    experiment, wanted = expand()
    found = results(wanted, Store(tmp_path))
    table = rows(experiment, found)
    for row in table:
        (base,) = (each for each in table if each.point.group == row.point.group and each.point.variant == "WS")
        for name, ratio in row.ratios.items():
            assert ratio == pytest.approx(row.values[name] / base.values[name])  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]  # all are known here
    cycles, *energies = published(experiment, table)
    assert cycles.network == "40x24, batch 2"
    assert cycles.deviation == pytest.approx(cycles.ours - 0.5)  # pyright: ignore[reportOptionalOperand]  # known
    assert [each.deviation for each in energies] == [0.0, 0.0]


def test_what_a_machine_has_not_is_not_compared(tmp_path: Path) -> None:
    machine = {"rows": 4, "cols": 4}
    _, wanted = expand(machine=machine, variant=[{"name": "WS", "schedule": "ws_only"}], published=[], sweep=[])
    ((_, summary),) = results(wanted, Store(tmp_path))
    values = quantities(summary, Measure("backward"))
    assert values["dram_bytes"] is values["energy"] is values["area"] is None
    assert values["cycles"] == summary.select("dx", "dw").time_cycles
