"""Where a page of the documentation runs its commands: an empty folder with what a clone has beside it.

`%run` by a hidden first cell. `jaxgrad` is then that of the page's own Python, paths are those of README, and a cell
`%%bash` prints what its commands print as they print it to a file.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from IPython.core.magic import register_cell_magic

import jaxgrad

for forces_colour in ("FORCE_COLOR", "CLICOLOR_FORCE"):  # as a notebook's kernel has them
    os.environ.pop(forces_colour, None)
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
here = tempfile.TemporaryDirectory(prefix="jaxgrad-docs-")  # until the kernel ends
os.chdir(here.name)
for folder in ("examples", "experiments"):
    Path(folder).symlink_to(Path(jaxgrad.__file__).parents[1] / folder)


@register_cell_magic
def bash(line: str, cell: str) -> None:
    """IPython's own breaks lines of the output where they come in pieces."""
    done = subprocess.run(["bash", "-e", "-c", cell], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{cell} ended with {done.returncode}: {done.stderr}")
    if done.stdout:
        print("\n".join(row.rstrip() for row in done.stdout.splitlines()))
