"""Sphinx: the documentation's site, made by ``make docs`` without a network.

The doctests of docstrings are run by tests/test_docstrings.py; here, pages that are notebooks are.
"""

import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "jaxgrad"
version = release = installed("jaxgrad")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_design", "generated", "outside"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "jaxgrad"

myst_enable_extensions = ["colon_fence", "dollarmath", "html_image"]
myst_heading_anchors = 4

nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE.parent / ".cache" / "docs")
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_execution_timeout = 120

autodoc_member_order = "bysource"
autodoc_typehints = "description"
smartquotes = False  # names of options have two hyphens
