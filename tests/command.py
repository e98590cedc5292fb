"""The command line in a process of its own, from this checkout whether it is installed or not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

COMMAND = [sys.executable, "-c", "import sys; from jaxgrad.cli import main; sys.exit(main())"]
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "models")])}
ENVIRONMENT.pop("PYTHONUNBUFFERED", None)  # what does not get out stays in a buffer, as it does for most users
