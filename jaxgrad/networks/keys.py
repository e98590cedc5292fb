"""Keys of files that name a network."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from jaxgrad.base.schema import checked
from jaxgrad.networks.names import NAMES, check

_KNOWN: Any = Literal[*NAMES]

NetworkName = Annotated[str, checked(check, _KNOWN | Annotated[str, Field(pattern=r":|\.onnx$")])]
"""The name of a network, or what looks like one of the user's own."""
