"""A GEMM's operands as a testbench's memories hold them, and its results and counters as one leaves them."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jaxgrad.array.mapping import oriented
from jaxgrad.array.passes.base import Keeps
from jaxgrad.array.passes.events import Events, SlotEvents
from jaxgrad.base.arithmetic import ceil_div
from jaxgrad.rtl.datapath import Datapath
from jaxgrad.rtl.machine import Machine, Program
from jaxgrad.rtl.pe import Kind

Words = NDArray[np.uint32]


def words(values: NDArray[Any], datapath: Datapath, kind: Kind = "operand") -> Words:
    """Operands as the bits of words of a kind: two's complement, the upper halves of float32, or signs."""
    if datapath.is_sign(kind):
        return (np.asarray(values) < 0).astype(np.uint32)
    if datapath.is_float:
        return np.ascontiguousarray(values, np.float32).view(np.uint32) >> np.uint32(32 - datapath.operand_bits)
    return np.asarray(values).astype(np.int64).astype(np.uint32) & np.uint32((1 << datapath.bits(kind)) - 1)


def numbers(bits: Words, datapath: Datapath) -> NDArray[Any]:
    """Sums from the bits of their words: int32 or float32."""
    return bits.astype(np.uint32).view(np.float32 if datapath.is_float else np.int32)


def address_bits(machine: Machine, program: Program, sizes: Dictionary[str, int]) -> int:
    """Bits of an address of the longest lane, four at least."""
    s, p, q = (sizes[axis] for axis in program.mapping.axes)
    n_p, n_q = _tiles(machine, p, q)
    longest = max(s * n_p, s * n_q, n_p * n_q * machine.array.rows)
    return max(4, (longest - 1).bit_length())


def write(folder: Path, machine: Machine, program: Program, tensors: Dictionary[str, NDArray[Any]], depth: int) -> None:
    """The memories' files, ``h.hex``, ``v.hex`` and ``load.hex``, of ``depth`` words a lane."""
    mapping, array, ports = program.mapping, machine.array, machine.ports
    name, axes = mapping.stream
    h = words(oriented(tensors[name], name, axes), machine.datapath, ports["h"])
    slots = len(machine.dataflows)
    streamed = np.zeros((slots, array.cols, depth), np.uint32)
    loaded = np.zeros((slots, array.cols, depth), np.uint32)
    for index, (slot, keeps) in enumerate(zip(program.slots, mapping.keeps, strict=True)):
        name, axes = mapping.operand(index)
        port = ports["load" if keeps == "operand" else "v"]
        operand = words(oriented(tensors[name], name, axes), machine.datapath, port)
        if keeps == "operand":
            _put(loaded[slot], _by_tile(operand, array.rows, array.cols))
        else:
            _put(streamed[slot], _by_lane(operand, array.cols))
    across = np.zeros((array.rows, depth), np.uint32)
    _put(across, _by_lane(h, array.rows))
    for file, memory in (("h", across), ("v", streamed), ("load", loaded)):
        text = "\n".join(f"{word:x}" for word in memory.reshape(-1).tolist())
        (folder / f"{file}.hex").write_text(text + "\n", encoding="ascii")


def read(folder: Path, machine: Machine, program: Program, sizes: Dictionary[str, int], depth: int) -> dict[str, Any]:
    """The results by name, int32 or float32, from the files that a testbench left."""
    mapping, array = program.mapping, machine.array
    s, p, q = (sizes[axis] for axis in mapping.axes)
    n_p, n_q = _tiles(machine, p, q)
    slots = len(machine.dataflows)
    results: dict[str, Any] = {}
    for index, (slot, keeps) in enumerate(zip(program.slots, mapping.keeps, strict=True)):
        if keeps == "nothing":
            lanes = _memory(folder / "out_right.hex").reshape(array.rows, depth)[:, : s * n_p]
            found = lanes.reshape(array.rows, n_p, s).transpose(2, 1, 0).reshape(s, -1)[:, :p]
        elif keeps == "operand":
            lanes = _memory(folder / "out_bottom.hex").reshape(slots, array.cols, depth)[slot, :, : s * n_q]
            found = lanes.reshape(array.cols, n_q, s).transpose(2, 1, 0).reshape(s, -1)[:, :q]
        else:
            lanes = _memory(folder / "out_drain.hex").reshape(slots, array.cols, depth)[slot]
            tiles = lanes[:, : n_p * n_q * array.rows].reshape(array.cols, n_q, n_p, array.rows)[..., ::-1]
            found = tiles.transpose(2, 3, 1, 0).reshape(n_p * array.rows, -1)[:p, :q]
        name, axes = mapping.result(index)
        results[name] = oriented(numbers(np.ascontiguousarray(found), machine.datapath), name, axes)
    return results


def events(folder: Path, program: Program) -> Events:
    """What the hardware and its testbench counted."""
    counted: dict[tuple[str, int], int] = {}
    for line in (folder / "counters.txt").read_text(encoding="ascii").splitlines():
        name, slot, count = line.split()
        counted[name, int(slot)] = int(count)

    def of_slot(slot: int, keeps: Keeps) -> SlotEvents:
        found = SlotEvents(*(counted.get((field, slot), 0) for field in SlotEvents._fields))
        down, right = counted["moves_down", slot], counted["moves_right", slot]
        if keeps == "operand":
            return found._replace(psum_hops=down)
        if keeps == "result":
            return found._replace(operand_hops=down, acc_updates=found.macs)
        return found._replace(operand_hops=down, psum_hops=right)

    slots = tuple(map(of_slot, program.slots, program.mapping.keeps))
    return Events(counted["cycles", 0], counted["stream_reads", 0], counted["stream_hops", 0], slots)


def _tiles(machine: Machine, p: int, q: int) -> tuple[int, int]:
    return ceil_div(p, machine.array.rows), ceil_div(q, machine.array.cols)


def _by_lane(values: Words, lanes: int) -> Words:
    """A streamed matrix ``[s, length]``: lane j has word s of tile t at ``t * S + s``."""
    s, length = values.shape
    tiles = ceil_div(length, lanes)
    padded = np.pad(values, ((0, 0), (0, tiles * lanes - length)))
    return padded.reshape(s, tiles, lanes).transpose(2, 1, 0).reshape(lanes, -1)


def _by_tile(values: Words, rows: int, cols: int) -> Words:
    """A stationary matrix ``[p, q]``: tile after tile, p innermost, each from its last row up."""
    n_p, n_q = ceil_div(values.shape[0], rows), ceil_div(values.shape[1], cols)
    padded = np.pad(values, ((0, n_p * rows - values.shape[0]), (0, n_q * cols - values.shape[1])))
    return padded.reshape(n_p, rows, n_q, cols)[:, ::-1].transpose(3, 2, 0, 1).reshape(cols, -1)


def _put(memory: Words, lanes: Words) -> None:
    memory[:, : lanes.shape[1]] = lanes


def _memory(path: Path) -> Words:
    lines = path.read_text(encoding="ascii").splitlines()
    return np.array([int(line.replace("x", "0"), 16) for line in lines if line and line[0] not in "@/"], np.uint32)
