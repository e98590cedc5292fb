"""``jaxgrad schema``: JSON schemas of the files that users write, for their editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from jaxgrad.base.errors import one_of
from jaxgrad.cli.options import OUTPUT, option, path

SCHEMAS = Path(__file__).parent.parent / "schemas"


def schema(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="Of which file; without it all are listed.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        option("--out", "DIR", "Write KIND.json there, or all of them.", OUTPUT, rule=path, default="print it"),
    ] = None,
) -> int:
    """Print the JSON schema of a kind of TOML file, by which editors complete and check it, or write all schemas."""
    from jaxgrad.base.files import check_folder, write_text

    files = {file.stem: file for file in sorted(SCHEMAS.glob("*.json"))}
    chosen = list(files) if kind is None else [one_of("KIND", kind, tuple(files))]
    texts = {name: files[name].read_text(encoding="utf-8") for name in chosen}
    if out is not None:
        folder = check_folder("--out", out)
        for name, text in texts.items():
            write_text(folder / f"{name}.json", text)
        print(f"In {folder}: {', '.join(f'{name}.json' for name in texts)}")
    elif kind is not None:
        print(texts[kind], end="")
    else:
        for name, text in texts.items():
            print(f"{name:<12} {json.loads(text)['title']}")
    return 0
