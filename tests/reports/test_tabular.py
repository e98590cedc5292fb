"""Tables in files: every number with all its digits in CSV, any text whole in LaTeX and Markdown."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.text import Text

from jaxgrad.base.errors import InputError
from jaxgrad.reports import tables, tabular
from jaxgrad.reports.numbers import Written, exact, fixed, percent, short, signed
from jaxgrad.reports.screen import PlainTable
from tests.reports.costs import SCHEDULES, cost
from tests.reports.test_names import NAMES


def a_table() -> PlainTable:
    table = PlainTable("Two layers & 100 %")
    table.add_column("layer", names=True)
    table.add_column("schedule", names=True)
    for header, full in (("cycles", None), ("ratio", "ratio of\ncycles"), ("busy", None), ("off\n[points]", None)):
        table.add_column(header, justify="right", full=full)
    table.add_row("conv_1", "ws", short(1_234_567), fixed(2 / 3, 2), percent(1, 3), signed(-0.25, 1))
    table.add_row("", "os", exact(1_000), fixed(None, 2), percent(2, 3), signed(0.5, 1))
    table.add_section()
    table.add_row("[all]", "ws", "-", "", percent(1, 0), signed(None, 1))
    return table


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_csv_has_numbers_with_all_digits_and_each_row_its_names() -> None:
    assert rows(tabular.text(a_table(), "csv")) == [
        ["layer", "schedule", "cycles", "ratio of cycles", "busy [%]", "off [points]"],
        ["conv_1", "ws", "1234567", str(2 / 3), str(100 / 3), "-0.25"],
        ["conv_1", "os", "1000", "", str(200 / 3), "0.5"],
        ["[all]", "ws", "", "", "", ""],
    ]


def test_markdown_has_the_texts_of_the_terminal() -> None:
    assert tabular.text(a_table(), "md").splitlines() == [
        "**Two layers & 100 %**",
        "",
        "| layer | schedule | cycles | ratio of cycles | busy [%] | off [points] |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        r"| conv\_1 | ws | 1.23M | 0.67 | 33 | -0.2 |",
        "|  | os | 1,000 | - | 67 | +0.5 |",
        "| [all] | ws | - |  | - | - |",
    ]


def test_latex_is_booktabs_with_a_rule_between_sections() -> None:
    lines = [line.strip() for line in tabular.text(a_table(), "tex").splitlines()]
    assert lines == [
        r"% \usepackage{booktabs}", r"\begin{table}", r"\centering", r"\caption{Two layers \& 100 \%}",
        r"\begin{tabular}{llrrrr}", r"\toprule",
        r"layer & schedule & cycles & ratio of cycles & busy [\%] & off [points] \\", r"\midrule",
        r"conv\_1 & ws & 1.23M & 0.67 & 33 & $-$0.2 \\", r" & os & 1,000 & - & 67 & $+$0.5 \\".strip(), r"\midrule",
        r"{[}all] & ws & - &  & - & - \\", r"\bottomrule", r"\end{tabular}", r"\end{table}",
    ]  # fmt: skip


def test_a_unit_that_not_all_cells_have_stays_with_them() -> None:
    table = PlainTable("t")
    table.add_column("x", justify="right")
    table.add_row(percent(1, 2))
    table.add_row(fixed(3.0, 1))
    assert "| 50% |" in tabular.text(table, "md")
    assert tabular.text(table, "csv").startswith("x\n")


def test_several_tables_stand_apart_and_nothing_else_is_among_them() -> None:
    shown = Group(a_table(), Text("a note"), Group("", a_table()))
    whole = tabular.text(shown, "csv")
    first, second = whole.split("\n\n")
    assert first + "\n" == second == tabular.text(a_table(), "csv")
    assert tabular.text(iter([shown]), "csv") == whole
    assert tabular.text([], "md") == ""


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError, match="csv, md"):
        tabular.text(a_table(), "xlsx")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_comes_whole_out_of_latex(text: str) -> None:
    escaped = tabular._escaped(text)
    assert "--" not in escaped
    inverse = {written: letter for letter, written in tabular._TEX.items()} | {"-{}": "-"}
    commands = sorted(inverse, key=len, reverse=True)
    read = re.sub("|".join(map(re.escape, commands)), lambda found: inverse[found[0]], escaped)
    assert read == text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_comes_whole_out_of_csv(text: str) -> None:
    table = PlainTable("t")
    table.add_column("name", names=True)
    table.add_column("number")
    table.add_row(text, Written("1k", 1000))
    assert rows(tabular.text(table, "csv"))[1] == ["" if text == "-" else text, "1000"]


def test_the_tables_of_a_step_are_whole_numbers_by_layer() -> None:
    costs = cost()
    table = tables.summary_table(costs, "interleaved", "a title")
    header, *found = rows(tabular.text(table, "csv"))
    assert len(set(header)) == len(header)
    first = costs.layers[0]
    assert [row[:2] for row in found[: len(SCHEDULES)]] == [[first.path, name] for name in SCHEDULES]
    assert [int(row[2]) for row in found[: len(SCHEDULES)]] == [
        tables.time_cycles(first.backward[name]) for name in SCHEDULES
    ]
    assert len({row[header.index("MACs")] for row in found[: len(SCHEDULES)]}) == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX")
def test_latex_compiles(tmp_path: Path) -> None:
    table = PlainTable(" ".join(NAMES))
    table.add_column("[name] *", names=True)
    table.add_column("-- \u00b1 ` ' \" ~")
    for name in NAMES:
        table.add_row(name, signed(-1.0, 1))
    body = tabular.text([table, a_table()], "tex")
    source = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + body + "\\end{document}"
    (tmp_path / "x.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "x.tex"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:]
