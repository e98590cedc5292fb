"""jaxgrad.rtl.areas: PEs of all kinds, and the technology that has their areas."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from jaxgrad import Accelerator, Machine, Memory, Precision
from jaxgrad.array.schedules import find
from jaxgrad.costs.area import pe_um2
from jaxgrad.hardware import load_technology, technology_files
from jaxgrad.hardware.technology import PE_KINDS
from jaxgrad.rtl import areas
from tests.command import ROOT


def test_a_machine_of_each_kind_needs_a_pe_of_that_kind() -> None:
    assert {kind: find(schedule).pe_kind for kind, schedule in areas.MACHINES.items()} == {k: k for k in PE_KINDS}


def test_all_pes_of_a_format_are_a_row_each_buffering() -> None:
    numbered = dict(zip(areas.choices(["bf16", "int4"]), map(float, count(1)), strict=False))
    rows = list(areas.rows(numbered))
    assert [(row.format, row.double_buffered) for row in rows] == [
        (f, d) for f in ("bf16", "int4") for d in (False, True)
    ]
    assert list(rows[1].um2.items()) == list(zip(PE_KINDS, (6.0, 7.0, 8.0, 9.0, 10.0), strict=True))
    assert rows[1].interleaved_over_ws == 8 / 6
    assert rows[1].as_dict()["interleaved_over_ws"] == 1.333


def written(tmp_path: Path, *formats: str) -> technology_files.TechnologyFile:
    numbered = dict(zip(areas.choices(areas.with_wide(formats)), map(float, count(1)), strict=False))
    (tmp_path / "own.toml").write_text(areas.technology("own", list(areas.rows(numbered)), "by hand", ["numbers"]))
    return technology_files.read("own.toml", tmp_path)


def test_the_file_has_these_areas_and_all_else_of_its_base(tmp_path: Path) -> None:
    own, base = written(tmp_path, "int8").technology(), load_technology(areas.BASE)
    wanted = [
        (("int8", shadows, kind), 1.0 + 5 * shadows + i) for shadows in (False, True) for i, kind in enumerate(PE_KINDS)
    ]
    assert own.pe_um2 == tuple(wanted)
    assert own.source.endswith("; PE areas: by hand")
    assert own.assumptions[-1] == "numbers"
    assert not any("transposable" in line for line in own.assumptions)
    same = {"name": base.name, "source": base.source, "assumptions": base.assumptions, "pe_um2": base.pe_um2}
    assert replace(own, **same) == base


def test_narrow_weights_count_where_nothing_else_stays_in_the_pe(tmp_path: Path) -> None:
    """Of int4, ws has area 1 and interleaved 3; with weights in int1 10 more."""
    technology = written(tmp_path, "int4_int1").technology()
    precision = Precision("int4", "int1", "int4", "int32", "int32")
    machine = Machine(Accelerator(2, 2), Memory(1000, 10.0), precision, technology)
    narrow = {name: pe_um2(machine, name) for name in ("ws", "interleaved", "sequential")}
    assert narrow == {"ws": 11.0, "interleaved": 13.0, "sequential": 13.0}
    wide = {name: pe_um2(machine, name) for name in ("os", "ws_only", "interleaved_n", "free", "interleaved_k", "best")}
    assert wide == {"os": 2.0, "ws_only": 1.0, "interleaved_n": 3.0, "free": 3.0, "interleaved_k": 4.0, "best": 5.0}
    of_two_bits = replace(machine, precision=replace(precision, w="int2"))
    assert pe_um2(of_two_bits, "interleaved") == 3.0


@pytest.mark.slow
def test_a_weight_of_one_bit_takes_no_multiplier(yosys: str) -> None:
    one, two, four = (areas.um2(areas.PeChoice(name, False, "ws")) for name in ("int4_int1", "int4_int2", "int4"))
    assert one < two < 0.7 * four
    shipped = technology_files.read(str(ROOT / "examples/synthesized_technology.toml")).technology()
    assert shipped.pe_area_um2("int4", double_buffered=False, kind="ws") == pytest.approx(four, rel=0.02)
    assert shipped.pe_area_um2("int4", double_buffered=False, kind="ws", weights="int1") == pytest.approx(one, rel=0.02)
