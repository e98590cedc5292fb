"""What is written of measurements and of a fit: a table of all, and the machine that was found, as an experiment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import tomli_w

from jaxgrad.studies.calibration.records import Calibration
from jaxgrad.studies.schema import Experiment

CALIBRATED = "calibrated.toml"


def calibrated(experiment: Experiment, calibration: Calibration, file: Path, folder: Path) -> str:
    """The experiment on the machine that was found, as a file that extends it.

    Args:
        experiment: of ``file``.
        calibration: what was fitted.
        file: the experiment's.
        folder: where it will be.
    """
    tree: dict[str, Any] = {
        "extends": Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix(),
        "title": f"{experiment.title}: fitted to measurements",
        "fitted_to_measurements": True,
        "calibrate": False,
        "machine": {"memory": calibration.found},
    }
    used = len(calibration.used)
    said = f"# Fitted to {used} measurements of {file.name} by least squares; report.html beside it says how well."
    return f"{said}\n{tomli_w.dumps(tree)}"
