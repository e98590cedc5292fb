"""Whether there is what simulates hardware."""

from __future__ import annotations

import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.rtl import tools


@pytest.fixture(scope="session")
def verilator() -> str:
    try:
        return tools.verilator()
    except InputError as error:
        pytest.skip(str(error))
