"""The text of a kernel: a PE's gates as C++, in the templates of the engines."""

from __future__ import annotations

import math
from typing import Literal

from jaxgrad.array.kernel.cell import Cell, Shifted, Stepped
from jaxgrad.array.passes.circuit import Node, gates
from jaxgrad.base.templates import rendered

WORDS = {"float32": "float", "float64": "double", "int32": "int32_t"}
"""Types of words, by JAX's names."""

Engine = Literal["serial", "overlapped"]
Kind = Literal["word", "bit", "bits"]
"""What a name in the text stands for: words of some columns, one bit for all of them, a bit of each."""

_TYPES: dict[Kind, str] = {"word": "Vec", "bit": "bool", "bits": "Mask"}
_OF_WORDS = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|"}
_COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_OF_BITS = {"and": "&", "or": "|", "eq": "==", "ne": "!="}


def source(cell: Cell, dtype: str, engine: Engine, stride: int) -> str:
    """The text.

    Args:
        cell: the PE.
        dtype: of its words, one of ``WORDS``.
        engine: one tile after another, or overlapping through shadow registers.
        stride: how many slots share each streamed row.
    """
    context = {
        "title": f"{', '.join(f'keeps its {kept}' for kept in cell.keeps)}; {engine}, {dtype}",
        "word": WORDS[dtype],
        "engine": engine,
        "stride": stride,
        "keeps": cell.keeps,
        "registers": [_register(name) for name in cell.registers],
        "steps": [_step(step) for step in cell.steps],
        "shifts": [{"chain": _register(shift.chain), "body": _shift(shift)} for shift in cell.shifts],
    }
    return rendered("jaxgrad.array.kernel", "kernel.cc.j2", context)


def _step(step: Stepped) -> str:
    lines, names = _lines([*step.registers.values(), step.v, step.multiplicand])
    lines += _assigned(step.registers, names)
    return _text([*lines, f"v = {names[step.v]};", f"return {names[step.multiplicand]};"])


def _shift(shift: Shifted) -> str:
    lines, names = _lines(list(shift.registers.values()))
    return _text([*lines, *_assigned(shift.registers, names)])


def _text(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _assigned(registers: dict[str, Node], names: dict[Node, str]) -> list[str]:
    """A line for each register that does not stay as it is."""
    return [
        f"pe.{_register(name)} = {names[node]};"
        for name, node in registers.items()
        if (node.gate, node.value) != ("input", name)
    ]


def _register(name: str) -> str:
    return f"r_{name}"  # which is no word of C++


def _lines(roots: list[Node]) -> tuple[list[str], dict[Node, str]]:
    """A line for each gate that roots are made of, and what each is called."""
    lines: list[str] = []
    names: dict[Node, str] = {}
    kinds: dict[Node, Kind] = {}
    for node in gates(roots):
        kinds[node], text = _gate(node, [kinds[part] for part in node.of], [names[part] for part in node.of])
        names[node] = f"n{len(names)}"
        lines.append(f"[[maybe_unused]] const {_TYPES[kinds[node]]} {names[node]} = {text};")
    return lines, names


def _gate(node: Node, kinds: list[Kind], of: list[str]) -> tuple[Kind, str]:
    gate = node.gate
    if gate == "input":
        return _input(node.value)
    if gate == "constant":
        return ("bit", str(node.value).lower()) if isinstance(node.value, bool) else ("word", _word(node.value))
    if gate == "select":
        condition, yes, no = of
        if kinds[1] == "word":
            return "word", f"Select({condition}, {yes}, {no})"
        condition, yes, no = (f"AsMask({part})" for part in of)
        return "bits", f"({condition} & {yes}) | (~{condition} & {no})"
    if gate in ("not", "neg"):
        sign = "-" if gate == "neg" else "!" if kinds[0] == "bit" else "~"
        return kinds[0], sign + of[0]
    left, right = of
    if kinds == ["word", "word"]:
        return (
            ("bits", f"{left} {_COMPARED[gate]} {right}")
            if gate in _COMPARED
            else ("word", f"{left} {_OF_WORDS[gate]} {right}")
        )
    if kinds == ["bit", "bit"]:
        return "bit", f"{left} {_OF_BITS[gate]} {right}"
    return "bits", f"AsMask({left}) {_OF_BITS[gate]} AsMask({right})"


def _input(name: str) -> tuple[Kind, str]:
    if name in ("first", "last"):
        return "bit", name
    return "word", name if name in ("h_in", "v_in", "top") else f"pe.{_register(name)}"


def _word(value: float) -> str:
    if isinstance(value, int):
        return f"Splat(Word({value}))"
    if math.isnan(value):
        return "Splat(std::numeric_limits<Word>::quiet_NaN())"
    if math.isinf(value):
        return f"Splat({'-' if value < 0 else ''}std::numeric_limits<Word>::infinity())"
    return f"Splat(Word({value.hex()}))"
