"""Sphinx: files of the repository that are pages here, and links to them.

They stay where a reader of the repository looks for them; a page of this site includes each. In a page's source a link
is the path of the file, which works in both places.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

PAGES = {"design": "jaxgrad/DESIGN.md", "experiments": "experiments/README.md", "changelog": "CHANGELOG.md"}
"""Name of the page to the file that it includes."""


def turn(app: Sphinx, doctree: nodes.document) -> None:
    """Links to such files into links to their pages; links of an included file to files that are no pages into text."""
    root = Path(app.srcdir).parent
    page_of = {(root / file).with_suffix("").as_posix(): page for page, file in PAGES.items()}
    here = PAGES.get(app.env.docname)
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link["reftarget"] in page_of:
            link["reftarget"] = page_of[link["reftarget"]]
        elif here and link.get("refdomain") is None and (root / here).parent.joinpath(link["reftarget"]).is_file():
            link.replace_self(link.children)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", turn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
