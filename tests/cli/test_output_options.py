"""How figures and tables come out: tables that programs read, and nothing else; figures as papers want them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from jaxgrad.cli import main
from jaxgrad.training import runs
from jaxgrad.training.config import Override, resolve
from tests.cli.test_cluster import SMALL
from tests.studies.cases import tree, write

GEMM = ["--batch", "3", "--in-features", "5", "--out-features", "4"]
PAPER = ["--style", "paper", "--width", "column", "--no-title"]
TABLES = {
    "explain": (["explain", *GEMM], 1),
    "gemm": (["gemm", *GEMM], 1),
    "profile": (["profile", "step.py:step", "--arg", "f32[3,4]", "--arg", "f32[4,5]"], 5),
    "pipeline": (["pipeline", "--model", "mlp", "--processors", "2"], 1),
    "compare": (["compare", "--model", "mlp"], 3),
}


@pytest.fixture(autouse=True)
def function(elsewhere: Path) -> None:
    (elsewhere / "step.py").write_text(
        "import jax\ndef loss(a, b):\n    return jax.numpy.tanh(a @ b).sum()\nstep = jax.grad(loss, argnums=(0, 1))\n"
    )


@pytest.mark.parametrize("command", TABLES)
def test_csv_is_all_that_is_printed(command: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed, count = TABLES[command]
    assert main([*typed, "--format", "csv"]) == 0
    tables = capsys.readouterr().out.split("\n\n")
    assert len(tables) == count
    for table in tables:
        header, *rows = csv.reader(io.StringIO(table))
        assert rows
        assert {len(row) for row in rows} == {len(header)}
        assert len(set(header)) == len(header)
    assert not (elsewhere / "runs").exists()


@pytest.mark.parametrize("form", ["md", "tex"])
def test_other_formats(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *GEMM, "--format", form]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith({"md": "**Gradients of Y[3,4]", "tex": "% \\usepackage{booktabs}\n"}[form])
    assert "interleaved\\_n" in shown


def test_runs_and_their_differences_as_csv(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, rows in (("a", 4), ("b", 8)):
        runs.create(elsewhere / "runs" / name, resolve(None, [Override("array.rows", rows, "")]).to_toml())
    assert main(["runs", "--format", "csv"]) == 0
    header, *lines = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header[0] == "run"
    assert sorted(line[0] for line in lines) == ["a", "b"]
    assert all(float(line[header.index("age [s]")]) >= 0 for line in lines)
    assert main(["diff", "runs/a", "runs/b", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "key,A,B\narray.rows,4,8\n"


def test_json_and_a_format_are_two_things(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--json", "--format", "md"]) == 2
    assert capsys.readouterr().err == "error: --format: got 'md' and --json; give one of the two\n"
    assert main(["explain", "--format", "xlsx"]) == 2
    assert "csv, md" in capsys.readouterr().err


def test_figures_as_a_paper_has_them(elsewhere: Path) -> None:
    assert main(["trace", *GEMM, "--no-animation", "--out", "one", *PAPER]) == 0
    assert main(["trace", *GEMM, "--no-animation", "--out", "two"]) == 0
    with Image.open("one/gantt.png") as image:
        assert image.width == 1050
    with Image.open("two/gantt.png") as image:
        assert image.width == 2400
    narrow, wide = (Path(folder, "gantt.svg").read_text() for folder in ("one", "two"))
    assert "STIXGeneral" in narrow
    assert "Gradients of Y" not in narrow
    assert "Gradients of Y" in wide
    assert main(["trace", *GEMM, "--width", "poster"]) == 2


def test_an_experiment_and_a_design_space_take_them_too(elsewhere: Path) -> None:
    write(elsewhere, tree(sweep=[], published=[]))
    (elsewhere / "space.toml").write_text(SMALL)
    fronts = SMALL.replace('["cycles"]', '["cycles", "area"]') + '[machine]\ntechnology = "horowitz-45nm"\n'
    (elsewhere / "fronts.toml").write_text(fronts.replace("rows =", "sram_kib = [32]\ndram_gb_per_s = [1.0]\nrows ="))
    assert main(["run", "small.toml", "--out", "out", *PAPER]) == 0
    assert main(["sweep", "fronts.toml", "--out", "sweep/table.csv", *PAPER]) == 0
    assert main(["search", "space.toml", "--method", "descents", "--out", "search/table.csv", *PAPER]) == 0
    pictures = [picture for folder in ("out", "sweep", "search") for picture in Path(folder).glob("*.png")]
    assert len({picture.parent for picture in pictures}) == 3
    for picture in pictures:
        with Image.open(picture) as image:
            assert image.width == 1050
    assert (elsewhere / "out" / "tables.tex").read_text().count("\\begin{table}") >= 1
