from __future__ import annotations

import pytest

from tests.models import tracing

# the paper's table 1: pixels a side, channels in, M operations. There conv1 has 34, where 112x112x64 outputs of 147
# products each make 118; and inception5a 54, which is what a 5x5's reduction of 48 makes, where the table has 32.
MODULES = {
    "inception3a": (28, 192, 128),
    "inception3b": (28, 256, 304),
    "inception4a": (14, 480, 73),
    "inception4b": (14, 512, 88),
    "inception4c": (14, 512, 100),
    "inception4d": (14, 512, 119),
    "inception4e": (14, 528, 170),
    "inception5a": (7, 832, 51),
    "inception5b": (7, 832, 71),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_cost_what_the_papers_table_says(name):
    pixels, n_in, mops = MODULES[name]
    module = getattr(tracing.network("googlenet"), name)
    image = (1, pixels, pixels, n_in)
    assert tracing.output_shape(module, image) == (1, pixels, pixels, module.n_out)
    assert tracing.macs(module, image) / 1e6 == pytest.approx(mops, abs=0.7)
