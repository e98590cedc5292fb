"""What is off in SCALE-Sim 3.0.0's figures, by name, and what each figure should be.

Every correction puts one quirk right and leaves the others, so that their sizes can be told apart; the last, ``all of
them``, is the layer with all of them put right, on the same array with folds that do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jaxgrad.interop.scalesim import row_wise
from jaxgrad.interop.scalesim.cfg import Config
from jaxgrad.interop.scalesim.folds import Folds
from jaxgrad.interop.scalesim.layers import Layer
from jaxgrad.interop.scalesim.model import Figures
from jaxgrad.interop.scalesim.row_wise import RowWiseWindows

ALL = "all of them"
# name -> what SCALE-Sim does, and what should be
QUIRKS: dict[str, str] = {
    "last index": "reports the index of the last cycle, one less than the cycles there are",
    "no drain": "os outputs leave the array before their sums are done; a fold takes R cycles more to drain",
    "full edge folds": "an edge fold is charged as a full one; it takes only the rows and columns that it uses",
    "ofmap fold bug": "os adds R + C to the ofmap's writes in every fold; the words are those of the output",
    "unread partial sums": "ws and is write partial sums for every fold of the rows, and never read one back",
    "output size": "where the stride leaves a remainder, the output is one row or column too large, its windows partly "
    "outside the input",
    "dense MACs": "counts in utilisation the multiply-accumulates with the zeros of sparse filters, which it skips",
    "empty slots": "with ratios drawn for filters, counts as read what stays empty in the array's rows and at its edge",
    "double skew": "ws and is divide compute utilisation by folds C - 1 cycles longer than they are",
    "full drain lines": "a line of the ofmap's buffer that a drain cut short is counted as full later",
    "unknown columns": "knows no padding, batch or groups: its figures are as if they were not there",
    "DP in a name": "takes any name with DP in it for a depthwise layer, and makes it a layer a channel; one whose "
    "name only happens to hold it is one layer, whose figures stand with the first of its parts",
    ALL: "cycles, work and utilisation with every quirk above put right",
}


class Correction(NamedTuple):
    """One figure of one layer, as SCALE-Sim has it (0 where it has none) and put right."""

    quirk: str
    figure: str
    reported: float
    corrected: float


def corrections(layer: Layer, config: Config, figures: Figures) -> Iterator[Correction]:
    """What is off in the layer's figures; a quirk that does not show in them is left out, but for the last two."""
    folds = Folds(layer.product, config.rows, config.cols, config.dataflow)
    every = [*_timing(folds, figures), *_words(folds, figures), *_size(layer, folds, figures)]
    whole = layer
    if layer.row is not None:
        whole = layer.row.layer
        together = Folds(whole.product, config.rows, config.cols, config.dataflow).cycles - 1
        cycles = together if layer.row.part == 0 else 0
        every.append(Correction("DP in a name", "Total Cycles", figures.cycles, cycles))
    yield from (correction for correction in every if correction.reported != correction.corrected)
    if layer.row is not None and layer.row.part:
        yield Correction(ALL, "MACs", figures.macs, 0)
        yield Correction(ALL, "Total Cycles", figures.cycles, 0)
        return
    macs, cycles = true_macs(whole), true_cycles(whole, config)
    yield Correction(ALL, "MACs", figures.macs, macs)
    yield Correction(ALL, "Total Cycles", figures.cycles, cycles)
    yield Correction(ALL, "Overall Util %", figures.overall_utilisation, macs * 100 / (cycles * figures.pes))


def true_cycles(layer: Layer, config: Config) -> int:
    """Cycles of the layer with padding, batch and groups, folds drained and edge folds as long as they need be."""
    folds = Folds(layer.true_product, config.rows, config.cols, config.dataflow)
    return layer.groups * (_needed(folds) + (_used_rows(folds) if config.dataflow == "os" else 0))


def true_macs(layer: Layer) -> int:
    """Multiply-accumulates of stored places, with padding, batch and groups."""
    m, n, k = layer.true_product
    if layer.row_wise is None:
        return m * n * k * layer.groups
    return m * row_wise.stored(layer.row_wise, layer.window // layer.groups, n) * layer.groups


def _timing(folds: Folds, figures: Figures) -> Iterator[Correction]:
    cycles = figures.cycles
    yield Correction("last index", "Total Cycles", cycles, cycles + 1)
    with_prefetch = figures.cycles_with_prefetch
    yield Correction("last index", "Total Cycles (incl. prefetch)", with_prefetch, with_prefetch + 1)
    if folds.dataflow == "os":
        yield Correction("no drain", "Total Cycles", cycles, cycles + folds.count * folds.rows)
    else:
        skewed = folds.cycles_each + folds.cols - 1
        utilisation = figures.compute_utilisation * skewed / folds.cycles_each
        if folds.cols > 1:
            yield Correction("double skew", "Compute Util %", figures.compute_utilisation, utilisation)
    yield Correction("full edge folds", "Total Cycles", cycles, cycles - folds.cycles + _needed(folds))


def _words(folds: Folds, figures: Figures) -> Iterator[Correction]:
    m, n, _ = folds.product
    written = m * n * (1 if folds.dataflow == "os" else folds.row_folds)
    if folds.dataflow == "os":
        yield Correction("ofmap fold bug", "SRAM OFMAP Writes", figures.ofmap_sram.words, written)
    else:
        yield Correction("unread partial sums", "SRAM OFMAP Reads", 0, m * n * (folds.row_folds - 1))
    yield Correction("full drain lines", "DRAM OFMAP Writes", figures.ofmap_dram.words, written)


def _size(layer: Layer, folds: Folds, figures: Figures) -> Iterator[Correction]:
    each = _stored_macs(layer)
    yield Correction("dense MACs", "MACs", figures.macs, folds.product.m * each)
    if layer.row_wise is not None:
        windows = RowWiseWindows(layer, folds)
        yield Correction("empty slots", "SRAM IFMAP Reads", figures.ifmap_sram.words, windows.places)
        yield Correction("empty slots", "SRAM Filter Reads", figures.filter_sram.words, each)
    if layer.overhangs:
        cropped = Folds(layer.cropped, folds.rows, folds.cols, folds.dataflow)
        yield Correction("output size", "MACs", folds.product.m * each, cropped.product.m * each)
        yield Correction("output size", "Total Cycles", figures.cycles, cropped.cycles - 1)
        yield Correction("output size", "SRAM IFMAP Reads", figures.ifmap_sram.words, _ifmap_reads(layer, cropped))
    yield Correction("unknown columns", "MACs", layer.cropped.m * each, true_macs(layer))


def _stored_macs(layer: Layer) -> int:
    """Multiply-accumulates of one window."""
    if layer.row_wise is None:
        return layer.product.n * layer.product.k
    return row_wise.stored(layer.row_wise, layer.window, layer.filters)


def _ifmap_reads(layer: Layer, folds: Folds) -> int:
    if layer.row_wise is not None:
        return RowWiseWindows(layer, folds).reads
    m, _, k = folds.product
    return m * k * (1 if folds.dataflow == "is" else folds.col_folds)


def _needed(folds: Folds) -> int:
    """Cycles of all folds, each with the rows and columns that it uses."""
    _, cols, streamed = folds.mapped
    loaded = 1 if folds.dataflow == "os" else 2
    return loaded * _used_rows(folds) + folds.row_folds * cols + folds.count * (streamed - 2)


def _used_rows(folds: Folds) -> int:
    """Rows in use, summed over all folds."""
    return folds.mapped[0] * folds.col_folds
