"""``python -m jaxgrad``: the command line."""

import sys

from jaxgrad.cli import main

sys.exit(main())
