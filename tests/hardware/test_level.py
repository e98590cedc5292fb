"""jaxgrad.hardware.level: memories between scratchpad and DRAM, from Python and from files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.hardware import Accelerator, Level, Machine, Memory, PerOperand
from jaxgrad.hardware.energy_table import actions
from jaxgrad.hardware.files import load_machine
from jaxgrad.hardware.level import KEPT
from tests.refusals import Refusal, assert_refused

PARTS = PerOperand(1, 1, 1, 1, 1)
BUFFER = Level("buffer", 4096, 8.0)
WHOLE = "whole number of at least 1"


def memory(*levels: Level) -> Memory:
    return Memory(1024, 1.0, levels=levels)


def machine(level: Level, cores: int) -> Machine:
    return Machine(Accelerator(2, 2), memory(level), cores=cores)


def test_each_core_has_an_equal_share_of_size_and_bandwidth() -> None:
    shared = Level("l2", 4099, 37.5, shared_by=4)
    assert shared.share_bytes == 1024
    assert shared.cycles_per_byte(1.05) == Fraction(105 * 4, 3750)
    assert machine(shared, 8).level_bytes == {"l2": 2 * 4099}
    assert Level("l2", 4099, 37.5).cycles_per_byte(1.0) == Fraction(2, 75)


def test_without_a_rate_each_port_moves_its_width_in_a_cycle() -> None:
    """And each core has an equal share of that, too; a rate that is given is what counts."""
    wide = Level("l2", 4096, width_bits=256, ports=2, shared_by=4)
    assert wide.width_bytes == 32
    assert wide.cycles_per_byte(0.7) == Fraction(4, 64)
    assert wide.rate_gb_per_s(0.5) == 32.0
    given = Level("l2", 4096, 8.0, width_bits=256)
    assert given.cycles_per_byte(1.0) == Fraction(1, 8)
    assert given.rate_gb_per_s(0.5) == 8.0
    assert Level("l2", 4096, 8.0).width_bytes == 0


def test_what_is_kept_has_one_order() -> None:
    assert Level("buffer", 1, 1.0).keeps == KEPT
    assert Level("buffer", 1, 1.0, keeps=("dw", "x", "x")) == Level("buffer", 1, 1.0, keeps=("x", "dw"))
    assert memory(BUFFER).levels == (BUFFER,)
    assert hash(memory(BUFFER)) == hash(memory(Level("buffer", 4096, 8)))


TAKEN: list[Any] = ["sram", "dram", "array", "pe", "mac", "vector", "leakage"]
NO_SIZES: list[Any] = [0, -1, 1.5, "1", None, True]
NO_RATES: list[Any] = [0, -1.0, "fast", None]
NO_NAMES: list[Any] = ["", "L2", "2nd", "l 2", "l2\n", None, 3]
NO_TENSORS: list[Any] = [("q",), ("psum",), ("x", 1)]

REFUSALS = [
    *[Refusal(lambda v=v: Level(v, 1, 1.0), "name", repr(v), "choose another name") for v in TAKEN],
    *[Refusal(lambda v=v: Level(v, 1, 1.0), "name", repr(v), "small letters") for v in NO_NAMES],
    *[Refusal(lambda v=v: Level("l2", v, 1.0), "size_bytes", repr(v), WHOLE) for v in NO_SIZES],
    *[Refusal(lambda v=v: Level("l2", 1, 1.0, shared_by=v), "shared_by", repr(v), WHOLE) for v in NO_SIZES],
    *[Refusal(lambda v=v: Level("l2", 1, v), "gb_per_s", repr(v), "a number above 0") for v in NO_RATES],
    *[Refusal(lambda v=v: Level("l2", 1, 1.0, v), "keeps", repr(v[-1]), "choose one of x, w, y") for v in NO_TENSORS],
    Refusal(lambda: Level("l2", 1, 1.0, keeps="xw"), "keeps", "'xw'", "give a list of some of x, w"),  # pyright: ignore[reportArgumentType]
    Refusal(lambda: Level("l2", 1, 1.0, pj_per_bit=-1.0), "pj_per_bit", "-1.0", "a number of at least 0"),
    *[Refusal(lambda v=v: Level("l2", 1, width_bits=v), "width_bits", repr(v), WHOLE) for v in [0, -8, 1.5, "8", True]],
    Refusal(lambda: Level("l2", 1, width_bits=12), "width_bits", "12", "a multiple of 8"),
    Refusal(lambda: Level("l2", 1, width_bits=(1 << 20) + 8), "width_bits", "1048584", "at most 1048576"),
    Refusal(lambda: Level("l2", 1), "gb_per_s", "None", "or width_bits"),
    Refusal(lambda: Level("l2", 1, 1.0, width_bits=8, ports=2), "ports", "2", "gb_per_s is what all of them move"),
    Refusal(lambda: Level("l2", 1, width_bits=8, ports=0), "ports", "0", WHOLE),
    Refusal(lambda: memory(BUFFER, BUFFER), "levels", "two 'buffer'", "a name of its own"),
    Refusal(lambda: memory(Level("l2", 1023, 1.0)), "levels", "1023 bytes of 'l2' a core around 1024", "none smaller"),
    Refusal(lambda: memory(BUFFER, Level("l3", 4095, 1.0)), "levels", "4095 bytes of 'l3'", "none smaller"),
    Refusal(lambda: memory(Level("l2", 4095, 1.0, shared_by=4)), "levels", "1023 bytes of 'l2' a core", "none smaller"),
    Refusal(lambda: Memory(PARTS, 1.0, levels=(Level("l2", 4, 1.0),)), "levels", "4 bytes", "order"),
    Refusal(lambda: Memory(1, 1.0, levels=BUFFER), "levels", "Level(", "give a list of levels"),  # pyright: ignore[reportArgumentType]
    Refusal(lambda: machine(Level("l2", 9999, 1.0, shared_by=4), 6), "memory.levels.l2.shared_by", "4", "cores, 6"),
    Refusal(lambda: machine(Level("l2", 9999, 1.0, shared_by=2), 1), "memory.levels.l2.shared_by", "2", "cores, 1"),
    Refusal(
        lambda: Machine(Accelerator(2, 2), memory(BUFFER), energies={name: {} for name in actions()}),
        "memory.levels.buffer",
        "no energy",
        "name one 'buffer' there",
    ),
]  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal.field}-{refusal.shown}")
def test_refusals(refusal: Refusal) -> None:
    assert_refused(refusal)


def load(folder: Path, levels: str, cores: int = 1) -> Machine:
    (folder / "machine.toml").write_text(
        f"[machine]\nrows = 2\ncols = 2\ncores = {cores}\n[machine.memory]\nsram_kib = 1\ndram_gb_per_s = 1.0\n{levels}"
    )
    return load_machine(folder / "machine.toml", "--machine")


def test_every_key_of_a_file_is_what_it_says(tmp_path: Path) -> None:
    first = (
        'name = "near"\nsize_kib = 3\ngb_per_s = 2.5\nkeeps = ["w", "dw"]\ndouble_buffered = false\npj_per_bit = 0.5'
    )
    last = 'name = "far"\nsize_kib = 9\nwidth_bits = 64\nports = 2\nshared_by = 2'
    loaded = load(tmp_path, f"[[machine.memory.levels]]\n{first}\n[[machine.memory.levels]]\n{last}\n", cores=2)
    assert loaded.memory is not None
    near = Level("near", 3072, 2.5, ("w", "dw"), double_buffered=False, pj_per_bit=0.5)
    assert loaded.memory.levels == (near, Level("far", 9216, shared_by=2, width_bits=64, ports=2))


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ('name = "dram"\nsize_kib = 3\ngb_per_s = 2.5', "memory.levels.0.name in {}: got 'dram'; choose another name"),
        ('name = "l2"\nsize_bytes = 3\ngb_per_s = 2.5', "memory.levels.0.size_kib in {}: got none; give one"),
        ('name = "l2"\nsize_kib = 3\ngb_per_s = 2.5\nkeeps = ["q"]', "memory.levels.0.keeps in {}: got 'q'; choose"),
        ('name = "l2"\nsize_kib = 3', "memory.levels.0.gb_per_s in {}: got none; give one"),
        ('name = "l"\nsize_kib = 3\ngb_per_s = 1\nwidth = 8', "memory.levels.0.width in {}: got 8; there is no"),
        ('name = "l2"\nsize_kib = 0\ngb_per_s = 1', "memory.levels.0.size_kib in {}: got 0; give a whole number"),
    ],
)  # fmt: skip
def test_what_a_file_says_wrong_is_refused_by_its_key(tmp_path: Path, level: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        load(tmp_path, f"[[machine.memory.levels]]\n{level}\n")
    assert str(raised.value).startswith("machine." + message.format(tmp_path / "machine.toml"))
    assert len(str(raised.value).splitlines()) == 1


def test_levels_that_shrink_are_refused_in_a_file(tmp_path: Path) -> None:
    levels = "".join(
        f'[[machine.memory.levels]]\nname = "{name}"\nsize_kib = {size}\ngb_per_s = 1\n'
        for name, size in (("a", 3), ("b", 2))
    )
    with pytest.raises(InputError, match=r"^machine\.memory\.levels in .*: got 2048 bytes of 'b'"):
        load(tmp_path, levels)
