"""README's Python runs as printed, and its table is what the commands give."""

from __future__ import annotations

import re
from typing import Any

from jaxgrad import Accelerator, Emulation
from jaxgrad.costs import CYCLES, accesses, step_cost
from jaxgrad.flax import step_work
from jaxgrad.networks.network import resolve
from jaxgrad.reports.numbers import short
from tests.command import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
STEPS = 880  # 20 epochs of 44 batches of 32 digits


def test_every_python_block_runs_as_printed() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        *lines, last = block.strip().splitlines()
        namespace: dict[str, Any] = {}
        exec("\n".join(lines), namespace)
        counts = eval(last, namespace)
        assert counts["macs"] == 8 * 64 * 32  # the first layer's dW; its dX is not wanted


def test_the_demo_table_is_what_the_demo_costs() -> None:
    """All of it that follows from shapes: the cost of LeNet's step on digits, as often as the demo takes one."""
    lenet = resolve("lenet")
    shape = (8, 8, 1)
    work = step_work(lenet.abstract(input_shape=shape, classes=10), lenet.batch(32, shape))
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", README, re.MULTILINE)
    cost = step_cost(work.gemms, Emulation(Accelerator(16, 16)), [name for name, _ in rows])
    assert [name for name, _ in rows] == ["interleaved", "sequential", "ws_only", "os_only", "free"]
    base = cost.total("interleaved")
    for name, cells in rows:
        counts = cost.total(name)
        cycles, cycle_ratio, words, ratio = [cell.strip() for cell in cells.split("|")][:4]
        assert (cycles, words) == (short(STEPS * counts[CYCLES]), short(STEPS * accesses(counts)))
        assert cycle_ratio == f"{counts[CYCLES] / base[CYCLES]:.2f}"
        assert ratio == f"{accesses(counts) / accesses(base):.2f}"
