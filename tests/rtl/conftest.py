"""The tools of hardware, where they are."""

from __future__ import annotations

import pytest

from jaxgrad.rtl import tools
from tests.rtl.hardware_tools import installed


@pytest.fixture(scope="session")
def verilator() -> str:
    return installed(tools.verilator)


@pytest.fixture(scope="session")
def yosys() -> str:
    return installed(tools.yosys)
