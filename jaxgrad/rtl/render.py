"""A machine as files of SystemVerilog."""

from __future__ import annotations

from importlib import resources
from typing import Any, get_args

from jaxgrad.base.templates import rendered
from jaxgrad.rtl.datapath import Datapath
from jaxgrad.rtl.formula import Formula
from jaxgrad.rtl.machine import Machine, Program
from jaxgrad.rtl.pe import Kind, Pe, pe_of
from jaxgrad.rtl.wiring import Unit, wire

STATIC = ("delay.sv", "skew.sv", "psum_buffer.sv", "walker.sv")
FLOATS = ("bf16_multiply.sv", "fp32_add.sv")
TESTBENCH = "testbench.sv"
ADDRESS_BITS = 12
"""Of a word in a lane, where who takes the machine says nothing else."""
RENDERED = ("pe.sv", "systolic_array.sv", "controller.sv", "machine.sv")


def render(machine: Machine, title: str, address_bits: int | None = None) -> dict[str, str]:
    """The text of each file by its name.

    Args:
        machine: what is described.
        title: of it, for the heads of files.
        address_bits: then with a testbench, whose memories have ``2 ** address_bits`` words a lane.
    """
    context = _context(machine, title) | {"address_bits": address_bits}
    names = RENDERED if address_bits is None else (*RENDERED, TESTBENCH)
    static = (*STATIC, *(FLOATS if machine.datapath.is_float else ()))
    texts = {name: (resources.files("jaxgrad.rtl") / "modules" / name).read_text(encoding="utf-8") for name in static}
    return texts | {name: rendered("jaxgrad.rtl", f"{name}.j2", context) for name in names}


def bits(values: int) -> int:
    """Bits that tell so many values apart, one at least."""
    return max(1, (values - 1).bit_length())


def _context(machine: Machine, title: str) -> dict[str, Any]:
    rows, cols = machine.array.rows, machine.array.cols
    pe = pe_of(machine.pass_(), machine.links)
    wiring = wire(pe, machine.datapath)
    kinds: tuple[Kind, ...] = get_args(Kind)
    slots = len(pe.keeps)
    down = [slot for slot, kept in enumerate(pe.keeps) if kept == "operand"]
    drained = [slot for slot, kept in enumerate(pe.keeps) if kept == "result"]
    lag = int(machine.array.double_buffered)
    shift_kinds = [kind for kind, of_kind in (("load", down), ("drain", drained)) if of_kind]
    masks = {"load": _mask(down, slots), "drain": _mask(drained, slots)}
    return {
        "title": title,
        "default_address_bits": ADDRESS_BITS,
        "rows": rows,
        "cols": cols,
        "datapath": machine.datapath,
        "types": {kind: machine.datapath.declared(kind) for kind in kinds},
        "bits": {kind: machine.datapath.bits(kind) for kind in kinds},
        "keeps": pe.keeps,
        "kinds": pe.kinds,
        "ports": machine.ports,
        "registers": list(pe.circuits[0].registers),
        "slots": slots,
        "slot_names": [_slot_name(machine, pe, slot) for slot in range(slots)],
        "slot_bits": bits(slots),
        "owner_bits": bits(slots) if slots > 1 else 0,
        "program_bits": bits(len(machine.programs)),
        "row_count_bits": bits(rows + 1),
        "col_count_bits": bits(cols + 1),
        "flags": wiring.flags,
        "shifted": pe.shifted,
        "unshifted": [slot for slot in range(slots) if slot not in pe.shifted],
        "chain_kinds": {slot: pe.links[slot]["top"] for slot in pe.shifted},
        "chains": wiring.chains,
        "moving": {slot: _moving(pe, slot, lag) for slot in pe.shifted},
        "lag": lag,
        "narrowed": wiring.narrowed,
        "units": wiring.units,
        "common": wiring.common,
        "chosen": wiring.chosen,
        "shift_kinds": shift_kinds,
        "kind_masks": masks,
        "down": down,
        "drained": drained,
        "right": [slot for slot, kept in enumerate(pe.keeps) if kept == "nothing"],
        "top_operands": len(down) < slots,
        "nonzero": _nonzero(machine.datapath, wiring.units[0]),
        "unused": [
            *(["owner"] if slots > 1 else []),
            *wiring.flags,
            *([f"shift{s}" for s in pe.shifted] if lag else []),
        ],
        "tiles_p": Formula("size_p").ceil_div(rows),
        "tiles_q": Formula("size_q").ceil_div(cols),
        "programs": [_program(machine, program) for program in machine.programs],
    }


def _nonzero(datapath: Datapath, multiplier: Unit) -> list[str]:
    """The bits of operands of which one is set where they are not zero: all, but a float's sign; -1 and 1 never are."""
    inputs: tuple[tuple[str, Kind], ...] = (
        (multiplier.left, multiplier.left_kind),
        (multiplier.right, multiplier.right_kind),
    )
    bits = f"[{datapath.operand_bits - 2}:0]" if datapath.is_float else ""
    return [f"{wire}{bits}" for wire, kind in inputs if not datapath.is_sign(kind)]


def _mask(slots: list[int], of: int) -> str:
    return f"{of}'b" + "".join(str(int(slot in slots)) for slot in reversed(range(of)))


def _moving(pe: Pe, slot: int, lag: int) -> str:
    if pe.keeps[slot] == "operand":
        return f" && step[{slot}] >= r"
    # Without shadow registers the zeros that follow the sums clear the accumulators.
    return f" && step[{slot}] < r" if lag else ""


def _slot_name(machine: Machine, pe: Pe, slot: int) -> str:
    what = {"operand": "keeps its operand", "result": "keeps its result", "nothing": "keeps nothing"}
    return f"{machine.dataflows[slot].name}: {what[pe.keeps[slot]]}"


def _program(machine: Machine, program: Program) -> dict[str, Any]:
    timeline = machine.timeline(program, Formula("size_s"), (Formula("tiles_p"), Formula("tiles_q")))
    slots = []
    for number, kept, slot in zip(program.slots, program.mapping.keeps, timeline.slots, strict=True):
        shift = {"operand": slot.load, "result": slot.drain + (machine.array.rows - 1), "nothing": 0}[kept]
        slots.append({"number": number, "start": slot.start, "offset": slot.offset, "shift": shift})
    return {
        "title": str(program),
        "axes": program.mapping.axes,
        "period": timeline.period,
        "cycles": timeline.cycles,
        "stride": timeline.slots[0].stride,
        "slots": slots,
    }
