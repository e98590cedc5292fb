"""What the documents say can be followed: paths are there, commands can be typed, Python runs."""

from __future__ import annotations

import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import pytest
import typer

from jaxgrad.cli.app import COMMANDS, app
from tests.command import ROOT

PLACES = (
    ROOT,
    ROOT / "experiments",
    *(folder for folder in (ROOT / "jaxgrad").glob("**/") if folder.name != "__pycache__"),
)
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)
DOCUMENTS = [ROOT / "README.md", ROOT / "jaxgrad/DESIGN.md", ROOT / "experiments/README.md", *PAGES]
NAMES = [page.relative_to(ROOT).as_posix() for page in DOCUMENTS]
MADE = {"model.onnx", "space.toml", "config.toml", "dist/"}
"""Files that a page, or a command on it, makes before they are named."""
SLOW_PAGE = "docs/when-interleaving-pays.md"
"""Its Python draws a figure of 161 x 161 points a panel."""
COMMAND_TABLE = ROOT / "docs/howto/commands.md"


@pytest.mark.parametrize("document", NAMES)
def test_paths_in_a_document_are_there(document: str) -> None:
    page = ROOT / document
    text = page.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#:\s]+)\)", text)
    linked += re.findall(r"^```\{(?:literal)?include\} (\S+)", text, re.MULTILINE)
    named = [word for span in re.findall(r"`([^`\n]+)`", text) for word in span.split() if is_path(word)]
    lost = [path for path in linked if not (page.parent / path).exists()]
    lost += [path for path in named if not any((place / path).exists() for place in PLACES)]
    assert not lost


def is_path(word: str) -> bool:
    """Files and folders of the repository; results, and files of the reader's own, are none."""
    is_file = re.fullmatch(r"[\w./-]+(/|\.py|\.toml|\.md)", word) is not None
    return is_file and word not in MADE and not word.startswith(("results/", "runs/"))


def commands(page: Path) -> list[str]:
    """Those that stand in a block for the shell, in a cell of a notebook, or first in a row of a table."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```|^%%bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in "".join(block).replace("\\\n", " ").splitlines()]
    lines += re.findall(r"^\| `(jaxgrad [^`]+)` \|", text, re.MULTILINE)
    typed = [line.partition(" | ")[0] for line in lines if re.match(r"([A-Z_]+=\S+ )*jaxgrad ", line)]
    return [line[line.index("jaxgrad ") :] for line in typed]


COMMANDS_BY_PAGE = [(page.relative_to(ROOT).as_posix(), line) for page in DOCUMENTS for line in commands(page)]


@pytest.mark.parametrize(("page", "line"), COMMANDS_BY_PAGE)
def test_a_command_can_be_typed(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options that do not exist, or values that they do not take, are refused here; and its files are there."""
    monkeypatch.chdir(ROOT)
    _, name, *arguments = shlex.split(line)
    parser: Any = typer.main.get_command(app)
    assert parser.commands[name].make_context(name, arguments).params
    files = [re.sub(r":\w+$", "", word) for word in arguments if re.search(r"\.(toml|py|onnx|cfg|csv)(:\w+)?$", word)]
    written = [arguments[place + 1] for place, word in enumerate(arguments) if word == "--out"]
    assert not [file for file in files if not (ROOT / file).is_file() and file not in (*MADE, *written)]


def test_every_command_is_in_the_table_of_commands() -> None:
    assert {shlex.split(line)[1] for line in commands(COMMAND_TABLE)} == set(COMMANDS)


def python_pages() -> list[str]:
    """Pages with Python that are no notebooks: those the site's build runs."""
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    return [
        page.relative_to(ROOT).as_posix()
        for page, text in texts.items()
        if "file_format: mystnb" not in text and "```python" in text
    ]


@pytest.mark.parametrize("page", [page for page in python_pages() if page != SLOW_PAGE])
def test_python_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks, one after the other; a rule that matches nothing, say, is a warning, and fails here."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": page}
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            exec(block, namespace)
