"""SCALE-Sim's report files, letter for letter, and one more with the figures put right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jaxgrad.interop.scalesim.model import Figures
from jaxgrad.interop.scalesim.quirks import Correction
from jaxgrad.interop.scalesim.traffic import Traffic

_COMPUTE = (
    "LayerID, Total Cycles (incl. prefetch), Total Cycles, Stall Cycles, Overall Util %, Mapping Efficiency %,"
    " Compute Util %,\n"
)
_BANDWIDTH = (
    "LayerID, Avg IFMAP SRAM BW, Avg FILTER SRAM BW,{metadata} Avg OFMAP SRAM BW, "
    "Avg IFMAP DRAM BW, Avg FILTER DRAM BW, Avg OFMAP DRAM BW,\n"
)
_METADATA = "Avg FILTER Metadata SRAM BW"
_SPARSE = (
    "LayerID, Sparsity Representation, Original Filter Storage, New Storage (Filter+Metadata), "
    f"Filter Metadata Storage, {_METADATA}, \n"
)
_DETAILED = (
    "LayerID, "
    "SRAM IFMAP Start Cycle, SRAM IFMAP Stop Cycle, SRAM IFMAP Reads, "
    "SRAM Filter Start Cycle, SRAM Filter Stop Cycle, SRAM Filter Reads, "
    "SRAM OFMAP Start Cycle, SRAM OFMAP Stop Cycle, SRAM OFMAP Writes, "
    "DRAM IFMAP Start Cycle, DRAM IFMAP Stop Cycle, DRAM IFMAP Reads, "
    "DRAM Filter Start Cycle, DRAM Filter Stop Cycle, DRAM Filter Reads, "
    "DRAM OFMAP Start Cycle, DRAM OFMAP Stop Cycle, DRAM OFMAP Writes,\n"
)


def reports(layers: Sequence[Figures], representation: str | None = None) -> dict[str, str]:
    """SCALE-Sim's report files, by name.

    Args:
        layers: in their order.
        representation: of the filters, on a machine that makes use of their sparsity.
    """
    metadata = "" if representation is None else f" {_METADATA},"
    files = {
        "COMPUTE_REPORT.csv": _COMPUTE + _rows(map(_compute, layers)),
        "BANDWIDTH_REPORT.csv": _BANDWIDTH.format(metadata=metadata) + _rows(map(_bandwidths, layers)),
        "DETAILED_ACCESS_REPORT.csv": _DETAILED + _rows(map(_detailed, layers)),
    }
    if representation is not None:
        files["SPARSE_REPORT.csv"] = _SPARSE + _rows((representation, *_storage(figures)) for figures in layers)
    return files


def _rows(rows: Iterable[Sequence[object]]) -> str:
    return "".join(f"{number}, {', '.join(map(str, row))},\n" for number, row in enumerate(rows))


def _bandwidths(figures: Figures) -> list[float]:
    ifmap, filters, ofmap = figures.sram_bandwidths
    metadata = [] if figures.storage is None else [figures.storage.metadata / figures.cycles]
    return [ifmap, filters, *metadata, ofmap, *figures.dram_bandwidths]


def _storage(figures: Figures) -> tuple[float, ...]:
    assert figures.storage is not None  # of a machine that makes use of sparsity
    return (*figures.storage, figures.storage.metadata / figures.cycles)


def _compute(figures: Figures) -> tuple[object, ...]:
    return (
        figures.cycles_with_prefetch,
        figures.cycles,
        figures.stall_cycles,
        figures.overall_utilisation,
        figures.mapping_efficiency,
        figures.compute_utilisation,
    )


def _detailed(figures: Figures) -> list[object]:
    return [entry for traffic in (*figures.sram, *figures.dram) for entry in _traffic(traffic)]


def _traffic(traffic: Traffic) -> tuple[float, float, float]:
    """SCALE-Sim keeps cycles as floats, and prints them so."""
    return float(traffic.start), float(traffic.stop), traffic.words


def quirks_report(rows: Iterable[tuple[int, str, Iterable[Correction]]]) -> str:
    """The corrections as a fourth report, a line each.

    Args:
        rows: index, name and corrections of each layer.
    """
    lines = [
        f"{number}, {name}, {quirk}, {figure}, {reported}, {corrected},\n"
        for number, name, corrections in rows
        for quirk, figure, reported, corrected in corrections
    ]
    return "LayerID, Layer name, Quirk, Figure, SCALE-Sim, Corrected,\n" + "".join(lines)
