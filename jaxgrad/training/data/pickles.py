"""Pickles of arrays and plain data, read without running what else a pickle may ask for."""

from __future__ import annotations

import io
import pickle
from typing import Any

_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),  # bytes in old protocols
}
"""What arrays are made of: all that a pickle may import."""


class Refused(Exception):
    """A pickle is damaged, or would run something."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise Refused(f"it would run {module_name}.{global_name}")
        return super().find_class(module_name, global_name)


def loads(content: bytes) -> Any:
    """The value of a pickle of arrays, numbers, text and containers; text of Python 2 is bytes.

    >>> loads(pickle.dumps({b"labels": [1, 2]}))
    {b'labels': [1, 2]}

    Raises:
        Refused: it holds something else, or is damaged.
    """
    try:
        return _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Refused:
        raise
    except Exception as error:  # whatever a damaged pickle makes of pickle
        raise Refused(f"it is no pickle, or a damaged one ({type(error).__name__})") from None
