"""SCALE-Sim's topology files, convolutions and GEMMs: read with the flaws its own have, and written as it reads them.

Its first line is a header unless it is a layer, which SCALE-Sim would pass over. Columns go by their place; those
beyond are passed over, with a note, save that a convolution's header may name four more. SCALE-Sim's lists and its
version 2 know the first, and nothing of it the others:

    Stride width   where it is not that downwards; without a header, the column after Strides
    Padding        pixels on each side of the input, 0 if left out
    Batch          images, 1 if left out; also Batch Size
    Groups         of channels and of filters, 1 if left out

A column with N:M, as SCALE-Sim 3's "Sparsity" has it, is the ratio of places of a window that are stored. It counts
where the .cfg says SparsitySupport, unless OptimizedMapping draws a ratio for each filter.

A layer with DP in its name becomes one layer a channel, as in SCALE-Sim, which looks for it anywhere. It means
depthwise where it begins or ends a word of the name (DP_1, ConvDP, conv2DP), and nothing inside of one (ENDPOINT,
DPN92, Pool2DPad): put right, that is one layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.interop.scalesim.layers import Layer, Product, Row, Sparsity, gemm_layer
from jaxgrad.interop.scalesim.text import decoded_lines, whole_number

Kind = Literal["conv", "gemm"]
KINDS: tuple[Kind, ...] = ("conv", "gemm")
_COLUMNS: dict[Kind, tuple[str, ...]] = {
    "conv": (
        "Layer name",
        "IFMAP Height",
        "IFMAP Width",
        "Filter Height",
        "Filter Width",
        "Channels",
        "Num Filter",
        "Strides",
    ),
    "gemm": ("Layer", "M", "N", "K"),
}
_LEAST = {"padding": 0, "batch": 1, "groups": 1}
_OTHER_TITLES = {"batch size": "batch"}
_SPARSITY = "spars"  # in a title
_RATIO = re.compile(r"([0-9]{1,9}):([0-9]{1,9})")
_MOST_LAYERS = 100_000
_DEPTHWISE = re.compile(
    r"(?<![A-Za-z0-9])DP(?![A-Z](?![a-z]))"  # begins a word, and no abbreviation
    r"|(?<=[a-z0-9])DP(?![A-Za-z])|(?<=[a-z])DP(?=[A-Z][a-z])"  # ends one, or stands between two
)


class Topology(NamedTuple):
    """The layers of a file, and what was read in another way than one might think, a sentence each."""

    layers: list[Layer]
    notes: list[str]


def read_topology(path: str | Path, kind: Kind) -> Topology:
    """The layers of a topology file.

    Raises:
        ValueError: a line won't do; the message names the file and the line.
        OSError: the file can't be read.
    """
    columns = _COLUMNS[kind]
    header: list[str] = []
    layers: list[Layer] = []
    passed_over: list[int] = []
    notes = []
    for number, line in decoded_lines(Path(path)):
        where = f"{path}, line {number}"
        cells = _cells(line)
        if number == 1:
            if _is_layer(cells, columns):
                header = [*columns, "stride width"] if kind == "conv" else []
                notes.append(f"{where} is a layer and no header: it is read, SCALE-Sim passes it over")
            else:
                header = [_OTHER_TITLES.get(cell.lower(), cell.lower()) for cell in cells]
                _check_header(where, header, kind)
                continue
        if not any(cells):
            continue
        if len(cells) < len(columns):
            other = "; for a GEMM topology give -i gemm" if kind == "conv" and len(cells) >= 4 else ""
            raise InputError(
                where, len(cells), f"give {', '.join(columns)}{other}", problem=f"got {len(cells)} columns"
            )
        if not cells[0].isprintable():
            raise InputError(f"{where}, {columns[0]}", cells[0], "give a name of printable letters")
        named = zip(columns[1:], cells[1 : len(columns)], strict=True)
        sizes = [whole_number(f"{where}, {column}", cell) for column, cell in named]
        extra, rest = _extra(where, header, cells, len(columns))
        sparsity = _sparsity(where, header, cells, len(columns))
        if rest:
            passed_over.append(number)
        if kind == "gemm":
            layers.append(replace(gemm_layer(cells[0], *sizes, line=number), sparsity=sparsity))
        else:
            made = _convolutions(where, Layer(cells[0], *sizes, line=number, sparsity=sparsity, **extra))
            layers += made
            if "DP" in cells[0]:
                innocent = (
                    "" if made[0].row is None else "; it is no sign of a depthwise layer, and put right it is one"
                )
                notes.append(
                    f"{where}: DP in the name {cells[0]!r} makes it a layer a channel, {len(made)} of them{innocent}"
                )
            if made[0].stride_width is not None:
                notes.append(f"{where}: two strides, of which SCALE-Sim 3.0.0 reads one from a file")
        if len(layers) > _MOST_LAYERS:
            raise InputError(where, _MOST_LAYERS, "give fewer", problem=f"got more than {_MOST_LAYERS} layers")
    if not layers:
        raise InputError(
            str(path), None, f"give a header line, then a line a layer: {', '.join(columns)},", problem="got no layers"
        )
    if passed_over:
        more = f" and {len(passed_over) - 1} more" if len(passed_over) > 1 else ""
        notes.append(f"{path}, line {passed_over[0]}{more}: columns beyond {columns[-1]} are passed over")
    return Topology(layers, notes)


def write_gemms(gemms: Iterable[tuple[str, Product]]) -> str:
    """A GEMM topology that SCALE-Sim reads, a line a product."""
    lines = [", ".join(_COLUMNS["gemm"])]
    for name, (m, n, k) in gemms:
        # DP in a name means nothing among GEMMs; a comma would end it.
        lines.append(f"{name.replace(',', ' ')}, {m}, {n}, {k}")
    return "".join(f"{line},\n" for line in lines)


def _is_layer(cells: Sequence[str], columns: Sequence[str]) -> bool:
    return len(cells) >= len(columns) and all(cell.isdecimal() for cell in cells[1 : len(columns)])


def _cells(line: str) -> list[str]:
    """The columns of a row, with or without a comma at its end; one of SCALE-Sim's own files has tabs for commas."""
    mark = "," if "," in line else "\t"
    return [cell.strip() for cell in line.strip().removesuffix(mark).split(mark)]


def _check_header(where: str, header: Sequence[str], kind: Kind) -> None:
    if kind == "gemm":
        if any("filter" in cell or "ifmap" in cell for cell in header):
            raise InputError(where, None, "give -i conv, or a GEMM topology", problem="got the header of convolutions")
        named = sorted(_LEAST.keys() & set(header))
        if named:
            raise InputError(
                where, named[0], "leave it out, convolutions alone have it", problem=f"got a column {named[0]!r}"
            )
    for name in _LEAST:
        if header.count(name) > 1:
            raise InputError(where, name, "keep one", problem=f"got two columns {name!r}")
        if name in header[: len(_COLUMNS[kind])]:
            raise InputError(
                where, name, "put it after Strides", problem=f"got {name!r} as column {header.index(name) + 1}"
            )


def _extra(where: str, header: Sequence[str], cells: Sequence[str], columns: int) -> tuple[dict[str, int], list[str]]:
    """The columns beyond those that SCALE-Sim knows: those the header names, and what is passed over."""
    extra, rest = {}, []
    for place, cell in enumerate(cells[columns:], start=columns):
        title = header[place] if place < len(header) else ""
        if not cell or _RATIO.fullmatch(cell):
            continue
        if title in _LEAST:
            extra[title] = whole_number(f"{where}, {title}", cell, least=_LEAST[title])
        elif "stride" in title:
            if "height" in title or "stride_width" in extra:
                raise InputError(
                    f"{where}, {title}", cell, "give the height's in the column Strides, the width's after it"
                )
            extra["stride_width"] = whole_number(f"{where}, {title}", cell)
        elif _SPARSITY not in title:
            rest.append(cell)
    return extra, rest


def _sparsity(where: str, header: Sequence[str], cells: Sequence[str], columns: int) -> Sparsity | None:
    """The ratio N:M of a row, in a column of that title or, without one, wherever there is one."""
    for place, cell in enumerate(cells[columns:], start=columns):
        title = header[place] if place < len(header) else ""
        ratio = _RATIO.fullmatch(cell)
        if ratio is None and (_SPARSITY not in title or not cell):
            continue
        kept, block = (int(number) for number in ratio.groups()) if ratio else (0, 0)
        if not 0 < kept <= block:
            raise InputError(f"{where}, {title or 'Sparsity'}", cell, "give N:M with N from 1 to M, such as 2:4")
        return Sparsity(kept, block)
    return None


def _convolutions(where: str, layer: Layer) -> list[Layer]:
    """The layers of a row: one, or one a channel."""
    for side in ("height", "width"):
        size, limit = getattr(layer, f"filter_{side}"), getattr(layer, f"ifmap_{side}")
        if size > limit:
            raise InputError(f"{where}, Filter {side.title()}", size, f"give at most IFMAP {side.title()}, {limit}")
    for name, count in (("Channels", layer.channels), ("Num Filter", layer.filters)):
        if count % layer.groups:
            raise InputError(f"{where}, groups", layer.groups, f"give a divisor of {name}, {count}")
    if layer.stride_width == layer.stride:
        layer = replace(layer, stride_width=None)
    if "DP" not in layer.name:
        return [layer]
    depthwise = _DEPTHWISE.search(layer.name) is not None
    if depthwise and layer.groups > 1:
        raise InputError(
            f"{where}, groups", layer.groups, "give one of the two", problem=f"got {layer.groups} with DP in the name"
        )
    if layer.channels > _MOST_LAYERS:
        raise InputError(
            f"{where}, Channels",
            layer.channels,
            f"give at most {_MOST_LAYERS}",
            problem=f"got {layer.channels} with DP in the name",
        )
    return [
        replace(
            layer,
            name=f"{layer.name}Channel_{number}",
            channels=1,
            groups=1,
            row=None if depthwise else Row(layer, number),
        )
        for number in range(layer.channels)
    ]
