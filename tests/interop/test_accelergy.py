"""jaxgrad.interop.accelergy: tables there and back, tables of Accelergy's own, and tables that will not do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from jaxgrad.costs import energy
from jaxgrad.costs.area import area, pe_um2
from jaxgrad.hardware import PRESETS, Accelerator, Level, Machine, Memory, PerOperand, Precision, load_technology
from jaxgrad.hardware.energy_table import load_ert, read_ert
from jaxgrad.interop.accelergy import write_art, write_ert
from tests.refusals import Refusal, assert_refused

DIVIDED = PerOperand(8192, 5000, 33333, 77, 2**21)


def machine(preset: str = "horowitz-45nm", operands: str = "mxfp4", cores: int = 3) -> Machine:
    memory = Memory(DIVIDED, 10.0)
    return Machine(Accelerator(4, 5), memory, Precision.of(operands), load_technology(preset), cores=cores)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("operands", ["int8", "bf16", "mxfp4", "fp32"])
def test_there_and_back(preset: str, operands: str, tmp_path: Path) -> None:
    own = machine(preset, operands)
    text = write_ert(own)
    assert read_ert(text, "ert.yaml") == energy.table(own)
    (tmp_path / "ert.yaml").write_text(text)
    assert load_ert(tmp_path / "ert.yaml") == energy.table(own)


def test_there_and_back_where_products_have_macs_of_their_own() -> None:
    own = replace(machine(), precision=Precision(x="int4", w="int1", dy="bf16"))
    prices = energy.table(own)
    assert set(prices["mac"]) == {"compute", "forward", "dx", "dw"}
    assert read_ert(write_ert(own), "ert.yaml") == prices


def test_the_format_is_accelergy_s() -> None:
    """A version, and a list of tables of named actions with their arguments, components by path and range."""
    tree = yaml.safe_load(write_ert(machine()))
    assert list(tree) == ["ERT"]
    assert tree["ERT"]["version"] == 0.3
    tables = {table["name"]: table["actions"] for table in tree["ERT"]["tables"]}
    assert list(tables) == [
        "system.core[0..2].PE[0..19].mac",
        "system.core[0..2].PE[0..19].register",
        "system.core[0..2].PE[0..19].hop",
        "system.core[0..2].sram",
        "system.dram",
        "system.idle",
        "system.leakage",
        "system.core[0..2].vector",
    ]
    assert tables["system.core[0..2].PE[0..19].mac"] == [{"name": "compute", "arguments": None, "energy": 1.1}]
    assert "&" not in write_ert(machine())


def test_levels_have_tables_of_their_own(tmp_path: Path) -> None:
    """One an access, whatever shares the level; of the area, that of one of them."""
    levels = (Level("near", 2**23, 1.0), Level("l2", 2**26, 1.0, shared_by=2, pj_per_bit=0.5))
    own = Machine(
        Accelerator(4, 5), Memory(8192, 10.0, levels=levels), Precision.of("int8"), load_technology("sasiml"), cores=4
    )
    text = write_ert(own)
    tables = {table["name"]: table["actions"] for table in yaml.safe_load(text)["ERT"]["tables"]}
    assert {"system.near[0..3]", "system.l2[0..1]"} < set(tables)
    assert {"name": "psum", "arguments": None, "energy": 16.0} in tables["system.l2[0..1]"]
    (tmp_path / "ert.yaml").write_text(text)
    assert load_ert(tmp_path / "ert.yaml", ["near", "l2"]) == energy.table(own)
    areas = {table["name"]: table["area"] for table in yaml.safe_load(write_art(own, "ws"))["ART"]["tables"]}
    assert areas["system.near[0..3]"] == pytest.approx(2**26 * 0.55)
    assert areas["system.l2[0..1]"] == pytest.approx(2**29 * 0.55)
    assert_refused(Refusal(lambda: read_ert(text, "own", ["l3"]), "own: l3", "no table", "named 'l3'"))
    tree = yaml.safe_load(text)
    (shared,) = (table for table in tree["ERT"]["tables"] if table["name"] == "system.l2[0..1]")
    shared["actions"] = [{"name": "read", "energy": 6.0}, {"name": "write", "energy": 2.0}]
    assert read_ert(yaml.safe_dump(tree), "own", ["l2"])["l2"] == dict.fromkeys(energy.ACTIONS["dram"], 4.0)


def test_areas() -> None:
    own = machine(operands="int8")
    tree = yaml.safe_load(write_art(own, "interleaved"))
    assert tree == {
        "ART": {
            "version": 0.3,
            "tables": [
                {"name": "system.core[0..2].PE[0..19]", "area": pe_um2(own, "interleaved")},
                {"name": "system.core[0..2].sram", "area": pytest.approx(8 * DIVIDED_BYTES * 0.55)},
            ],
        }
    }
    pes, sram = (table["area"] for table in tree["ART"]["tables"])
    assert 3 * (20 * pes + sram) == pytest.approx(area(own, "interleaved").total_um2)


DIVIDED_BYTES = 8192 + 5000 + 33333 + 77 + 2**21


def prices() -> dict[str, dict[str, float]]:
    return {component: dict(actions) for component, actions in energy.table(machine()).items()}


def with_list(path: Callable[[str], str]) -> dict[str, Any]:
    """As Accelergy 0.3 and later have it."""
    tables = [
        {
            "name": path(component),
            "actions": [{"name": name, "arguments": None, "energy": pj} for name, pj in actions.items()],
        }
        for component, actions in prices().items()
    ]
    return {"ERT": {"version": 0.3, "tables": tables}}


@pytest.mark.parametrize(
    "path",
    [
        lambda component: component,
        lambda component: f"system.chip.PE[0..15].{component}",
        lambda component: f"eyeriss_like.{component}[0..167]",
        lambda component: f"a.b[0..3].c[1].{component}[0]",
    ],
)
def test_components_go_by_the_last_name_of_their_path(path: Callable[[str], str]) -> None:
    assert read_ert(yaml.safe_dump(with_list(path)), "own") == prices()


def test_what_costs_have_no_use_for_may_be_there() -> None:
    tree = with_list(lambda component: f"chip.{component}")
    tree["ERT"]["tables"][0]["actions"].append({"name": "idle", "arguments": None, "energy": 0.066})
    reads = [{"name": "read", "arguments": {"data_delta": delta}, "energy": 0.1 * delta} for delta in (0, 1)]
    tree["ERT"]["tables"].append({"name": "chip.weights_spad", "actions": reads})
    assert read_ert(yaml.safe_dump(tree), "own") == prices()


def test_tables_of_accelergy_0_2() -> None:
    """By name, with a list of energies where they differ by arguments."""
    tables: dict[str, Any] = {
        f"eyeriss_like.PE.{component}": {name: {"arguments": None, "energy": pj} for name, pj in actions.items()}
        for component, actions in prices().items()
    }
    tables["eyeriss_like.PE.mac"]["idle"] = {"arguments": None, "energy": 0.007}
    tables["eyeriss_like.ifmap_NoC"] = {
        "transfer": [{"arguments": {"n_rows": rows}, "energy": 0.0} for rows in range(3)]
    }
    assert read_ert(yaml.safe_dump({"ERT": {"tables": tables}}), "own") == prices()


TIMELOOP = """
ERT:
    version: '0.4'
    tables:
      - name: chip.DRAM[1..1]
        actions:
          - {name: write, arguments: {global_cycle_seconds: 1.0e-09, action_latency_cycles: 1}, energy: 512.0}
          - {name: read, arguments: {global_cycle_seconds: 1.0e-09, action_latency_cycles: 1}, energy: 256.0}
          - {name: leak, arguments: {global_cycle_seconds: 1.0e-09}, energy: 0.0}
      - name: chip.register[1..256]
        actions:
          - {name: write, arguments: {}, energy: 0.5}
          - {name: read, arguments: {}, energy: 0.25}
      - name: chip.sram[1..1]
        actions:
          - {name: write, arguments: {}, energy: 26.0}
          - {name: read, arguments: {}, energy: 32.0}
          - {name: update, arguments: {}, energy: 26.0}
      - name: chip.mac[1..256]
        actions:
          - {name: compute, arguments: {}, energy: 0.315}
          - {name: leak, arguments: {}, energy: 0.0036}
      - name: chip.hop[1..256]
        actions: [{name: x, energy: 0.1}, {name: dy, energy: 0.1}, {name: psum, energy: 0.2}]
      - {name: chip.idle, actions: [{name: cycle, energy: 0.0}]}
      - {name: chip.leakage, actions: [{name: cycle, energy: 1.0}]}
      - {name: chip.vector, actions: [{name: operation, energy: 1}, {name: sram, energy: 9}, {name: dram, energy: 8}]}
"""


def test_tables_as_timeloop_has_accelergy_write_them() -> None:
    """Version 0.4: components in capitals, with ranges, arguments, and memories that are read and written."""
    read = read_ert(TIMELOOP, "timeloop-mapper.ERT.yaml")
    assert read["mac"] == {"compute": 0.315}
    assert read["register"] == {"weight": 0.25, "accumulator": 0.375}
    assert read["sram"] == dict.fromkeys(energy.ACTIONS["sram"], 29.0)
    assert read["dram"] == dict.fromkeys(energy.ACTIONS["dram"], 384.0)
    assert read["hop"] == {"x": 0.1, "dy": 0.1, "psum": 0.2}


def test_a_memory_s_own_tensors_come_before_reads_and_writes() -> None:
    text = TIMELOOP.replace("{name: update, arguments: {}, energy: 26.0}", "{name: w, arguments: {}, energy: 7.0}")
    read = read_ert(text, "own")
    assert read["sram"] == {**dict.fromkeys(energy.ACTIONS["sram"], 29.0), "w": 7.0}


@pytest.mark.parametrize(
    ("lacking", "field"),
    [
        ("{name: write, arguments: {}, energy: 26.0}", "sram.write"),
        ("{name: write, arguments: {}, energy: 0.5}", "register.write"),
        ("{name: compute, arguments: {}, energy: 0.315}", "mac.compute"),
        ("{name: psum, energy: 0.2}", "hop.psum"),
    ],
)
def test_a_missing_action_is_one_line_with_its_name(lacking: str, field: str) -> None:
    text = TIMELOOP.replace(lacking, "{name: other, energy: 1}")
    assert_refused(Refusal(lambda: read_ert(text, "own"), f"own: {field}", "no energies", "give one"))


def refused(change: Callable[[dict[str, Any]], Any], field: str, shown: str, remedy: str) -> Refusal:
    def call() -> energy.Table:
        tree = with_list(lambda component: f"system.{component}")
        change(tree)
        return read_ert(yaml.safe_dump(tree), "own.yaml")

    return Refusal(call, f"own.yaml: {field}", shown, remedy)


def tables(tree: dict[str, Any]) -> list[Any]:
    return tree["ERT"]["tables"]


def energies(value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda tree: tables(tree)[0]["actions"][0].update(energy=value)


COMPONENTS = list(energy.ACTIONS)
BAD: list[Any] = [-0.1, "much", None, True, float("nan"), float("inf"), [1.0]]
REFUSALS = [
    *[
        refused(lambda tree, i=i: tables(tree).pop(i), name, "no table", f"'{name}'")
        for i, name in enumerate(COMPONENTS)
    ],
    *[
        refused(
            lambda tree, i=i: tables(tree)[i]["actions"].pop(0),
            f"{name}.{next(iter(energy.ACTIONS[name]))}",
            "no energies",
            "one",
        )
        for i, name in enumerate(COMPONENTS)
    ],
    *[refused(energies(value), "mac.compute", repr(value), "a number of at least 0") for value in BAD],
    refused(lambda tree: tables(tree)[0]["actions"][0].pop("energy"), "mac.compute", "None", "a number"),
    refused(
        lambda tree: tables(tree)[0]["actions"].append({"name": "compute", "energy": 1.0}),
        "mac.compute",
        "2 energies",
        "one",
    ),
    refused(
        lambda tree: tables(tree).append(tables(tree)[0] | {"name": "x.mac"}), "mac", "a second table, 'x.mac'", "one"
    ),
    refused(lambda tree: tables(tree)[0].update(actions=3), "mac", "3", "a list of actions"),
    refused(lambda tree: tables(tree)[0].update(actions=["compute"]), "mac.compute", "no energies", "one"),
    refused(lambda tree: tables(tree)[0].pop("name"), "ERT.tables", "{'actions'", "a name and actions"),
    refused(lambda tree: tables(tree).insert(0, 7), "ERT.tables", "7", "a name and actions"),
    refused(lambda tree: tree["ERT"].update(tables="none"), "ERT.tables", "'none'", "a list of tables"),
    refused(lambda tree: tree["ERT"].pop("tables"), "ERT.tables", "None", "a list of tables"),
    refused(lambda tree: tree.update(ERT=[]), "ERT.tables", "None", "a list of tables"),
    refused(lambda tree: tree.update(ART=tree.pop("ERT")), "ERT.tables", "None", "a list of tables"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.field}-{refusal.shown}")
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)


@pytest.mark.parametrize("text", ["", "[]", "3", "ERT", "null", "ERT: {tables: 3}"])
def test_other_yaml(text: str) -> None:
    assert_refused(Refusal(lambda: read_ert(text, "own"), "own: ERT.tables", "", "a list of tables"))


@pytest.mark.parametrize("text", ["ERT: [", "a: b: c\n- d", "!!python/object/apply:os.getcwd []", "\x00"])
def test_text_that_is_no_yaml_is_refused_in_one_line(text: str) -> None:
    assert_refused(Refusal(lambda: read_ert(text, "own"), "own: table", "no YAML", "mend it"))


@pytest.mark.parametrize("text", ["[" * 5000 + "]" * 5000, "x: " + "9" * 5000], ids=["deep", "long"])
def test_yaml_beyond_python_s_limits_is_refused_in_one_line(text: str) -> None:
    assert_refused(Refusal(lambda: read_ert(text, "own"), "own: table", "digits, or nesting", "pJ by component"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.yaml", "binary.yaml", "."):
        path = tmp_path / name
        assert_refused(Refusal(lambda path=path: load_ert(path), "table", repr(str(path)), "can be read"))


def test_machines_without_figures() -> None:
    bare = Machine(Accelerator(2, 2), Memory(1000, 1.0))
    assert_refused(Refusal(lambda: write_ert(bare), "technology", "none", "energy needs one"))
    assert_refused(Refusal(lambda: write_art(bare, "ws"), "technology", "none", "area needs one"))
