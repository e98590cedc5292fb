"""The reference, made from the code, leaves nothing out. Building the site itself is `make docs`."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from jaxgrad.cli.app import COMMANDS
from tests.command import ROOT

sys.path.insert(0, str(ROOT / "docs"))
generated: Any = importlib.import_module("generated")
PAGES = generated.pages()


@pytest.mark.parametrize("module", generated.MODULES)
def test_every_public_name_is_there(module: str) -> None:
    names = generated.public(importlib.import_module(module))
    assert names
    page = PAGES[f"api/{module}"]
    assert [name for name in names if f"{module}.{name}\n" not in page and f"``{name}``: see" not in page] == []


def test_pages_import_nothing_that_is_not_in_the_reference() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "jaxgrad/DESIGN.md"]
    found = {
        (module, name)
        for page in pages
        for module, names in re.findall(
            r"^ *(?:>>> )?from (jaxgrad[\w.]*) import ([\w, ]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        for name in re.split(r"[, ]+", names.strip())
    }
    shown = {(module, name) for module in generated.MODULES for name in public_names(module)}
    assert len(found) > 30
    assert [f"{m}.{n}" for m, n in sorted(found) if (m, n) not in shown and f"{m}.{n}" not in generated.MODULES] == []


def public_names(module: str) -> list[str]:
    return generated.public(importlib.import_module(module))


def test_every_command_with_all_that_it_takes() -> None:
    assert set(generated.all_commands()) == set(COMMANDS)
    for name, command in generated.all_commands().items():
        options = [each.opts[0] for each in command.params if each.param_type_name == "option" and not each.hidden]
        assert [option for option in options if option not in PAGES[f"commands/{name}"]] == []


@pytest.mark.parametrize("kind", generated.PAGES_OF_FILES)
def test_every_key_of_a_file(kind: str) -> None:
    def names(schema: Any) -> set[str]:
        """But for those of tables that have a page of their own, where a file leaves them as written, and of ranges."""
        found = schema.get("$defs", {})
        refers = kind in ("schedules", "learning", "dynamics")
        elsewhere = {"_Steps", "_Times", *(elsewhere_tables() if refers else ())}
        parts = [schema, *(part for name, part in found.items() if name not in elsewhere)]
        return {key for part in parts for key in part.get("properties", ())}

    page = PAGES[f"files/{kind}"]
    shown = {
        line.strip("`").split(".")[-1] for line in page.splitlines() if line.startswith("``") and line.endswith("``")
    }
    assert names(next(iter(generated.FILES[kind].models.values())).model_json_schema()) <= shown


def elsewhere_tables() -> set[str]:
    """Tables of training runs, machines and technologies, by the names of their models."""
    models = [next(iter(generated.FILES[kind].models.values())) for kind in ("training", "machine")]
    return {name for model in models for name in model.model_json_schema()["$defs"]} | {"Config"}


def test_types_limits_and_defaults_of_a_key() -> None:
    entry = PAGES["files/training"].partition("``array.rows``\n")[2].splitlines()[0]
    assert entry.strip().startswith("whole number, >= 1, by default ``16``")


def test_what_a_docstring_says_of_a_field_is_told_of_its_key() -> None:
    assert "the name of the variant that the others are compared to" in PAGES["files/schedules"]


def test_technologies_name_their_sources() -> None:
    presets = sorted(Path(ROOT / "jaxgrad/hardware/technologies").glob("*.toml"))
    assert all(f"\n{preset.stem}\n---" in PAGES["technologies"] for preset in presets)
    assert PAGES["technologies"].count("``source``") == len(presets)


def test_hints_lose_their_rules() -> None:
    assert generated.unannotated("Annotated[int, Field(ge=[1])] | None") == "int | None"
    assert generated.unannotated("list[Annotated[dict[str, int], f(x)]]") == "list[dict[str, int]]"
