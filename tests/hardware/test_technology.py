"""jaxgrad.hardware.technology: presets, files of one's own, and every way in which one can be wrong."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.hardware import FORMATS, PRESETS, Technology, load_technology
from jaxgrad.hardware.technology import PE_KINDS, parse
from tests.refusals import Refusal, assert_refused

FOLDER = resources.files("jaxgrad.hardware") / "technologies"
ORIGIN = "own.toml"


def preset_text(name: str = "horowitz-45nm") -> str:
    return (FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def written(tree: dict[str, Any]) -> str:
    """A technology's tree as TOML; strings, numbers, lists of these, tables and tables in a list are all there is."""

    def value(data: Any) -> str:
        if isinstance(data, bool):
            return str(data).lower()
        if isinstance(data, list):
            return f"[{', '.join(map(value, data))}]"
        if isinstance(data, dict):
            return "{" + ", ".join(f"{key} = {value(each)}" for key, each in data.items()) + "}"
        return '"' + data.replace('"', '\\"') + '"' if isinstance(data, str) else repr(data)

    return "".join(f"{key} = {value(data)}\n" for key, data in tree.items())


def tree() -> dict[str, Any]:
    return tomllib.loads(preset_text())


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name: str) -> None:
    technology = load_technology(name)
    assert technology.name == name
    assert technology.source
    assert technology.assumptions
    assert set(dict(technology.mac_pj)) == set(FORMATS)
    assert {key[1:] for key, _ in technology.pe_um2} == set(itertools.product((False, True), PE_KINDS))
    assert hash(technology) == hash(load_technology(name))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_file_like_any_other(name: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(written(tomllib.loads(preset_text(name))))
    own = load_technology("own.toml", tmp_path)
    assert own == load_technology(name) == load_technology(str(tmp_path / "own.toml"))


def test_interpolation_passes_through_the_published_points() -> None:
    technology = load_technology("horowitz-45nm")
    for size, pj_for_64_bits in ((8192, 10), (32768, 20), (2**20, 100)):
        assert technology.sram_access_pj_per_bit(size) * 64 == pytest.approx(pj_for_64_bits)


@given(sizes=st.tuples(st.integers(1, 2**30), st.integers(0, 2**30)))
def test_a_larger_scratchpad_takes_no_less(sizes: tuple[int, int]) -> None:
    small, more = sizes
    for name in PRESETS:
        technology = load_technology(name)
        low, high = (technology.sram_access_pj_per_bit(size) for size in (small, small + more))
        assert 0 < low <= high * (1 + 1e-12)


def test_between_and_beyond_it_goes_as_a_power_of_the_size() -> None:
    technology = load_technology("horowitz-45nm")
    # 8 to 32 KB: four times the size takes twice as much, so the root of the size
    assert technology.sram_access_pj_per_bit(16384) * 64 == pytest.approx(10 * 2**0.5)
    assert technology.sram_access_pj_per_bit(2048) * 64 == pytest.approx(5)
    # 32 KB to 1 MB: five times as much for 32 times the size
    assert technology.sram_access_pj_per_bit(2**25) * 64 == pytest.approx(500)


def test_one_figure_holds_for_every_size() -> None:
    assert {load_technology("sasiml").sram_access_pj_per_bit(size) for size in (1, 110592, 2**30)} == {0.3375}


def refused(change: Any, field: str, shown: str, remedy: str) -> Refusal:
    """A preset with a change to its tree."""

    def call() -> Technology:
        changed = tree()
        change(changed)
        return parse(written(changed), ORIGIN)

    return Refusal(call, f"{ORIGIN}: {field}", shown, remedy)


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
    *[refused(dropping(*path), ".".join(path), "None", LEAST) for path in FIGURES],
    *[refused(setting(*path, to=bad), ".".join(path), shown, LEAST) for path in FIGURES for bad, shown in NO_FIGURES],
    *[refused(setting("mac", "pj", "int8", to=bad), "mac.pj.int8", shown, LEAST) for bad, shown in NO_FIGURES],
    *[
        refused(dropping(name), name, "None", "give a table")
        for name in ("register", "hop", "dram", "idle", "vector", "mac", "sram", "area")
    ],
    *[refused(setting(name, to=3), name, "3", "give a table") for name in ("register", "mac", "sram", "area")],
    refused(setting("registers", to={"pj_per_bit": 1.0}), "section", "'registers'", "mean 'register'?"),
    refused(setting("hop", "pj", to=1.0), "hop key", "'pj'", "pj_per_bit"),
    refused(setting("area", "pes", to=1.0), "area key", "'pes'", "mean 'pe'?"),
    refused(setting("mac", "pj", to={}), "mac.pj", "none", "at least one format"),
    refused(dropping("mac", "pj"), "mac.pj", "None", "give a table, [mac.pj]"),
    refused(setting("mac", "pj", "float32", to=1.0), "mac.pj", "'float32'", "fp32"),
    refused(setting("mac", "mixed_pj", to=[]), "mac.mixed_pj", "[]", "give a table, [mac.mixed_pj]"),
    refused(setting("mac", "mixed_pj", to={"int1_bf16": 1.0}), "mac.mixed_pj", "'int1_bf16'", "the wider one first"),
    refused(setting("mac", "mixed_pj", to={"bf16_int1": -1.0}), "mac.mixed_pj.bf16_int1", "-1.0", LEAST),
    refused(dropping("sram", "bytes"), "sram.bytes", "None", "a list"),
    refused(dropping("sram", "pj_per_bit"), "sram.pj_per_bit", "None", "a list"),
    refused(setting("sram", "bytes", to=[]), "sram.bytes", "[]", "as many as"),
    refused(setting("sram", "bytes", to=[1, 2]), "sram.bytes", "[1, 2]", "as many as"),
    refused(setting("sram", "bytes", to=[8, 8, 9]), "sram.bytes", "[8, 8, 9]", "growing"),
    refused(setting("sram", "bytes", to=[9, 8, 7]), "sram.bytes", "[9, 8, 7]", "growing"),
    refused(setting("sram", "bytes", to=[0, 8, 9]), "sram.bytes", "0", "at least 1"),
    refused(setting("sram", "bytes", to=[1.5, 8, 9]), "sram.bytes", "1.5", "at least 1"),
    refused(setting("sram", "bytes", to=[8, "9", 10]), "sram.bytes", "'9'", "give"),
    refused(setting("sram", "bytes", to=[[8], [9], [10]]), "sram.bytes", "[8]", "give"),
    refused(setting("sram", "pj_per_bit", to=[0.0, 1.0, 2.0]), "sram.pj_per_bit", "0.0", "above 0"),
    refused(setting("sram", "pj_per_bit", to=[1.0, "1", 2.0]), "sram.pj_per_bit", "'1'", "above 0"),
    refused(setting("area", "pe", to=[PE | {"datapath": "int7"}]), "area.pe.datapath", "'int7'", "int8"),
    refused(setting("area", "pe", to=[PE | {"double_buffered": 1}]), "area.pe.double_buffered", "1", "True or False"),
    *[
        refused(setting("area", "pe", to=[PE | {f"{kind}_um2": 0.0}]), f"area.pe.{kind}_um2", "0.0", "above 0")
        for kind in PE_KINDS
    ],
    *[
        refused(
            setting("area", "pe", to=[{key: value for key, value in PE.items() if key != f"{kind}_um2"}]),
            f"area.pe.{kind}_um2",
            "None",
            "above 0",
        )
        for kind in ("ws", "os", "interleaved")
    ],
    refused(setting("area", "pe", to=[PE | {"is_um2": 1.0}]), "area.pe key", "'is_um2'", "ws_um2"),
    refused(setting("area", "pe", to=[3]), "area.pe", "3", "[[area.pe]]"),
    refused(setting("area", "pe", to=3), "area.pe", "3", "[[area.pe]]"),
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


def test_a_datapath_without_an_area_is_told_where_to_get_one() -> None:
    technology = load_technology("sasiml")
    assert technology.pe_area_um2("bf16", double_buffered=True, kind="ws") == 2321.9
    refusal = Refusal(
        lambda: technology.pe_area_um2("fp32", double_buffered=True, kind="ws"), "precision", "'fp32'", "[[area.pe]]"
    )
    assert_refused(refusal)


# Bits that a multiplier sees: of a float its significand's, as the source's fp16 and fp32 have it.
FACTOR = {"int8": 8, "int4": 4, "int2": 2, "fp16": 11, "bf16": 11, "fp32": 24}
# pJ, as Horowitz prints them: a multiplication of the wider format with itself, and the addition.
MULTIPLY = {"int8": 0.2, "fp16": 1.1, "bf16": 1.1, "fp32": 3.7}


def by_rule(wider: str, other: str) -> float:
    """A MAC: a multiplication in proportion to the widths' product (none by 1 bit or by -1, 0, 1), and an addition."""
    addition = 0.9 if wider in ("fp16", "bf16", "fp32") else 0.1
    if {wider, other} & {"int1", "ternary"}:
        return addition
    known = wider if wider in MULTIPLY else "int8"
    return MULTIPLY[known] * FACTOR[wider] * FACTOR[other] / FACTOR[known] ** 2 + addition


def test_narrow_macs_are_what_their_rule_gives() -> None:
    technology = load_technology("horowitz-45nm")
    for name in ("int1", "ternary", "int2", "int4", "int8"):
        assert technology.product_pj((name, name)) == pytest.approx(by_rule(name, name))
    widths = ("int4", "int2", "ternary", "int1")
    pairs = [("int8", other) for other in widths]
    pairs += [(wider, other) for wider in ("fp16", "bf16", "fp32") for other in widths]
    pairs += [("int4", other) for other in widths[1:]] + [("int2", "int1"), ("ternary", "int1"), ("ternary", "int2")]
    assert {"_".join(pair) for pair in pairs} == set(dict(technology.mixed_mac_pj))
    for pair in pairs:
        assert technology.product_pj(pair) == pytest.approx(by_rule(*pair), abs=5e-4), pair
    # The rule between the two multipliers that the source has, 8 and 32 bits, is 3 % off.
    assert abs(3.1 / 0.2 / (32**2 / 8**2) - 1) < 0.04


def test_operands_without_a_mac_of_their_own_take_the_wider_one_s() -> None:
    for preset, wide in (("horowitz-45nm", 2.0), ("eyeriss-65nm", 1.0), ("sasiml", 0.9)):
        assert load_technology(preset).product_pj(("bf16", "int8")) == wide
    poor = replace(load_technology("sasiml"), mac_pj=(("int8", 0.9),))
    assert_refused(Refusal(lambda: poor.product_pj(("bf16", "int8")), "precision", "'bf16'", "int8"))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("double_buffered", [False, True])
def test_narrow_pes_are_what_their_rule_gives(preset: str, double_buffered: bool) -> None:
    technology = load_technology(preset)

    def um2(datapath: str, kind: str, *, double: bool = double_buffered) -> float:
        return technology.pe_area_um2(datapath, double_buffered=double, kind=kind)

    for of, bits in (("int8", 8), ("bf16", 16)):
        register = (um2(of, "os", double=True) - um2(of, "os", double=False)) / 32
        kept = register + double_buffered * (um2(of, "ws", double=True) - um2(of, "ws", double=False)) / bits
        for narrow in (4, 2, 1):
            datapath = f"int{narrow}" if of == "int8" else f"bf16_int{narrow}"
            share = 0 if narrow == 1 else narrow / 8 * (narrow / 8 if of == "int8" else 1)
            for kind in PE_KINDS:
                less = 282 * (1 - share)
                if of == "int8":
                    less += (8 - narrow) * ((kind != "os") * kept + ("transposable" not in kind) * register)
                elif kind == "interleaved":
                    less += (16 - narrow) * kept
                assert um2(datapath, kind) == pytest.approx(um2(of, kind) - less, abs=0.06), (datapath, kind)


def test_a_datapath_is_the_pair_s_where_it_has_an_area() -> None:
    technology = load_technology("horowitz-45nm")
    assert technology.datapath(("bf16", "int4")) == "bf16_int4"
    assert technology.datapath(("bf16", "int8")) == technology.datapath(("bf16", "bf16")) == "bf16"


@pytest.mark.parametrize("kind", ["ws_transposable", "interleaved_transposable"])
def test_a_file_without_estimates_is_asked_for_one_where_it_is_needed(kind: str) -> None:
    data = tree()
    setting("area", "pe", to=[PE])(data)
    own = parse(written(data), ORIGIN)
    assert own.pe_area_um2("int8", double_buffered=False, kind="ws") == 1.0
    call = partial(own.pe_area_um2, "int8", double_buffered=False, kind=kind)
    assert_refused(Refusal(call, "area.pe", f"no {kind}_um2", "give it for int8 with double_buffered = false"))
