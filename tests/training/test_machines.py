"""A training run's machine: what it decides, how the record has it whole, and what a run took on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jaxgrad import hardware
from jaxgrad.array.counters import Counters
from jaxgrad.array.counts import CYCLES, DRAM, EFFECTUAL_MACS, MACS, STALLS, Key
from jaxgrad.array.emulation import Emulation
from jaxgrad.array.gemm import Gemm
from jaxgrad.autodiff import LayerCounters
from jaxgrad.base.errors import InputError
from jaxgrad.costs import StepCost, repeated, step_cost, sums
from jaxgrad.costs.energy import table as prices_of
from jaxgrad.hardware import Accelerator, Machine, Precision
from jaxgrad.hardware.files import build_inlined, load_machine
from jaxgrad.programs import LayerGemm
from jaxgrad.training.config import Config, Override, differences, resolve

MACHINE = """
[machine]
rows = 6
cols = 5
double_buffered = true
technology = "mine.toml"
zero_gating = true
vector_lanes = 4
[machine.memory]
sram_kib = 2
dram_gb_per_s = 1.5
[[machine.memory.levels]]
name = "l2"
size_kib = 64
gb_per_s = 3
"""


@pytest.fixture
def machine_file(tmp_path: Path) -> Path:
    preset = Path(hardware.__file__).parent / "technologies" / "sasiml.toml"
    (tmp_path / "mine.toml").write_text(preset.read_text().replace('name = "sasiml"', 'name = "mine"'))
    (tmp_path / "machine.toml").write_text(MACHINE)
    return tmp_path / "machine.toml"


def test_the_machine_decides_the_array_and_the_formats_unless_they_are_given(machine_file: Path) -> None:
    config = resolve(machine_file)
    assert config.emulation_settings() == Emulation(Accelerator(6, 5, True), precision=Precision.of("bf16"))
    own = resolve(machine_file, [Override("emulation.precision", "own", "--precision")])
    assert own.emulation_settings().precision is None


def test_the_record_of_a_run_has_the_machine_whole(machine_file: Path, tmp_path: Path) -> None:
    config, expected = resolve(machine_file), load_machine(machine_file, "--machine")
    (tmp_path / "mine.toml").unlink()
    (tmp_path / "run").mkdir()
    record = tmp_path / "run" / "config.toml"
    record.write_text(config.to_toml())
    again = resolve(record)
    assert again == config
    assert again.machine is not None
    assert build_inlined(again.machine) == expected
    assert json.loads(json.dumps(again.settings())) == config.settings()


def test_a_changed_machine_is_a_difference_and_its_array_none_of_its_own(machine_file: Path) -> None:
    config = resolve(machine_file)
    wider = resolve(None, [Override("machine.cols", 7, "--set machine.cols")], base=config)
    assert differences(wider, config) == [("machine.cols", 7, 5)]
    assert wider.array.cols == 7
    (machine_file.parent / "faster.toml").write_text(MACHINE.replace("= 1.5", "= 2.5"))
    faster = resolve(machine_file.parent / "faster.toml")
    assert differences(faster, config) == [("machine.memory.dram_gb_per_s", 2.5, 1.5)]
    changed = {key for key, value in faster.settings()["machine"].items() if config.settings()["machine"][key] != value}
    assert changed == {"memory.dram_gb_per_s"}
    other = resolve(None, [Override("machine.cols", 7, "--machine"), Override("machine.rows", 6, "--machine")],
                    base=Config())  # fmt: skip
    assert ("machine.cols", 7, None) in differences(other, Config())
    assert ("machine.cols", None, 7) in differences(Config(), other)


def test_a_run_without_a_machine_keeps_the_record_that_it_had() -> None:
    assert "machine" not in Config().settings()
    assert "machine" not in Config().to_toml()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[array]\nrows = 6\n" + MACHINE, "array.rows in FILE: got 6 and a machine; the machine has it"),
        (MACHINE.replace("cols = 5", "cols = 0"), "machine.cols in FILE: got 0; give a whole number of at least 1"),
        (MACHINE.replace("mine", "none"), "machine in FILE: technology: got 'none.toml'; give the path of a TOML"),
        (MACHINE.replace('"mine.toml"', '"sasimi"'), "machine in FILE: technology: got 'sasimi'; choose one of"),
        (MACHINE.replace('"mine.toml"', "3"), "machine.technology in FILE: got 3; give a text, in quotes, or a table"),
        (MACHINE.replace('"mine.toml"', "{ name = 'x' }"),
         "machine.technology.mac in FILE: got none; give a table, [machine.technology.mac]"),
        (MACHINE.replace("zero_gating", 'precision = "int8"\nzero_gating'), "machine.precision.x: got 'int8'; emul"),
        ('[emulation]\nprecision = "machine"', "emulation.precision in FILE: got 'machine'; there is no machine"),
        (MACHINE.replace("zero_gating", "cores = 3\nzero_gating") + "shared_by = 2",
         "machine.memory.levels.l2.shared_by: got 2; give a number that divides machine.cores, 3"),
    ],
)  # fmt: skip
def test_what_will_not_do_is_one_line_with_its_place(machine_file: Path, text: str, said: str) -> None:
    machine_file.write_text(text)
    with pytest.raises(InputError) as raised:
        resolve(machine_file)
    assert str(raised.value).startswith(said.replace("FILE", str(machine_file))), raised.value
    assert "\n" not in str(raised.value)


def test_a_configuration_beside_no_file_names_none() -> None:
    keys = {"rows": 2, "cols": 2, "technology": "mine.toml"}
    with pytest.raises(InputError, match=r"--set machine\.technology: got 'mine\.toml'; give one of horowitz-45nm"):
        resolve(None, [Override(f"machine.{key}", value, f"--set machine.{key}") for key, value in keys.items()])


LAYER = LayerGemm("dense", Gemm(7, 6, 5), 2, needs_dx=True)


def costed(machine: Machine, schedules: tuple[str, ...] = ("interleaved", "ws_only")) -> StepCost:
    return step_cost([LAYER], Emulation(machine.array), schedules, machine=machine)


def counted(macs: int, effectual: int) -> Counters:
    return Counters.from_counts({MACS: macs, EFFECTUAL_MACS: effectual})


def test_steps_on_a_machine_are_one_step_so_often_with_the_zeros_that_were_counted(machine_file: Path) -> None:
    machine = load_machine(machine_file, "--machine")
    one, steps = costed(machine), 3
    half, fifth = counted(840 * steps // 2, 420 * steps // 2), counted(1680, 336)
    cost = repeated(one, {"dense": LayerCounters(half, fifth)}, steps)
    assert cost.steps == steps
    for schedule in one.schedules:
        phases, before = cost.layers[0].phases[schedule], one.layers[0].phases[schedule]
        for phase, counts in phases.items():
            for key in (CYCLES, STALLS, MACS, Key(DRAM, "x", "reads")):
                assert counts.get(key, 0) == steps * before[phase].get(key, 0)
            share = 2 if phase == "forward" else 5
            assert counts[EFFECTUAL_MACS] == counts[MACS] // share
    # Zero gating: a MAC of an operand that is zero takes nothing.
    mac_pj = prices_of(machine)["mac"]["compute"]
    spent = cost.energy_pj("interleaved")
    by_phase = cost.layers[0].phases["interleaved"]
    assert {phase.name: energies["mac"] for phase, energies in spent.items()} == pytest.approx(
        {phase: counts[EFFECTUAL_MACS] * mac_pj for phase, counts in by_phase.items()}
    )


def test_what_is_told_of_steps_are_the_sums_of_all_phases(machine_file: Path) -> None:
    cost = costed(load_machine(machine_file, "--machine"))
    step_sums = sums(cost, "step")["ws_only"]
    step = cost.step("ws_only")
    assert step_sums["time_cycles"] == step[CYCLES] + step[STALLS]
    assert step_sums["stall_cycles"] == step[STALLS] > 0
    words = {key: count for key, count in step.items() if key.level == DRAM}
    bits = {key: 32 if key.tensor in ("dw", "psum") else 16 for key in words}
    assert step_sums["dram_bytes"] == sum(count * bits[key] for key, count in words.items()) // 8
    assert sum(step_sums["energy_pj"].values()) == pytest.approx(
        sum(sum(parts.values()) for parts in cost.energy_pj("ws_only").values())
    )
