"""What actions cost in energy and parts in area."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from jaxgrad.base.arithmetic import where
from jaxgrad.base.errors import InputError
from jaxgrad.hardware.precision import Pair, joined

PE_KINDS: tuple[str, ...] = ("ws", "os", "interleaved", "ws_transposable", "interleaved_transposable")
"""By what a PE can keep: an operand, a result, or both; a transposable one adds to sums on either link."""


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
        narrow_weights_pe_um2: area of a PE by (datapath, format of weights, double-buffered, one of ``PE_KINDS``),
            where nothing stays in the PE but weights, which are narrower than other operands.
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
    narrow_weights_pe_um2: tuple[tuple[tuple[str, str, bool, str], float], ...] = ()

    def product_pj(self, pair: Pair) -> float:
        """Energy of one multiply-accumulate of operands of two formats, the wider one first.

        Raises:
            ValueError: no figure is given for the pair, nor for the wider one.

        >>> from jaxgrad import load_technology
        >>> technology = load_technology("horowitz-45nm")
        >>> technology.product_pj(("int4", "int1")), technology.product_pj(("bf16", "bf16"))
        (0.1, 2.0)
        """
        macs = dict(self.mac_pj)
        wider, _ = pair
        if (mixed := dict(self.mixed_mac_pj).get(joined(pair))) is not None:
            return mixed
        if wider not in macs:
            raise InputError("precision", wider, f"technology {self.name!r} has MACs of {', '.join(macs)}")
        return macs[wider]

    def datapath(self, pair: Pair) -> str:
        """The datapath of a PE for such operands: their own where such PEs have areas, else the wider one's."""
        return mixed if (mixed := joined(pair)) in {name for (name, _, _), _ in self.pe_um2} else pair[0]

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

    def pe_area_um2(self, datapath: str, *, double_buffered: bool, kind: str, weights: str | None = None) -> float:
        """Area of one PE.

        Args:
            datapath: what it multiplies.
            double_buffered: whether it has shadows.
            kind: one of ``PE_KINDS``.
            weights: the format of weights, if nothing else stays in the PE; of PEs that have no area of their own for
                it, the area is that of any weights.

        Raises:
            ValueError: no figure is given for that datapath.
        """
        narrow = dict(self.narrow_weights_pe_um2)
        if weights is not None and (found := narrow.get((datapath, weights, double_buffered, kind))) is not None:
            return found
        areas = dict(self.pe_um2)
        key = (datapath, double_buffered, kind)
        if key not in areas and (datapath, double_buffered, "ws") in areas:
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
