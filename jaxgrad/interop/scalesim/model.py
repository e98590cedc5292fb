"""SCALE-Sim 3.0.0's figures for one layer in CALC mode, quirks and all: what its three reports say.

Nothing here corrects anything; ``quirks.py`` names what is off and says what it should be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from jaxgrad.base.errors import InputError
from jaxgrad.interop.scalesim import read_buffer, write_buffer
from jaxgrad.interop.scalesim.cfg import Config
from jaxgrad.interop.scalesim.folds import Folds
from jaxgrad.interop.scalesim.layers import Layer, Sparsity
from jaxgrad.interop.scalesim.read_buffer import Fillings, Requests
from jaxgrad.interop.scalesim.row_wise import RowWiseFilters, RowWiseWindows
from jaxgrad.interop.scalesim.storage import Storage, storage
from jaxgrad.interop.scalesim.traffic import Traffic
from jaxgrad.interop.scalesim.windows import Windows

# Beyond, an average over folds is taken from the sum of the PEs in use, rounded once: as many additions as SCALE-Sim
# makes would take long, and SCALE-Sim itself longer than anyone has.
_MOST_ADDITIONS = 10_000_000
# What may have to be gone through one by one, some microseconds each.
_MOST_DRAINS = 50_000_000
_MOST_COL_FOLDS = 10_000_000


@dataclass(frozen=True)
class Figures:
    """What SCALE-Sim reports of a layer.

    Args:
        macs: multiply-accumulates of the layer, those with zeros of sparse filters too.
        cycles: "Total Cycles", which is the index of the last one.
        mapping_efficiency, compute_utilisation: per cent, averaged over folds.
        ifmap_sram, filter_sram, ofmap_sram: traffic with the array.
        ifmap_dram, filter_dram, ofmap_dram: traffic with DRAM.
        storage: of the filters, where the machine makes use of their sparsity.
    """

    macs: int
    pes: int
    cycles: int
    mapping_efficiency: float
    compute_utilisation: float
    ifmap_sram: Traffic
    filter_sram: Traffic
    ofmap_sram: Traffic
    ifmap_dram: Traffic
    filter_dram: Traffic
    ofmap_dram: Traffic
    storage: Storage | None = None

    # In CALC mode every read hits, and no write waits: see ``write_buffer.py``.
    stall_cycles = 0

    @property
    def cycles_with_prefetch(self) -> int:
        return self.ofmap_dram.stop - min(self.ifmap_dram.start, self.filter_dram.start)

    @property
    def overall_utilisation(self) -> float:
        """Per cent."""
        return self.macs * 100 / (self.cycles * self.pes)

    @property
    def sram_bandwidths(self) -> tuple[float, float, float]:
        """Words a cycle: ifmap, filter, ofmap."""
        ifmap, filters, ofmap = (traffic.words / self.cycles for traffic in self.sram)
        return ifmap, filters, ofmap

    @property
    def dram_bandwidths(self) -> tuple[float, float, float]:
        """Words a cycle, between an operand's first and last access."""
        ifmap, filters, ofmap = (traffic.words / (traffic.stop - traffic.start + 1) for traffic in self.dram)
        return ifmap, filters, ofmap

    @property
    def sram(self) -> tuple[Traffic, Traffic, Traffic]:
        return self.ifmap_sram, self.filter_sram, self.ofmap_sram

    @property
    def dram(self) -> tuple[Traffic, Traffic, Traffic]:
        return self.ifmap_dram, self.filter_dram, self.ofmap_dram


def figures(layer: Layer, config: Config) -> Figures:
    """SCALE-Sim's figures for the layer.

    Raises:
        InputError: SCALE-Sim divides by zero on this layer, and so has no figures.
    """
    shape = (layer.ifmap_height, layer.ifmap_width, layer.filter_height, layer.filter_width)
    sizes_and_stride = (*shape, layer.channels, layer.filters, layer.stride)
    # Many layers of a network are alike but for their names.
    anonymous = Layer("", *sizes_and_stride, stride_width=layer.stride_width)
    anonymous = replace(anonymous, sparsity=layer.sparsity, row_wise=layer.row_wise)
    sizes = (config.ifmap_kb, config.filter_kb, config.ofmap_kb)
    folds = Folds(layer.product, config.rows, config.cols, config.dataflow)
    outcome = _figures(anonymous, folds, sizes, config.sparsity)
    if isinstance(outcome, InputError):
        raise outcome.renamed(f"layer {layer.name!r} on line {layer.line}")
    return outcome


@lru_cache(maxsize=4096)
def _figures(
    layer: Layer, folds: Folds, sizes_kb: tuple[int, int, int], representation: str | None
) -> Figures | InputError:
    cycles = folds.cycles - 1
    if not cycles:
        problem = "got a product of one cycle, which SCALE-Sim takes for none and divides by"
        return InputError("product", folds.product, "leave the layer out", problem=problem)
    ifmap_kb, filter_kb, ofmap_kb = sizes_kb
    if _countless(layer, folds, ofmap_kb):
        m, n, k = folds.product
        problem = f"got a product of {m} x {n} x {k}, too much to count on this machine"
        return InputError("product", folds.product, "give larger SRAMs, or a larger array", problem=problem)
    ifmap, filters = _requests(layer, folds, read_buffer.capacity(ifmap_kb), read_buffer.capacity(filter_kb))
    for name, size_kb, requests in (("IfmapSramSzkB", ifmap_kb, ifmap), ("FilterSramSzkB", filter_kb, filters)):
        if requests.fillings.clash:
            return InputError(
                name,
                size_kb,
                "give a larger SRAM or a smaller array",
                problem=f"got {name} of {size_kb}, which the array fills twice in one cycle, so that SCALE-Sim divides "
                "by zero",
            )
    mapping, compute = _averages(layer, folds)
    return Figures(
        macs=layer.dense_product.macs,
        pes=folds.rows * folds.cols,
        cycles=cycles,
        mapping_efficiency=mapping * 100,
        compute_utilisation=compute * 100,
        ifmap_sram=ifmap.sram,
        filter_sram=filters.sram,
        ofmap_sram=Traffic(folds.written(0, 0).first, _last_written(folds), _ofmap_writes(folds)),
        ifmap_dram=read_buffer.traffic(ifmap, ifmap_kb),
        filter_dram=read_buffer.traffic(filters, filter_kb),
        ofmap_dram=write_buffer.writes(folds, write_buffer.half(ofmap_kb)),
        storage=None if representation is None else storage(layer, representation),
    )


def _countless(layer: Layer, folds: Folds, ofmap_kb: int) -> bool:
    """Whether the layer would take hours; SCALE-Sim would take longer than anyone has."""
    if layer.row_wise is not None:
        walked = RowWiseWindows(layer, folds).countless
    else:
        windows = Windows(layer.condensed, folds)
        walked = (windows.overlap or layer.overhangs) and windows.countless
    drains = _ofmap_writes(folds) // write_buffer.half(ofmap_kb)
    return walked or drains > _MOST_DRAINS or (folds.dataflow == "os" and folds.col_folds > _MOST_COL_FOLDS)


def _requests(layer: Layer, folds: Folds, ifmap_held: int, filters_held: int) -> tuple[Requests, Requests]:
    """Of ifmap and filters, with buffers of so many words."""
    if layer.row_wise is not None:
        windows, filters = RowWiseWindows(layer, folds), RowWiseFilters(layer, folds)
        return (
            Requests(windows.first_cycle, windows.last_cycle, windows.reads, windows.fillings(ifmap_held)),
            Requests(filters.first, filters.last, _filter_reads(folds), filters.fillings(filters_held)),
        )
    fillings, first = _ifmap_fillings(layer, folds, ifmap_held)
    ifmap = Requests(first, _last_ifmap(layer, folds), _ifmap_reads(layer, folds), fillings)
    fillings, first = _filter_fillings(folds, filters_held)
    return ifmap, Requests(first, _last_filter(folds), _filter_reads(folds), fillings)


def _ifmap_fillings(layer: Layer, folds: Folds, held: int) -> tuple[Fillings, int]:
    """Fillings of the ifmap's buffer, and the cycle of its first request."""
    stationary = folds.dataflow == "is"
    first = (folds.stationary(0, 0) if stationary else folds.streamed_over_rows(0)).first
    windows = Windows(layer.condensed, folds)
    if windows.overlap or layer.overhangs:
        return windows.fillings(held), first
    return (read_buffer.stationary_fillings if stationary else read_buffer.left_fillings)(folds, held), first


def _filter_fillings(folds: Folds, held: int) -> tuple[Fillings, int]:
    if folds.dataflow == "os":
        return read_buffer.top_fillings(folds, held), folds.streamed_over_cols(0).first
    if folds.dataflow == "ws":
        return read_buffer.stationary_fillings(folds, held), folds.stationary(0, 0).first
    return read_buffer.left_fillings(folds, held), folds.streamed_over_rows(0).first


def _last_ifmap(layer: Layer, folds: Folds) -> int:
    if layer.overhangs:
        return Windows(layer, folds).last_cycle
    if folds.dataflow == "is":
        return _in_last_fold(folds, folds.stationary(-1, -1).last)
    return _in_last_fold(folds, folds.streamed_over_rows(-1).last)


def _last_filter(folds: Folds) -> int:
    if folds.dataflow == "os":
        return _in_last_fold(folds, folds.streamed_over_cols(-1).last)
    if folds.dataflow == "ws":
        return _in_last_fold(folds, folds.stationary(-1, -1).last)
    return _in_last_fold(folds, folds.streamed_over_rows(-1).last)


def _last_written(folds: Folds) -> int:
    return _in_last_fold(folds, folds.written(-1, -1).last)


def _in_last_fold(folds: Folds, cycle: int) -> int:
    return (folds.count - 1) * folds.cycles_each + cycle


def _ifmap_reads(layer: Layer, folds: Folds) -> float:
    """Places of the stream, those outside the input included; with sparsity, ws counts each M / N times, a fraction."""
    if layer.sparsity is not None and folds.dataflow == "ws":
        return _shared_reads(layer.sparsity, folds)
    m, _, k = folds.product
    return m * k * (1 if folds.dataflow == "is" else folds.col_folds)


def _shared_reads(sparsity: Sparsity, folds: Folds) -> float:
    """Sum over all folds as SCALE-Sim makes it, one after another."""
    full, edge = (folds.mapped[2] * folds.used_rows(fold) * (sparsity.block / sparsity.kept) for fold in (0, -1))
    if folds.count > _MOST_ADDITIONS:
        return folds.col_folds * ((folds.row_folds - 1) * full + edge)
    total = 0.0
    for reads in ([full] * (folds.row_folds - 1) + [edge]) * folds.col_folds:
        total += reads
    return total


def _filter_reads(folds: Folds) -> int:
    _, n, k = folds.product
    return k * n * {"os": folds.row_folds, "ws": 1, "is": folds.col_folds}[folds.dataflow]


def _ofmap_writes(folds: Folds) -> int:
    """In os, a fold's rows and columns are counted on top of its words; ws and is write every fold's partial sums."""
    m, n, _ = folds.product
    if folds.dataflow == "os":
        return m * n + folds.count * (folds.rows + folds.cols)
    return m * n * folds.row_folds


def _averages(layer: Layer, folds: Folds) -> tuple[float, float]:
    """Mapping efficiency and compute utilisation, averaged over folds."""
    pes, streamed = folds.rows * folds.cols, folds.mapped[2]
    # In ws and is SCALE-Sim adds the skew of the columns to a fold that has it already.
    cycles = folds.cycles_each + (0 if folds.dataflow == "os" else folds.cols - 1)
    mapping = _average(folds, 1, pes) if layer.row_wise is None else _average_filled(layer, folds)
    return mapping, _average(folds, streamed, pes * cycles)


def _average_filled(layer: Layer, folds: Folds) -> float:
    """Average over folds of the PEs that hold a word: with ratios of their own, filters leave some empty."""
    filled, pes = RowWiseFilters(layer, folds).lines.sum(1), folds.rows * folds.cols
    if folds.count > _MOST_ADDITIONS:
        return int(filled.sum()) / (folds.count * pes)
    return sum(words / pes for words in filled.tolist()) / folds.count


def _average(folds: Folds, numerator: int, denominator: int) -> float:
    """Average over folds of the PEs in use, times a fraction: a Python sum in the order of folds, as SCALE-Sim's is."""
    if folds.count > _MOST_ADDITIONS:
        rows, cols, _ = folds.mapped
        return rows * cols * numerator / (folds.count * denominator)

    def column(col_fold: int) -> list[float]:
        full, edge = (folds.used_rows(fold) * folds.used_cols(col_fold) * numerator / denominator for fold in (0, -1))
        return [full] * (folds.row_folds - 1) + [edge]

    return sum(column(0) * (folds.col_folds - 1) + column(-1)) / folds.count
