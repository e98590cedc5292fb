"""What actions cost in energy and parts in area: presets, and files of one's own (the presets are such files)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jaxgrad.base.arithmetic import where
from jaxgrad.base.errors import InputError, boolean, number, one_of, positive_integer
from jaxgrad.base.schema import parse_toml
from jaxgrad.hardware.precision import FORMATS, Pair, paired

PRESETS: tuple[str, ...] = ("horowitz-45nm", "eyeriss-65nm", "sasiml")
_SYNTHESIZED: tuple[str, ...] = ("ws", "os", "interleaved")
_ESTIMATED: tuple[str, ...] = ("ws_transposable", "interleaved_transposable")
PE_KINDS: tuple[str, ...] = _SYNTHESIZED + _ESTIMATED
"""By what a PE can keep: an operand, a result, or both; a transposable one adds to sums on either link."""

# section -> its keys, each a number of at least 0; [mac.pj], [sram] and [[area.pe]] are read on their own
_NUMBERS: dict[str, tuple[str, ...]] = {
    "register": ("pj_per_bit",),
    "hop": ("pj_per_bit",),
    "dram": ("pj_per_bit",),
    "idle": ("pj_per_pe_cycle",),
    "vector": ("pj_per_operation",),
}
_KEYS: dict[str, tuple[str, ...]] = _NUMBERS | {
    "mac": ("pj", "mixed_pj"),
    "sram": ("bytes", "pj_per_bit", "leakage_pj_per_byte_cycle"),
    "area": ("sram_um2_per_bit", "pe"),
}
_PE_KEYS = ("datapath", "double_buffered", *(f"{kind}_um2" for kind in PE_KINDS))
_MIXED = tuple("_".join(paired(*formats)) for formats in itertools.combinations(FORMATS, 2))
_HOW_MIXED = "join the names of two formats by _, the wider one first, as in bf16_int4"
_SECTIONS = ("name", "source", "assumptions", *_KEYS)


@dataclass(frozen=True)
class Technology:
    """Energies in pJ and areas in um2.

    Args:
        name, source, assumptions: what it is, where its figures are from, and what they leave open.
        mac_pj: one multiply-accumulate, by the operands' format.
        register_pj_per_bit: an access to a register of a PE.
        hop_pj_per_bit: a move to the register of the next PE.
        sram_pj_per_bit: an access, by the scratchpad's size in bytes; see ``sram_access_pj_per_bit``.
        sram_leakage_pj_per_byte_cycle: leakage of the scratchpad.
        dram_pj_per_bit: a read or a write.
        idle_pj_per_pe_cycle: what a PE takes in each clock cycle, at work or not.
        vector_pj_per_operation: an elementwise operation of the vector unit.
        sram_um2_per_bit: area of the scratchpad.
        pe_um2: area of a PE by (datapath, double-buffered, one of ``PE_KINDS``).
        mixed_mac_pj: one multiply-accumulate of operands of two formats, by the wider one's and the other's as
            ``wider_other``; where there is none, it is the wider one's.
    """

    name: str
    source: str
    assumptions: tuple[str, ...]
    mac_pj: tuple[tuple[str, float], ...]
    register_pj_per_bit: float
    hop_pj_per_bit: float
    sram_pj_per_bit: tuple[tuple[int, float], ...]
    sram_leakage_pj_per_byte_cycle: float
    dram_pj_per_bit: float
    idle_pj_per_pe_cycle: float
    vector_pj_per_operation: float
    sram_um2_per_bit: float
    pe_um2: tuple[tuple[tuple[str, bool, str], float], ...]
    mixed_mac_pj: tuple[tuple[str, float], ...] = ()

    def product_pj(self, pair: Pair) -> float:
        """Energy of one multiply-accumulate of operands of two formats, the wider one first.

        Raises:
            ValueError: no figure is given for the pair, nor for the wider one.

        >>> technology = load_technology("horowitz-45nm")
        >>> technology.product_pj(("int4", "int1")), technology.product_pj(("bf16", "bf16"))
        (0.1, 2.0)
        """
        macs = dict(self.mac_pj)
        wider, _ = pair
        if (mixed := dict(self.mixed_mac_pj).get(_joined(pair))) is not None:
            return mixed
        if wider not in macs:
            raise InputError("precision", wider, f"technology {self.name!r} has MACs of {', '.join(macs)}")
        return macs[wider]

    def datapath(self, pair: Pair) -> str:
        """The datapath of a PE for such operands: their own where such PEs have areas, else the wider one's."""
        return mixed if (mixed := _joined(pair)) in {name for (name, _, _), _ in self.pe_um2} else pair[0]

    def sram_access_pj_per_bit(self, size_bytes: Any) -> Any:
        """Energy of an access to a scratchpad of that size, or of an array of sizes.

        Between and beyond the sizes given, energy goes as a power of the size (a straight line through the two nearest
        on logarithmic axes); one figure alone holds for every size.
        """
        points = self.sram_pj_per_bit
        if len(points) == 1:
            return points[0][1]
        lines = []
        for (small, low), (large, high) in itertools.pairwise(points):
            slope = math.log(high / low) / math.log(large / small)
            lines.append(low * (size_bytes / small) ** slope)
        energy = lines[-1]
        for (upto, _), line in reversed(list(zip(points[1:-1], lines, strict=False))):
            energy = where(size_bytes <= upto, line, energy)
        return energy

    def pe_area_um2(self, datapath: str, *, double_buffered: bool, kind: str) -> float:
        """Area of one PE.

        Raises:
            ValueError: no figure is given for that datapath.
        """
        areas = dict(self.pe_um2)
        key = (datapath, double_buffered, kind)
        if key not in areas and kind in _ESTIMATED and (datapath, double_buffered, "ws") in areas:
            raise InputError(
                "area.pe",
                f"{kind}_um2",
                f"give it for {datapath} with double_buffered = {str(double_buffered).lower()}; presets estimate it",
                problem=f"got no {kind}_um2 in technology {self.name!r}",
            )
        if key not in areas:
            names = sorted({name for name, _, _ in areas})
            raise InputError(
                "precision",
                datapath,
                f"technology {self.name!r} has PE areas for {', '.join(names) or 'none'}: choose one of "
                "these, or add [[area.pe]] to a technology file",
            )
        return areas[key]


def load_technology(name: str, folder: Path | None = None) -> Technology:
    """A preset by name, or one's own by the path of its TOML file (it has a slash or ends in .toml).

    Args:
        name: one of ``PRESETS``, or a path.
        folder: what a relative path is relative to; the current folder by default.

    Raises:
        ValueError: there is none, or what it says will not do.

    >>> load_technology("horowitz-45nm").dram_pj_per_bit
    20.0
    """
    if not isinstance(name, str) or not (name.endswith(".toml") or "/" in name):
        one_of("technology", name, PRESETS)
        text = (resources.files("jaxgrad.hardware") / "technologies" / f"{name}.toml").read_text(encoding="utf-8")
        return parse(text, name)
    path = (folder or Path()) / name
    try:
        return parse(path.read_text(encoding="utf-8"), str(name))
    except (OSError, UnicodeDecodeError):
        raise InputError(
            "technology", Path(name), f"give the path of a TOML file that can be read, or one of {', '.join(PRESETS)}"
        ) from None


def parse(text: str, origin: str) -> Technology:
    """A technology from TOML.

    Args:
        text: the file's content; the presets show what is in it.
        origin: the name of the file, for messages.

    Raises:
        ValueError: a key is missing, unknown, or not what it should be.
    """
    tree = parse_toml(text, "technology", origin)
    try:
        return read_table(tree)
    except InputError as error:
        raise error.within(origin) from None


def read_table(tree: Mapping[str, Any]) -> Technology:
    """A technology from the content of its file.

    Raises:
        ValueError: a key is missing, unknown, or not what it should be.
    """
    for section in tree:
        one_of("section", section, _SECTIONS)
    for section, keys in _KEYS.items():
        for key in _table(tree, section):
            one_of(f"{section} key", key, keys)
    numbers = {section: {key: _figure(tree, section, key) for key in keys} for section, keys in _NUMBERS.items()}
    macs = _table(_table(tree, "mac"), "pj", "mac.")
    for name in macs:
        one_of("mac.pj", name, tuple(FORMATS))
    mixed = tree["mac"].get("mixed_pj", {})
    if not isinstance(mixed, dict):
        raise InputError("mac.mixed_pj", mixed, "give a table, [mac.mixed_pj]")
    for name in mixed:
        if name not in _MIXED:
            raise InputError("mac.mixed_pj", name, _HOW_MIXED)
    if not macs:
        raise InputError("mac.pj", None, "give the energy of a MAC for at least one format", problem="got none")
    sram, area = _table(tree, "sram"), _table(tree, "area")
    sizes, energies = (_listed(sram, key) for key in ("bytes", "pj_per_bit"))
    sizes = [positive_integer("sram.bytes", size) for size in sizes]
    if len(sizes) != len(energies) or not sizes or sorted(set(sizes)) != sizes:
        raise InputError("sram.bytes", sizes, "give growing sizes, as many as sram.pj_per_bit has energies")
    assumptions = tree.get("assumptions", [])
    if not isinstance(assumptions, list):
        raise InputError("assumptions", assumptions, "give a list of texts")
    return Technology(
        name=str(tree.get("name", "unnamed")),
        source=str(tree.get("source", "")),
        assumptions=tuple(map(str, assumptions)),
        mac_pj=tuple((name, number(f"mac.pj.{name}", value)) for name, value in macs.items()),
        register_pj_per_bit=numbers["register"]["pj_per_bit"],
        hop_pj_per_bit=numbers["hop"]["pj_per_bit"],
        sram_pj_per_bit=tuple(
            (size, number("sram.pj_per_bit", energy, above=True)) for size, energy in zip(sizes, energies, strict=True)
        ),
        sram_leakage_pj_per_byte_cycle=_figure(tree, "sram", "leakage_pj_per_byte_cycle"),
        dram_pj_per_bit=numbers["dram"]["pj_per_bit"],
        idle_pj_per_pe_cycle=numbers["idle"]["pj_per_pe_cycle"],
        vector_pj_per_operation=numbers["vector"]["pj_per_operation"],
        sram_um2_per_bit=_figure(tree, "area", "sram_um2_per_bit"),
        pe_um2=tuple(itertools.chain.from_iterable(map(_areas, _entries(area)))),
        mixed_mac_pj=tuple((name, number(f"mac.mixed_pj.{name}", value)) for name, value in mixed.items()),
    )


def _entries(area: Mapping[str, Any]) -> list[Any]:
    entries = area.get("pe", [])
    if not isinstance(entries, list):
        raise InputError("area.pe", entries, "give tables, [[area.pe]]")
    return entries


def _areas(entry: Any) -> list[tuple[tuple[str, bool, str], float]]:
    if not isinstance(entry, dict):
        raise InputError("area.pe", entry, "give a table, [[area.pe]]")
    for key in entry:
        one_of("area.pe key", key, _PE_KEYS)
    datapath = entry.get("datapath")
    if not isinstance(datapath, str) or datapath not in _MIXED:
        datapath = one_of("area.pe.datapath", datapath, tuple(FORMATS))
    buffered = boolean("area.pe.double_buffered", entry.get("double_buffered"))
    return [
        ((datapath, buffered, kind), number(f"area.pe.{kind}_um2", entry.get(f"{kind}_um2"), above=True))
        for kind in PE_KINDS
        if kind in _SYNTHESIZED or f"{kind}_um2" in entry
    ]


def _joined(pair: Pair) -> str:
    wider, other = pair
    return wider if wider == other else f"{wider}_{other}"


def _table(tree: Mapping[str, Any], name: str, within: str = "") -> Mapping[str, Any]:
    table = tree.get(name)
    if not isinstance(table, dict):
        raise InputError(f"{within}{name}", table, f"give a table, [{within}{name}]")
    return table


def _figure(tree: Mapping[str, Any], section: str, key: str) -> float:
    return number(f"{section}.{key}", _table(tree, section).get(key))


def _listed(table: Mapping[str, Any], key: str) -> list[Any]:
    value = table.get(key)
    if not isinstance(value, list):
        raise InputError(f"sram.{key}", value, "give a list of numbers")
    return value
