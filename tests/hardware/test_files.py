"""Machines from TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w

from jaxgrad import hardware
from jaxgrad.costs import energy
from jaxgrad.hardware import Accelerator, Memory, PerOperand, Precision, VectorUnit, load_technology
from jaxgrad.hardware.files import MachineSection, build_inlined, load_machine, load_section, table
from jaxgrad.interop import accelergy

WHOLE = """
[machine]
rows = 6
cols = 5
double_buffered = true
precision = "int8"
technology = "sasiml"
vector_lanes = 7
zero_gating = true
cores = 2
partition = "best"
[machine.memory]
sram_kib = 3
dram_gb_per_s = 1.5
clock_ghz = 0.7
double_buffered = false
im2col = "dram"
"""


def load(folder: Path, text: str) -> object:
    (folder / "machine.toml").write_text(text)
    return load_machine(folder / "machine.toml", "--machine")


def test_every_key_is_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "machine.toml").write_text(WHOLE)
    machine = load_machine(tmp_path / "machine.toml", "--machine")
    assert machine.array == Accelerator(6, 5, True)
    assert machine.memory == Memory(3072, 1.5, 0.7, False, "dram")
    assert machine.precision == Precision.of("int8")
    assert machine.technology == load_technology("sasiml")
    assert machine.vector_unit == VectorUnit(7)
    assert (machine.zero_gating, machine.cores, machine.partition) == (True, 2, "best")


def test_parts_and_formats_by_tensor(tmp_path: Path) -> None:
    parts = "{ x = 1, w = 2, dy = 3, dx = 4, dw = 5 }"
    (tmp_path / "machine.toml").write_text(
        f'[machine]\nrows = 1\ncols = 1\nprecision = {{ x = "bf16" }}\n'
        f"[machine.memory]\nsram_kib = {parts}\ndram_gb_per_s = 1.0\n"
    )
    machine = load_machine(tmp_path / "machine.toml", "--machine")
    assert machine.precision == Precision(x="bf16")
    assert machine.memory is not None
    assert machine.memory.sram_bytes == PerOperand(1024, 2048, 3072, 4096, 5120)


def test_an_energy_table_takes_the_technology_s_place(tmp_path: Path) -> None:
    (tmp_path / "machine.toml").write_text(WHOLE)
    own = load_machine(tmp_path / "machine.toml", "--machine")
    (tmp_path / "ert.yaml").write_text(accelergy.write_ert(own).replace("0.9", "9.0"))
    (tmp_path / "machine.toml").write_text(WHOLE.replace('technology = "sasiml"', 'energy_table = "ert.yaml"'))
    machine = load_machine(tmp_path / "machine.toml", "--machine")
    assert energy.table(machine)["mac"]["compute"] == 9.0


def test_a_technology_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    preset = Path(hardware.__file__).parent / "technologies" / "sasiml.toml"
    (tmp_path / "mine.toml").write_text(preset.read_text().replace('name = "sasiml"', 'name = "mine"'))
    (tmp_path / "machine.toml").write_text(WHOLE.replace('"sasiml"', '"mine.toml"'))
    machine = load_machine(tmp_path / "machine.toml", "--machine")
    assert machine.technology is not None
    assert machine.technology.name == "mine"


@pytest.mark.parametrize("reference", ["technology", "energy_table"])
def test_what_a_file_names_may_stand_in_it_and_is_put_there(tmp_path: Path, reference: str) -> None:
    sizes = ("sram_kib = 3", "sram_kib = { x = 1, w = 2, dy = 3, dx = 4, dw = 5 }")
    text = WHOLE.replace(*sizes) + "[[machine.memory.levels]]\nname = 'l2'\nsize_kib = 64\ngb_per_s = 2\n"
    (tmp_path / "machine.toml").write_text(text)
    own = load_machine(tmp_path / "machine.toml", "--machine")
    (tmp_path / "ert.yaml").write_text(accelergy.write_ert(own))
    preset = Path(hardware.__file__).parent / "technologies" / "sasiml.toml"
    (tmp_path / "mine.toml").write_text(preset.read_text())
    named = {"technology": "mine.toml", "energy_table": "ert.yaml"}[reference]
    (tmp_path / "machine.toml").write_text(text.replace('technology = "sasiml"', f'{reference} = "{named}"'))
    machine = load_machine(tmp_path / "machine.toml", "--machine")
    section = load_section(tmp_path / "machine.toml", "--machine")
    assert build_inlined(section) == machine
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "whole.toml").write_text(tomli_w.dumps({"machine": table(section)}))
    assert load_machine(tmp_path / "elsewhere" / "whole.toml", "--machine") == machine


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rows = 6", "rows = 0", "machine.rows in"),
        ("rows = 6", "row = 6", "machine.row in"),
        ("sram_kib = 3", "sram_bytes = 3", "machine.memory.sram_kib in"),
        ('"int8"', '"int9"', "machine.precision in"),
        ('"sasiml"', '"sasimi"', "machine in"),
        ("cores = 2", "cores = true", "machine.cores in"),
        ('technology = "sasiml"', "energy_table = { mac = { compute = 1.0 } }", "machine in"),
        ('technology = "sasiml"', "energy_table = 3", "machine.energy_table in"),
        ('technology = "sasiml"', "energy_table = { mac = 1.0 }", "machine.energy_table.mac in"),
        ('technology = "sasiml"', "energy_table = { mac = { compute = -1.0 } }", "machine.energy_table.mac.compute in"),
        ('technology = "sasiml"', "technology = { mac = 1.0 }", "machine.technology.mac in"),
        ("[machine]", "[machines]", "machine.rows in"),
    ],
)
def test_what_will_not_do_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ValueError, match="got") as raised:
        load(tmp_path, WHOLE.replace(old, new, 1))
    assert str(raised.value).startswith(said), raised.value
    assert len(str(raised.value).splitlines()) == 1


def test_unknown_keys_of_the_memory_are_told_by_the_file_s_own_keys(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such key") as raised:
        load(tmp_path, WHOLE.replace("dram_gb_per_s = 1.5", "dram_gb_per_s = 1.5\ndram_gbs = 1.5"))
    assert str(raised.value).startswith("machine.memory.dram_gbs in")
    assert "choose one of sram_kib, dram_gb_per_s, clock_ghz, double_buffered, im2col" in str(raised.value)


def test_a_json_schema_has_the_keys_of_files() -> None:
    """A size in KiB, and not the bytes that Python has; a format by its name, or by tensor; a name, or its tables."""
    schema = MachineSection.model_json_schema()
    parts, machine = schema["$defs"], tomllib.loads(WHOLE)["machine"]
    assert machine.keys() <= schema["properties"].keys()
    assert machine["memory"].keys() <= parts["Memory"]["properties"].keys()
    assert parts["Memory"]["required"] == ["sram_kib", "dram_gb_per_s"]
    assert parts["Level"]["required"] == ["name", "size_kib"]
    assert "sram_bytes" not in parts["Memory"]["properties"]
    name, by_tensor = parts["Precision"]["anyOf"]
    assert "int8" in name["enum"]
    assert by_tensor["properties"].keys() == {"x", "w", "dy", "dw", "accumulator"}
    named = [each.get("$ref", each.get("type")) for each in schema["properties"]["technology"]["anyOf"]]
    assert named == ["#/$defs/TechnologyFile", "string", "null"]
