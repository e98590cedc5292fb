"""Tables as CSV: the one place that says how."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any


def csv_text(lines: Iterable[Iterable[Any]]) -> str:
    r"""Lines of values, the header the first of them; None is an empty field, a number has all its digits.

    >>> csv_text([("network", "cycles"), ("a, b", 3), ("c", None)])
    'network,cycles\n"a, b",3\nc,\n'
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue()
