"""Our figure of what was measured: of a network, a phase, a layer, in every quantity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.costs import accesses
from jaxgrad.studies import compare, points, runner, schema
from jaxgrad.studies.compare import Row
from jaxgrad.studies.measured import agreements
from jaxgrad.studies.measurements.agreement import Agreement
from jaxgrad.studies.store import Store
from tests.studies.cases import tree

CHANGES: dict[str, Any] = {
    "workload": {"networks": ["lenet"], "batch": 8},
    "machine__memory__clock_ghz": 0.5,
    "sweep": [{"name": "bandwidth", "keys": ["machine.memory.dram_gb_per_s"], "values": [0.5, 8.0]}],
    "published": [],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measured")


def found(folder: Path, *measured: dict[str, Any], **changes: Any) -> tuple[list[Agreement], list[Row]]:
    whole = [{"value": 1.0, "variant": "WS", "at": {"bandwidth": "8.0"}, "source": "x", **one} for one in measured]
    experiment = schema.check(tree(**{**CHANGES, **changes, "measured": whole}), "F")
    results = list(runner.run(points.expand(experiment, Path("F")), Store(folder)))
    rows = compare.rows(experiment, [(point, summary) for point, summary, _ in results])
    return agreements(experiment, rows), rows


def row_of(rows: list[Row], variant: str, bandwidth: str) -> Row:
    return next(row for row in rows if (row.point.variant, row.point.at["bandwidth"]) == (variant, bandwidth))


def test_every_quantity_is_that_of_the_summary(folder: Path) -> None:
    units = ("cycles", "kcycles", "ms", "kB", "uJ", "W", "words", "images/s", "mm2")
    ours, rows = found(folder, *({"unit": unit} | ({} if unit == "mm2" else {"phase": "step"}) for unit in units))
    row = row_of(rows, "WS", "8.0")
    part = row.summary.select("step")
    seconds, joules = part.time_cycles / 0.5e9, sum(part.energy_pj.values()) * 1e-12
    expected = {
        "cycles": part.time_cycles,
        "kcycles": part.time_cycles / 1e3,
        "ms": seconds * 1e3,
        "kB": part.dram_bytes / 1e3,
        "uJ": joules * 1e6,
        "W": joules / seconds,
        "words": accesses(part.counts),
        "images/s": 8 / seconds,
        "mm2": sum(row.summary.area_um2.values()) / 1e6,
    }
    assert {each.measured.unit: each.written for each in ours} == pytest.approx(expected)


def test_phases_and_the_part_that_is_compared_are_what_they_are_in_the_tables(folder: Path) -> None:
    phases = ("forward", "dX", "dW", "dX+dW", "backward", "step")
    ours, rows = found(folder, {"unit": "cycles"}, *({"unit": "cycles", "phase": phase} for phase in phases))
    values = {each.phase: each.ours for each in ours[1:]}
    assert ours[0].phase == "backward"
    assert ours[0].ours == values["backward"] == row_of(rows, "WS", "8.0").values["cycles"]
    assert values["dx"] + values["dw"] == values["dx+dw"] == values["backward"]
    assert values["forward"] + values["backward"] == values["step"]


def test_a_part_of_what_one_pass_computes_is_not_given_for_the_whole(folder: Path) -> None:
    """Interleaved, the first layer alone has a dW of its own, for it passes no gradient on."""
    ours, rows = found(
        folder, *({"unit": "cycles", "variant": "interleaved", "phase": p} for p in ("dX+dW", "backward"))
    )
    assert ours[0].ours == ours[1].ours
    assert "dw" in {part.phase.label for part in row_of(rows, "interleaved", "8.0").summary.phases}


def test_layers_add_up_to_the_network(folder: Path) -> None:
    _, rows = found(folder)
    paths = [layer.path for layer in rows[0].summary.layers]
    layers, _ = found(folder, *({"unit": "us", "layer": path, "phase": "step"} for path in paths))
    (network,), _ = found(folder, {"unit": "us", "phase": "step"})
    assert len(layers) == len(paths) > 3
    assert sum(each.ours for each in layers) == pytest.approx(network.ours)


def test_points_of_a_sweep_and_variants_are_told_apart(folder: Path) -> None:
    entries = [
        {"unit": "cycles", "variant": variant, "at": {"bandwidth": bandwidth}}
        for variant in ("WS", "interleaved")
        for bandwidth in ("0.5", "8.0")
    ]
    ours, rows = found(folder, *entries)
    expected = [row_of(rows, one["variant"], one["at"]["bandwidth"]).values["cycles"] for one in entries]
    assert [each.ours for each in ours] == expected
    assert len(set(expected)) == 4


def test_accesses_leave_out_reads_of_partial_sums_as_the_tables_do(folder: Path) -> None:
    (ours,), rows = found(folder, {"unit": "words"}, count_psum_reads=False)
    (more,), _ = found(folder, {"unit": "words"})
    assert ours.ours == row_of(rows, "WS", "8.0").values["accesses"]
    assert ours.ours < more.ours


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"layer": "conv9"}, "measured.layer: got 'conv9'; choose one of conv1, conv2"),
        (
            {"variant": "interleaved", "phase": "dX"},
            "measured.phase: got 'dx'; interleaved has backward, dx+dw, forward, step",
        ),
        ({"phase": "update"}, "measured.phase: got 'update'; ws_only has backward, dw, dx, dx+dw, forward, step"),
        ({"layer": "conv1", "phase": "dX"}, "measured.phase: got 'dx'; ws_only has backward, dw, dx+dw, forward, step"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(keys: dict[str, Any], said: str, folder: Path) -> None:
    with pytest.raises(InputError) as raised:
        found(folder, {"unit": "cycles", **keys})
    assert str(raised.value).startswith(said)


def test_a_quantity_that_is_none_there_can_t_be_compared(folder: Path) -> None:
    """A ratio to it would be 0, and its logarithm nothing."""
    machine = {"rows": 8, "cols": 4}
    update = [{"name": "WS", "schedule": "ws_only", "weight_update": "separate"}]
    with pytest.raises(InputError, match="of 'update', of which 'WS' has none; measure what it has"):
        found(folder, {"unit": "cycles", "phase": "update", "at": {}}, variant=update, sweep=[], machine=machine)


def test_changes_of_an_experiment_are_no_points_that_were_measured(folder: Path) -> None:
    changes = {"sweep": [], "change": [{"name": "c", "keys": ["machine.rows"], "values": [3]}]}
    (ours,), rows = found(folder, {"unit": "cycles", "at": {}}, **changes)
    assert ours.ours == next(row for row in rows if row.point.change is None).values["cycles"]
