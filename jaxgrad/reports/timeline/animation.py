"""The animation: one self-contained HTML file, schedules side by side on one time axis in clock cycles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgrad.array.choice import choose
from jaxgrad.array.gemm import Gemm
from jaxgrad.array.mapping import AXES, OPERANDS
from jaxgrad.array.schedules import Schedule, find
from jaxgrad.base.files import write_text
from jaxgrad.hardware import Accelerator
from jaxgrad.reports.style import TENSORS
from jaxgrad.reports.timeline.activities import activities
from jaxgrad.reports.timeline.frames import frames, number
from jaxgrad.reports.timeline.registers import record_all

_PAGE, _SCRIPT = (Path(__file__).with_name(f"animation.{kind}") for kind in ("html", "js"))
_LARGEST = 3  # so that sums stay short enough to be read in a PE


def films(schedules: Sequence[str | Schedule], gemm: Gemm, array: Accelerator, seed: int = 0) -> list[dict[str, Any]]:
    """The runs of the schedules on the same small seeded integers, as ``frames`` has them.

    Args:
        schedules: a panel each.
        gemm: the layer's shape.
        array: the hardware; ``registers.check_small`` says what is small enough.
        seed: of the data.
    """
    tensors = _data(gemm, seed)
    runs = []
    for schedule in map(find, schedules):
        chosen, mappings = choose(schedule, gemm, array)
        description = schedule.description + (f"; here {chosen.name}" if chosen.name != schedule.name else "")
        recording = record_all(mappings, tensors, array)
        film = frames(schedule.name, recording, list(activities(mappings, gemm, array)), array)
        runs.append({**film, "description": description, **_layer(tensors)})
    return runs


def write(runs: Sequence[dict[str, Any]], path: Path, title: str) -> Path:
    """Writes the page, whole or not at all."""
    data = json.dumps({"title": title, "runs": runs}, separators=(",", ":")).replace("</", "<\\/")
    page, script = (file.read_text(encoding="utf-8") for file in (_PAGE, _SCRIPT))
    # The data last: what it says is no place to fill.
    return write_text(path, page.replace("/* the script */", script).replace("/* the runs */", data))


def _layer(tensors: dict[str, Array]) -> dict[str, Any]:
    """The operands, and the products with the axes of all that is in them, in the page's words."""
    axes = {TENSORS[name]: letters for name, letters in AXES.items() if name != "y"}
    return {
        "axes": axes,
        "operands": {TENSORS[name]: [list(map(number, row)) for row in values] for name, values in tensors.items()},
        "products": {TENSORS[name]: [TENSORS[operand] for operand in OPERANDS[name]] for name in ("dx", "dw")},
    }


def _data(gemm: Gemm, seed: int) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    b, k, n = gemm.sizes.values()

    def integers(*shape: int) -> Array:
        return jnp.asarray(generator.integers(-_LARGEST, _LARGEST + 1, shape), jnp.float32)

    return {"x": integers(b, k), "w": integers(k, n), "dy": integers(b, n)}
