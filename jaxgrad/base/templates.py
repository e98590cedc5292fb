"""Texts made from a room's templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def rendered(package: str, name: str, context: Mapping[str, Any]) -> str:
    """The text of a template in the folder ``templates`` of a package; a name that ``context`` lacks is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(context)
