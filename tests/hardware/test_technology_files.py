"""jaxgrad.hardware.technology_files: presets are files, and every way in which a file can be wrong."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from jaxgrad.hardware import PRESETS, load_technology
from jaxgrad.hardware.technology import PE_KINDS
from jaxgrad.hardware.technology_files import PeSection, TechnologyFile, parse
from tests.refusals import Refusal, assert_refused

FOLDER = resources.files("jaxgrad.hardware") / "technologies"
ORIGIN = "own.toml"


def preset_text(name: str = "horowitz-45nm") -> str:
    return (FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def tree() -> dict[str, Any]:
    return tomllib.loads(preset_text())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_file_like_any_other(name: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(tomli_w.dumps(tomllib.loads(preset_text(name))))
    own = load_technology("own.toml", tmp_path)
    assert own == load_technology(name) == load_technology(str(tmp_path / "own.toml"))


def refused(change: Any, field: str, shown: str, remedy: str) -> Refusal:
    """A preset with a change to its tree."""

    def call() -> TechnologyFile:
        changed = tree()
        change(changed)
        return parse(tomli_w.dumps(changed), ORIGIN)

    return Refusal(call, f"{field} in {ORIGIN}", shown, remedy)


def setting(*path: str, to: Any) -> Any:
    def change(data: dict[str, Any]) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = to

    return change


def dropping(*path: str) -> Any:
    def change(data: dict[str, Any]) -> None:
        for key in path[:-1]:
            data = data[key]
        del data[path[-1]]

    return change


FIGURES = [
    ("register", "pj_per_bit"),
    ("hop", "pj_per_bit"),
    ("dram", "pj_per_bit"),
    ("idle", "pj_per_pe_cycle"),
    ("vector", "pj_per_operation"),
    ("sram", "leakage_pj_per_byte_cycle"),
    ("area", "sram_um2_per_bit"),
]
NO_FIGURES: list[tuple[Any, str]] = [
    (-1.0, "-1.0"),
    ("1", "'1'"),
    (True, "True"),
    ([1.0], "[1.0]"),
    (float("nan"), "nan"),
]
LEAST = "a number of at least 0"
PE = {
    "datapath": "int8",
    "double_buffered": False,
    "ws_um2": 1.0,
    "os_um2": 1.0,
    "interleaved_um2": 1.0,
}
REFUSALS = [
    *[refused(dropping(*path), ".".join(path), "none", "give one") for path in FIGURES],
    *[refused(setting(*path, to=bad), ".".join(path), shown, LEAST) for path in FIGURES for bad, shown in NO_FIGURES],
    *[refused(setting("mac", "pj", "int8", to=bad), "mac.pj.int8", shown, LEAST) for bad, shown in NO_FIGURES],
    *[
        refused(dropping(name), name, "none", f"give a table, [{name}]")
        for name in ("register", "hop", "dram", "idle", "vector", "mac", "sram", "area")
    ],
    *[refused(setting(name, to=3), name, "3", "give a table") for name in ("register", "mac", "sram", "area")],
    refused(lambda data: data.update(hopp=data.pop("hop")), "hopp", "0.0", "mean 'hop'?"),
    refused(setting("registers", to={"pj_per_bit": 1.0}), "registers", "{'pj_per_bit': 1.0}", "mean 'register'?"),
    refused(setting("hop", "pj", to=1.0), "hop.pj", "1.0", "no such key; choose one of pj_per_bit"),
    refused(setting("area", "pes", to=1.0), "area.pes", "1.0", "mean 'pe'?"),
    refused(setting("mac", "pj", to={}), "mac.pj", "{}", "give at least one"),
    refused(dropping("mac", "pj"), "mac.pj", "none", "give one"),
    refused(setting("mac", "pj", "float32", to=1.0), "mac.pj.float32", "'float32'", "fp32"),
    refused(setting("mac", "mixed_pj", to=[]), "mac.mixed_pj", "[]", "give a table, [mac.mixed_pj]"),
    refused(
        setting("mac", "mixed_pj", to={"int1_bf16": 1.0}),
        "mac.mixed_pj.int1_bf16",
        "'int1_bf16'",
        "the wider one first",
    ),
    refused(setting("mac", "mixed_pj", to={"bf16_int1": -1.0}), "mac.mixed_pj.bf16_int1", "-1.0", LEAST),
    refused(dropping("sram", "bytes"), "sram.bytes", "none", "give one"),
    refused(dropping("sram", "pj_per_bit"), "sram.pj_per_bit", "none", "give one"),
    refused(setting("sram", "bytes", to=[]), "sram.bytes", "[]", "as many as"),
    refused(setting("sram", "bytes", to=[1, 2]), "sram.bytes", "[1, 2]", "as many as"),
    refused(setting("sram", "bytes", to=[8, 8, 9]), "sram.bytes", "[8, 8, 9]", "growing"),
    refused(setting("sram", "bytes", to=[9, 8, 7]), "sram.bytes", "[9, 8, 7]", "growing"),
    refused(setting("sram", "bytes", to=[0, 8, 9]), "sram.bytes.0", "0", "at least 1"),
    refused(setting("sram", "bytes", to=[1.5, 8, 9]), "sram.bytes.0", "1.5", "at least 1"),
    refused(setting("sram", "bytes", to=[8, "9", 10]), "sram.bytes.1", "'9'", "give"),
    refused(setting("sram", "bytes", to=[[8], [9], [10]]), "sram.bytes.0", "[8]", "give"),
    refused(setting("sram", "pj_per_bit", to=[0.0, 1.0, 2.0]), "sram.pj_per_bit.0", "0.0", "above 0"),
    refused(setting("sram", "pj_per_bit", to=[1.0, "1", 2.0]), "sram.pj_per_bit.1", "'1'", "above 0"),
    refused(setting("area", "pe", to=[PE | {"datapath": "int7"}]), "area.pe.0.datapath", "'int7'", "int8"),
    refused(setting("area", "pe", to=[PE | {"double_buffered": 1}]), "area.pe.0.double_buffered", "1", "true or false"),
    *[
        refused(setting("area", "pe", to=[PE | {f"{kind}_um2": 0.0}]), f"area.pe.0.{kind}_um2", "0.0", "above 0")
        for kind in PE_KINDS
    ],
    *[
        refused(
            setting("area", "pe", to=[{key: value for key, value in PE.items() if key != f"{kind}_um2"}]),
            f"area.pe.0.{kind}_um2",
            "none",
            "give one",
        )
        for kind in ("ws", "os", "interleaved")
    ],
    refused(setting("area", "pe", to=[PE | {"is_um2": 1.0}]), "area.pe.0.is_um2", "1.0", "ws_um2"),
    refused(setting("area", "pe", to=[3]), "area.pe.0", "3", "[[area.pe]]"),
    refused(setting("area", "pe", to=3), "area.pe", "3", "[[area.pe]]"),
    refused(setting("name", to=45), "name", "45", "a text"),
    refused(setting("assumptions", to=[45]), "assumptions.0", "45", "a text"),
    refused(setting("assumptions", to=3), "assumptions", "3", "a list"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.field}-{refusal.shown}")
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)


def test_text_that_is_no_toml_is_refused_in_one_line() -> None:
    assert_refused(Refusal(lambda: parse("a = = 1\n\nb", ORIGIN), "technology", f"'{ORIGIN}'", "mend its TOML"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.toml").mkdir()
    for name in ("missing.toml", "binary.toml", "folder.toml"):
        call = Refusal(lambda name=name: load_technology(name, tmp_path), "technology", repr(name), "can be read")
        assert_refused(call)


NO_NAMES: list[Any] = ["horowitz", "", 45, None]


@pytest.mark.parametrize("name", NO_NAMES, ids=repr)
def test_other_names(name: Any) -> None:
    assert_refused(Refusal(lambda: load_technology(name), "technology", repr(name), "horowitz-45nm, eyeriss-65nm"))


def test_a_file_has_an_area_of_every_kind_of_pe() -> None:
    assert tuple(key.removesuffix("_um2") for key in PeSection.model_fields if key.endswith("_um2")) == PE_KINDS


def test_its_json_schema_says_what_each_figure_is_in_which_unit() -> None:
    schema = TechnologyFile.model_json_schema()
    assert set(schema["properties"]) == {*tree(), "name", "source", "assumptions"}
    json.dumps(schema)
    for section in schema["$defs"].values():
        for key, figure in section["properties"].items():
            unit = "um2" if "um2" in key else "pJ" if "pj" in key else ""
            assert unit in figure["description"], key
    assert schema["$defs"]["HopSection"]["properties"]["pj_per_bit"]["minimum"] == 0
