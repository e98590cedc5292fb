"""Runs SCALE-Sim 3.0.0 itself on small layers and keeps its reports beside this file, for the tests to equal.

It needs what jaxgrad does not: a scratch environment with ``scalesim==3.0.0`` and ``numpy<2.4`` (a later numpy refuses
a conversion that SCALE-Sim makes). There, a few minutes:

    python tests/interop/scalesim/make_goldens.py

The averages over folds are Python sums of floats, which Python 3.12 began to compensate for rounding: run it under
Python 3.11, then under a later one, which adds what its last digits are. SCALE-Sim's layout file is not read into any
figure in CALC mode, but it must be there.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

GOLDENS = Path(__file__).with_name("goldens.json")
SPARSE_GOLDENS = Path(__file__).with_name("sparse_goldens.json")
ROW_WISE_GOLDENS = Path(__file__).with_name("row_wise_goldens.json")
REPORTS = ("COMPUTE_REPORT.csv", "BANDWIDTH_REPORT.csv", "DETAILED_ACCESS_REPORT.csv")
SPARSE_REPORTS = (*REPORTS, "SPARSE_REPORT.csv")
COMPENSATED = "COMPUTE_REPORT.csv, Python 3.12 and later"
CONV_HEADER = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,"
GEMM_HEADER = "Layer, M, N, K,"
CFG = """[general]
run_name = golden

[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {cols}
IfmapSramSzkB: {sram[0]}
FilterSramSzkB: {sram[1]}
OfmapSramSzkB: {sram[2]}
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 10
Dataflow: {dataflow}
ReadRequestBuffer: 32
WriteRequestBuffer: 32

[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2

[sparsity]
SparsitySupport: false

[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""
SPARSITY = """SparsitySupport: true
SparseRep: {}
OptimizedMapping: false
BlockSize: 4
RandomNumberGeneratorSeed: 40"""
SMALL, LARGE = (1, 1, 1), (64, 32, 16)

# Chosen by hand: output sizes with and without a remainder, windows wholly outside, filters as large as the input, one
# pixel, one channel, edge folds in one direction and in both, operands of exactly what the buffer holds (500 words).
CONVS = """c1, 1, 1, 1, 1, 3, 2, 1
remainder, 8, 8, 3, 3, 2, 5, 2
no_remainder, 9, 9, 3, 3, 2, 5, 2
outside, 7, 6, 1, 1, 9, 4, 2
outside3, 8, 8, 1, 2, 5, 3, 3
whole, 5, 5, 5, 5, 4, 7, 1
wide, 3, 19, 2, 4, 3, 6, 1
tall, 21, 2, 3, 1, 5, 3, 4
pointwise, 6, 6, 1, 1, 30, 17, 1
reuse, 12, 12, 3, 3, 7, 9, 1
exactly500, 10, 10, 1, 1, 5, 10, 1
stride2, 13, 11, 3, 3, 6, 8, 2
apart, 12, 12, 2, 2, 6, 8, 2
DPseparable, 7, 7, 3, 3, 3, 2, 1"""
GEMMS = """g1, 1, 1, 2
row, 1, 40, 33
column, 47, 1, 30
square, 16, 16, 16
deep, 7, 5, 190
exactly500, 25, 20, 20
tall, 90, 11, 13
broad, 12, 85, 21
odd, 37, 29, 31"""


def main() -> None:
    keep(GOLDENS, cases(), REPORTS)
    keep(SPARSE_GOLDENS, sparse_cases(), SPARSE_REPORTS)
    keep(ROW_WISE_GOLDENS, row_wise_cases(), SPARSE_REPORTS)


def keep(file: Path, made: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    """Runs some cases and keeps their reports."""
    kept = json.loads(file.read_text()) if file.exists() else []
    compensated = sys.version_info >= (3, 12)
    goldens = []
    for number, case in enumerate(made):
        print(case["name"], flush=True)
        case["reports"] = run(case, names)
        if compensated:
            first = kept[number]
            later, case["reports"] = case["reports"], first["reports"]
            same = (case["name"], case["cfg"], case["topology"]) == (first["name"], first["cfg"], first["topology"])
            if not same or any(later[name] != case["reports"][name] for name in names[1:]):
                raise SystemExit(f"{case['name']}: another case than the one kept; run under Python 3.11 first")
            case["reports"][COMPENSATED] = later[REPORTS[0]]
        goldens.append(case)
    file.write_text(json.dumps(goldens, indent=1) + "\n")


def cases() -> list[dict[str, Any]]:
    draw = random.Random(1)
    made = []
    for dataflow in ("os", "ws", "is"):
        for rows, cols, sram in (
            (1, 1, LARGE), (4, 4, SMALL), (4, 4, LARGE), (3, 7, SMALL), (8, 2, (1, 2, 3)), (16, 16, SMALL),
            (5, 1, SMALL), (1, 6, (2, 1, 1)), (32, 32, SMALL),
        ):  # fmt: skip
            random_convs = "\n".join(conv(draw, number) for number in range(4))
            random_gemms = "\n".join(gemm(draw, number) for number in range(3))
            cfg = CFG.format(rows=rows, cols=cols, sram=sram, dataflow=dataflow)
            name = f"{dataflow} {rows}x{cols} {'-'.join(map(str, sram))}kB"
            made.append(case(f"{name} conv", cfg, "conv", CONV_HEADER, f"{CONVS}\n{random_convs}"))
            made.append(case(f"{name} gemm", cfg, "gemm", GEMM_HEADER, f"{GEMMS}\n{random_gemms}"))
        # As wide as the drained half of the output's buffer, and wider.
        for rows, cols in ((2, 300), (2, 511), (2, 512), (3, 700)):
            cfg = CFG.format(rows=rows, cols=cols, sram=(2, 2, 1), dataflow=dataflow)
            layers = "wide, 7, 720, 6\nwider, 3, 1500, 3"
            if dataflow == "is":
                layers += "\ntall, 725, 3, 4\ntaller, 1500, 2, 3"
            made.append(case(f"{dataflow} {rows}x{cols} gemm", cfg, "gemm", GEMM_HEADER, layers))
    return made


def sparse_cases() -> list[dict[str, Any]]:
    """Layers with one ratio of N:M each, in each dataflow and each form of storage."""
    draw = random.Random(2)
    made = []
    for dataflow in ("os", "ws", "is"):
        for (rows, cols, sram), representation in zip(
            ((4, 4, SMALL), (8, 2, (1, 2, 3)), (5, 7, LARGE)), ("ellpack_block", "csr", "csc"), strict=True
        ):
            cfg = CFG.format(rows=rows, cols=cols, sram=sram, dataflow=dataflow).replace(
                "SparsitySupport: false", SPARSITY.format(representation)
            )
            ratios = ("2:4", "1:4", "3:8", "1:1", "4:5", "1:2", "2:3")
            convs = [f"{conv(draw, number)}, {ratio}" for number, ratio in enumerate(ratios)]
            convs += [
                "reuse, 12, 12, 3, 3, 7, 9, 1, 2:4",
                "remainder, 8, 8, 3, 3, 2, 5, 2, 3:4",
                "none, 6, 5, 3, 2, 2, 5, 1",
            ]
            gemms = [f"{gemm(draw, number)}, {ratio}" for number, ratio in enumerate(ratios)]
            name = f"{dataflow} {rows}x{cols} {representation}"
            made.append(case(f"{name} conv", cfg, "conv", f"{CONV_HEADER} Sparsity,", "\n".join(convs)))
            made.append(case(f"{name} gemm", cfg, "gemm", f"{GEMM_HEADER} Sparsity,", "\n".join(gemms)))
    return made


def row_wise_cases() -> list[dict[str, Any]]:
    """Layers whose filters have ratios drawn for them, in each form of storage; blocks even and odd."""
    draw = random.Random(3)
    made = []
    for rows, cols, sram, representation, block, seed in (
        (8, 4, SMALL, "ellpack_block", 4, 40), (4, 6, LARGE, "csr", 2, 1), (8, 3, (1, 2, 3), "csc", 8, 7),
        (3, 4, SMALL, "csr", 3, 40), (5, 2, SMALL, "ellpack_block", 5, 0), (12, 5, SMALL, "csc", 6, 999999999),
    ):  # fmt: skip
        settings = SPARSITY.format(representation).replace("Mapping: false", "Mapping: true")
        settings = settings.replace("BlockSize: 4", f"BlockSize: {block}").replace("Seed: 40", f"Seed: {seed}")
        cfg = CFG.format(rows=rows, cols=cols, sram=sram, dataflow="ws").replace("SparsitySupport: false", settings)
        convs = [conv(draw, 0), f"{conv(draw, 1)}, 1:4", "reuse, 12, 12, 3, 3, 7, 9, 1, 2:4"]
        convs += ["remainder, 8, 8, 3, 3, 2, 5, 2, 3:8", "outside, 7, 6, 1, 1, 9, 4, 2", "short, 4, 4, 1, 1, 1, 3, 1"]
        gemms = [gemm(draw, 0), f"{gemm(draw, 1)}, 2:4", "g1, 1, 1, 2", "tall, 90, 11, 13", "deep, 7, 5, 190, 1:8"]
        name = f"{rows}x{cols} {representation} {block}"
        made.append(case(f"{name} conv", cfg, "conv", f"{CONV_HEADER} Sparsity,", "\n".join(convs)))
        made.append(case(f"{name} gemm", cfg, "gemm", f"{GEMM_HEADER} Sparsity,", "\n".join(gemms)))
    # Lines of the filters, and of the ifmap, beside which the buffer is small.
    cfg = CFG.format(rows=2, cols=300, sram=SMALL, dataflow="ws")
    cfg = cfg.replace("SparsitySupport: false", SPARSITY.format("csr").replace("Mapping: false", "Mapping: true"))
    made.append(case("2x300 csr 2 gemm", cfg.replace("Size: 4", "Size: 2"), "gemm", GEMM_HEADER, "wide, 7, 720, 16"))
    return made


def case(name: str, cfg: str, kind: str, header: str, layers: str) -> dict[str, Any]:
    rows = "".join(f"{row.strip()},\n" for row in layers.splitlines())
    return {"name": name, "kind": kind, "cfg": cfg, "topology": f"{header}\n{rows}"}


def conv(draw: random.Random, number: int) -> str:
    height, width = draw.randint(1, 13), draw.randint(1, 13)
    filters = draw.randint(1, min(5, height)), draw.randint(1, min(5, width))
    rest = draw.randint(1, 8), draw.randint(1, 20), draw.randint(1, 4)
    return ", ".join(map(str, (f"random{number}", height, width, *filters, *rest)))


def gemm(draw: random.Random, number: int) -> str:
    return f"random{number}, {draw.randint(1, 60)}, {draw.randint(1, 60)}, {draw.randint(2, 60)}"


def run(case: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """SCALE-Sim's reports on the case."""
    from scalesim.scale_sim import scalesim  # pyright: ignore[reportMissingImports]  # not ours: see above

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "golden.cfg").write_text(case["cfg"])
        (work / "topology.csv").write_text(case["topology"])
        (work / "layout.csv").write_text("header,\n")
        with contextlib.redirect_stdout(io.StringIO()):
            sim = scalesim(
                save_disk_space=True,
                verbose=False,
                config=str(work / "golden.cfg"),
                topology=str(work / "topology.csv"),
                layout=str(work / "layout.csv"),
                input_type_gemm=case["kind"] == "gemm",
            )
            sim.run_scale(top_path=str(work / "out"))
        return {name: (work / "out" / "golden" / name).read_text() for name in names}


if __name__ == "__main__":
    main()
