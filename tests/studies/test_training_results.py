"""A training run as results, and which folders can be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.reports.results import Figure
from jaxgrad.studies.result_folders import compared
from jaxgrad.studies.training_results import read
from jaxgrad.training import runs
from jaxgrad.training.config import Config, Override, differences, resolve

NAMES = ("cycles", "macs", *(f"{tensor}_{action}" for tensor in ("w", "psum", "dw") for action in ("reads", "writes")))
READ_ONLY = ("x_reads", "dy_reads")


def counts(scale: int) -> dict[str, int]:
    """Of which the accesses add up to 1,111,111,100 times the scale."""
    return {name: scale * 10**index for index, name in enumerate((*NAMES, *READ_ONLY))}


def made(folder: Path, *overrides: Override, counters: dict[str, Any] | None = None) -> Path:
    run = runs.create(folder, resolve(None, overrides).to_toml())
    run.append_metrics({"epoch": 1, "step": 5, "test_loss": 0.5, "cycles": 7})
    run.append_metrics({"epoch": 2, "step": 10, "test_loss": None, "cycles": 14, "note": "not a number"})
    layers = {"head": {"forward": counts(1), "backward": {"interleaved": counts(2), "ws_only": counts(3)}}}
    run.write_json(
        runs.COUNTERS,
        {"schedule": "interleaved", "steps": 10, "layers": layers, "total": layers["head"], **(counters or {})},
    )
    return folder


def test_curves_are_by_epoch_and_figures_of_the_schedule_that_ran(tmp_path: Path) -> None:
    results = read(made(tmp_path / "run"))
    assert results.curves == {"test_loss": {1: 0.5, 2: None}, "cycles": {1: 7, 2: 14}}
    assert results.figures[Figure("", "", "steps")] == 10
    for part in ("", "head"):
        for group, scale in (("forward", 1), ("backward", 2)):
            assert results.figures[Figure(part, group, "cycles")] == scale
            assert results.figures[Figure(part, group, "accesses")] == scale * 1_111_111_100
    assert not any("energy" in figure.group for figure in results.figures)


def test_energies_of_a_machine_with_prices(tmp_path: Path) -> None:
    energies = {"interleaved": {"forward": {"mac": 1.5, "dram": 2.0}}, "ws_only": {"forward": {"mac": 9.0}}}
    step = {"interleaved": {"dram_bytes": 7, "energy_pj": {"mac": 1.5}}, "ws_only": {"dram_bytes": 8}}
    on_machine = {"step": step, "energy_pj": energies}
    figures = read(made(tmp_path / "run", counters={"on_machine": on_machine})).figures
    assert {figure.name: value for figure, value in figures.items() if figure.group == "on the machine"} == {
        "dram_bytes": 7
    }
    found = {figure.name: energy for figure, energy in figures.items() if figure.group == "forward energy_pj"}
    assert found == {"all": 3.5, "mac": 1.5, "dram": 2.0}


def test_settings_differ_where_configurations_do(tmp_path: Path) -> None:
    """Against the comparison of configurations, which JAX is needed for; a value that is left out is None in both."""
    changes = [Override("model.name", "mlp", ""), Override("model.hidden", [4, 5], ""), Override("train.seed", 3, "")]
    comparison = compared(made(tmp_path / "one"), made(tmp_path / "other", *changes))
    expected = {key: (one, other) for key, one, other in differences(Config(), resolve(None, changes))}
    assert comparison.settings == expected
    assert len(expected) == 3


def test_where_a_run_was_extended_is_one_of_its_settings(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    runs.Run(run).write_json("extensions.json", [{"step": 5, "epochs": 1}])
    assert compared(run, made(tmp_path / "other")).settings == {"extended at": ("step 5, from 1 epochs", None)}


def test_a_run_that_goes_on_has_no_counters_yet(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    (run / runs.COUNTERS).unlink()
    with (run / runs.METRICS).open("a") as log:
        log.write('{"epoch": 3, "te')
    results = read(run)
    assert results.figures == {}
    assert results.curves["cycles"] == {1: 7, 2: 14}


@pytest.mark.parametrize("content", ["{", "[]", '{"schedule": "os"}', '{"schedule": "os", "steps": 1, "total": {}}'])
def test_broken_counters_are_named_in_one_line(content: str, tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    (run / runs.COUNTERS).write_text(content)
    with pytest.raises(InputError, match=r"counters.json: is not what a run writes: ") as refused:
        read(run)
    assert "\n" not in str(refused.value)
