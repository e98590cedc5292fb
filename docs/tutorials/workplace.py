"""Where a page of the documentation runs its commands: an empty folder with what a clone has beside it.

`%run` by a hidden first cell. `jaxgrad` is then that of the page's own Python, and paths are those of README.
"""

import os
import sys
import tempfile
from pathlib import Path

import jaxgrad

for forces_colour in ("FORCE_COLOR", "CLICOLOR_FORCE"):  # as a notebook's kernel has them: output is plain text here
    os.environ.pop(forces_colour, None)
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.chdir(tempfile.mkdtemp(prefix="jaxgrad-docs-"))
for folder in ("examples", "experiments"):
    Path(folder).symlink_to(Path(jaxgrad.__file__).parents[1] / folder)
