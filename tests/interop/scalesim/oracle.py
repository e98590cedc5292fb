"""SCALE-Sim's array and buffers word by word, in the plainest way: lists, sets and loops, no closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxgrad.interop.scalesim.layers import Layer

Line = list[int]


class Demand(NamedTuple):
    """The words that cross each edge of the array, a line a cycle, in the order of columns."""

    ifmap: list[Line]
    filters: list[Line]
    ofmap: list[Line]


def demand(layer: Layer, rows: int, cols: int, dataflow: str) -> Demand:
    m, n, k = layer.product
    row_size, col_size, _ = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[dataflow]
    total = Demand([], [], [])
    for left in range(0, col_size, cols):
        for top in range(0, row_size, rows):
            used = min(rows, row_size - top), min(cols, col_size - left)
            length = rows + cols + (k if dataflow == "os" else m if dataflow == "ws" else n) - 2
            length += 0 if dataflow == "os" else rows
            fold = Demand(*([[] for _ in range(length)] for _ in range(3)))
            if dataflow == "os":
                for r in range(used[0]):
                    for time in range(k):
                        fold.ifmap[time + r] += ifmap_word(layer, top + r, time)
                for c in range(used[1]):
                    for time in range(k):
                        fold.filters[time + c].append((left + c) * k + time)
                    for r in range(used[0]):
                        fold.ofmap[k - 1 + (rows - 1 - r) + c].append((top + r) * n + left + c)
            else:
                for r in range(used[0]):
                    for c in range(used[1]):
                        if dataflow == "ws":
                            fold.filters[rows - 1 - r].append((left + c) * k + top + r)
                        else:
                            fold.ifmap[rows - 1 - r] += ifmap_word(layer, left + c, top + r)
                    for time in range(m if dataflow == "ws" else n):
                        if dataflow == "ws":
                            fold.ifmap[rows + time + r] += ifmap_word(layer, time, top + r)
                        else:
                            fold.filters[rows + time + r].append(time * k + top + r)
                for c in range(used[1]):
                    for time in range(m if dataflow == "ws" else n):
                        word = time * n + left + c if dataflow == "ws" else (left + c) * n + time
                        fold.ofmap[2 * rows - 1 + time + c].append(word)
            for lines, more in zip(total, fold, strict=True):
                lines.extend(more)
    return total


def ifmap_word(layer: Layer, window: int, place: int) -> Line:
    """The word at that place of that window, of those that are stored; none outside the input."""
    if layer.sparsity is not None:
        kept, block = layer.sparsity
        place = [number for number in range(layer.window) if number % block < kept][place]
    row, col = divmod(window, layer.ofmap_width)
    rest, channel = divmod(place, layer.channels)
    down, right = divmod(rest, layer.filter_width)
    row, col = row * layer.strides[0] + down, col * layer.strides[1] + right
    if row >= layer.ifmap_height or col >= layer.ifmap_width:
        return []
    return [(row * layer.ifmap_width + col) * layer.channels + channel]


def fillings(lines: Sequence[Line], held: int) -> tuple[int, int, int, bool]:
    """Times a buffer of ``held`` words is filled, the last time, words since; whether twice in one cycle."""
    buffer: set[int] = set()
    count, last, clash = 0, -1, False
    for cycle, line in enumerate(lines):
        for word in line:
            buffer.add(word)
            if len(buffer) == held:
                buffer = set()
                clash = clash or cycle == last
                count, last = count + 1, cycle
    return count, last, len(buffer), clash


def writes(lines: Sequence[Line], width: int, drained: int) -> tuple[int, int, int, int]:
    """First and last cycle of the ofmap's DRAM traffic, its words, and the cycles that writes waited."""
    size = free = 2 * drained
    trace: list[Line] = []
    current: Line = []
    at = counted = waited = 0
    drain_end = 0
    cycles: list[int] = []

    def close() -> None:
        nonlocal current
        if current:
            trace.append(current)
            current = []

    def drain(cycle: int) -> int:
        nonlocal at, free, counted
        taken = trace[at : at + -(-drained // width)]
        words = len(taken) * width - (width - len(taken[-1]))
        at, free, counted = at + len(taken), free + words, counted + words
        cycles.extend(range(cycle, cycle + len(taken)))
        return cycle + len(taken) - 1

    for cycle, line in enumerate(lines):
        for word in line:
            current.append(word)
            free -= 1
            if len(current) == width:
                close()
            if cycle < drain_end:
                waited += free <= 0
            elif free < size - drained:
                close()
                drain_end = drain(cycle)
    close()
    cycle = len(lines) - 1
    while at < len(trace):
        cycle = drain(cycle) + 1
    return min(cycles), max(cycles), counted, waited
