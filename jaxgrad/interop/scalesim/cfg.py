"""SCALE-Sim's .cfg files: what CALC mode needs of one, wherever in the file it stands.

SCALE-Sim's own files lack sections that SCALE-Sim 3.0.0 asks for, have keys of other versions, and comments: all that
is passed over. Version 1 names the SRAMs' sizes without their unit (``IfmapSramSz``), which is kB too. A key that
decides a figure must be there, once, with a value that SCALE-Sim would take.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxgrad.base.errors import InputError, one_of, shown
from jaxgrad.interop.scalesim.folds import DATAFLOWS, Dataflow
from jaxgrad.interop.scalesim.layers import RowWise
from jaxgrad.interop.scalesim.storage import REPRESENTATIONS
from jaxgrad.interop.scalesim.text import decoded_lines, whole_number

_SIZES = {
    "arrayheight": "ArrayHeight",
    "arraywidth": "ArrayWidth",
    "ifmapsramszkb": "IfmapSramSzkB",
    "filtersramszkb": "FilterSramSzkB",
    "ofmapsramszkb": "OfmapSramSzkB",
}
_FIRST = {
    "ifmapsramsz": "ifmapsramszkb",
    "filtersramsz": "filtersramszkb",
    "ofmapsramsz": "ofmapsramszkb",
}  # version 1's
_OFFSETS = {"ifmapoffset": "IfmapOffset", "filteroffset": "FilterOffset", "ofmapoffset": "OfmapOffset"}
_TEXTS = {
    "run_name": "run_name",
    "dataflow": "Dataflow",
    "interfacebandwidth": "InterfaceBandwidth",
    "sparsitysupport": "SparsitySupport",
    "sparserep": "SparseRep",
    "optimizedmapping": "OptimizedMapping",
    "blocksize": "BlockSize",
    "randomnumbergeneratorseed": "RandomNumberGeneratorSeed",
}
_KEYS = _SIZES | _OFFSETS | _TEXTS
_RUN_NAME = "scale_run"  # SCALE-Sim's own default
_MOST_COLUMNS = 1_000_000


@dataclass(frozen=True)
class Config:
    """What a .cfg says of the machine.

    Args:
        rows, cols: of the array, in PEs.
        ifmap_kb, filter_kb, ofmap_kb: SRAM sizes; a kB holds 1024 words.
        user_bandwidth: whether InterfaceBandwidth is USER, and the figures of CALC mode are not those of this file.
        notes: what was read in another way than one might think, a sentence each.
        sparsity: how sparse filters are stored; None where the machine makes no use of the layers' sparsity.
        row_wise: where it draws a ratio for each filter instead of a layer's own.
    """

    run_name: str
    rows: int
    cols: int
    ifmap_kb: int
    filter_kb: int
    ofmap_kb: int
    dataflow: Dataflow
    user_bandwidth: bool = False
    notes: tuple[str, ...] = ()
    sparsity: str | None = None
    row_wise: RowWise | None = None


def read_cfg(path: str | Path) -> Config:
    """The configuration in a .cfg file.

    Raises:
        ValueError: a line or a value won't do; the message names the file and the line.
        OSError: the file can't be read.
    """
    settings = _values(Path(path))
    sizes = {name: _size(path, settings, key, name) for key, name in _SIZES.items()}
    for key, name in _OFFSETS.items():
        if key in settings:
            whole_number(_where(path, settings, key, name), settings[key][1], least=0)
    dataflow = one_of(_where(path, settings, "dataflow", "Dataflow"), settings["dataflow"][1], DATAFLOWS)
    notes = []
    if "interfacebandwidth" not in settings:
        notes.append(f"{path} names no InterfaceBandwidth: taken as CALC")
    mode = settings.get("interfacebandwidth", (0, "CALC"))[1]
    one_of(_where(path, settings, "interfacebandwidth", "InterfaceBandwidth"), mode, ("CALC", "USER"))
    sparsity, row_wise = _sparsity(path, settings, sizes["ArrayHeight"], dataflow)
    return Config(
        run_name=_run_name(path, settings),
        rows=sizes["ArrayHeight"],
        cols=sizes["ArrayWidth"],
        ifmap_kb=sizes["IfmapSramSzkB"],
        filter_kb=sizes["FilterSramSzkB"],
        ofmap_kb=sizes["OfmapSramSzkB"],
        dataflow=next(name for name in DATAFLOWS if name == dataflow),
        user_bandwidth=mode == "USER",
        notes=tuple(notes),
        sparsity=sparsity,
        row_wise=row_wise,
    )


def _sparsity(
    path: str | Path, settings: dict[str, tuple[int, str]], rows: int, dataflow: str
) -> tuple[str | None, RowWise | None]:
    if settings.get("sparsitysupport", (0, "false"))[1].lower() != "true":
        return None, None
    row_wise = _row_wise(path, settings, rows, dataflow)
    where = _where(path, settings, "sparserep", "SparseRep")
    return one_of(where, settings["sparserep"][1], REPRESENTATIONS), row_wise


def _row_wise(path: str | Path, settings: dict[str, tuple[int, str]], rows: int, dataflow: str) -> RowWise | None:
    where = _where(path, settings, "optimizedmapping", "OptimizedMapping")
    if settings["optimizedmapping"][1].lower() != "true":
        return None
    if dataflow != "ws":
        remedy = "give Dataflow : ws, or OptimizedMapping : false"
        problem = f"got true with Dataflow {dataflow}, on which SCALE-Sim stops: it packs filters' blocks in ws alone"
        raise InputError(where, True, remedy, problem=problem)
    if settings.get("filteroffset", (0, ""))[1] == "0":
        where = _where(path, settings, "filteroffset", "FilterOffset")
        problem = "got 0 with OptimizedMapping, with which SCALE-Sim loses the first word of the filters"
        raise InputError(where, 0, "give 1 or more", problem=problem)
    where = _where(path, settings, "blocksize", "BlockSize")
    block = whole_number(where, settings["blocksize"][1], least=2)
    if block > rows or 2 * rows % block:
        remedy = f"give a divisor of twice ArrayHeight, from 2 to {rows}: SCALE-Sim stops on others"
        raise InputError(where, block, remedy)
    where = _where(path, settings, "randomnumbergeneratorseed", "RandomNumberGeneratorSeed")
    return RowWise(block, whole_number(where, settings["randomnumbergeneratorseed"][1], least=0))


def _values(path: Path) -> dict[str, tuple[int, str]]:
    """The line and the value of each key that matters, by the key in lower case."""
    settings: dict[str, tuple[int, str]] = {}
    indent: int | None = None
    for number, line in decoded_lines(path):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        where = f"{path}, line {number}"
        depth = len(line) - len(line.lstrip())
        if indent is not None and depth > indent:
            raise InputError(
                where, text, "unindent it", problem=f"got {shown(text)}, indented, which goes on the value above"
            )
        if text[0] == "[":
            if not text.endswith("]"):
                raise InputError(where, text, "close the section's name with ]")
            indent = None
            continue
        key, value = _pair(where, text)
        key = _FIRST.get(key, key)
        indent = depth
        if key in _KEYS:
            if key in settings:
                raise InputError(
                    where,
                    _KEYS[key],
                    "keep one of the two",
                    problem=f"got {_KEYS[key]} again, as on line {settings[key][0]}",
                )
            settings[key] = number, value
    return settings


def _pair(where: str, text: str) -> tuple[str, str]:
    cut = min((place for place in (text.find("="), text.find(":")) if place > 0), default=0)
    if not cut:
        raise InputError(where, text, "give [section], or key : value")
    return text[:cut].strip().lower(), text[cut + 1 :].strip()


def _where(path: str | Path, settings: dict[str, tuple[int, str]], key: str, name: str) -> str:
    if key not in settings and key != "interfacebandwidth":
        raise InputError(f"{path}, {name}", None, f"give a line {name} : VALUE", problem="got none")
    return f"{path}, line {settings[key][0]}, {name}" if key in settings else f"{path}, {name}"


def _size(path: str | Path, settings: dict[str, tuple[int, str]], key: str, name: str) -> int:
    where = _where(path, settings, key, name)
    size = whole_number(where, settings[key][1])
    if name.startswith("Array") and size > _MOST_COLUMNS:
        raise InputError(where, size, f"give at most {_MOST_COLUMNS}")
    return size


def _run_name(path: str | Path, settings: dict[str, tuple[int, str]]) -> str:
    """The folder of the reports: one, beneath the one that was asked for."""
    if "run_name" not in settings:
        return _RUN_NAME
    name = settings["run_name"][1]
    if len(name) > 2 and name[0] == name[-1] == '"':  # as version 1's have it
        name = name[1:-1]
    if name in ("", ".", "..") or any(letter in "/\\%" or not letter.isprintable() for letter in name):
        where = _where(path, settings, "run_name", "run_name")
        raise InputError(where, name, "give the plain name of a folder")
    return name
