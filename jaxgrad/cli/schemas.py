"""What users write in TOML, by kind, with the models that check it; and the JSON schemas that are shipped for editors.

``python -m jaxgrad.cli.schemas`` writes these anew (``make schemas``).
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel

from jaxgrad.base.files import write_text
from jaxgrad.base.json_schema import json_schema, text
from jaxgrad.cli import kinds
from jaxgrad.cli.schema import SCHEMAS
from jaxgrad.designs.schema import Sweep
from jaxgrad.hardware.files import MachineFile
from jaxgrad.hardware.technology_files import TechnologyFile
from jaxgrad.studies.control.schema import ControlExperiment
from jaxgrad.studies.dynamics.schema import DynamicsExperiment
from jaxgrad.studies.learning.schema import LearningExperiment
from jaxgrad.studies.memory.schema import MemoryExperiment
from jaxgrad.studies.pipelines.schema import PipelineExperiment
from jaxgrad.studies.schema import Experiment
from jaxgrad.training.config import Config


class File(NamedTuple):
    """A kind of file.

    Args:
        title: what it is, with the commands that take it.
        models: what checks it, by the key that tells its kind; the last one's kind is that of all others.
    """

    title: str
    models: dict[str, type[BaseModel]]


def _one(title: str, model: type[BaseModel]) -> File:
    return File(title, {"": model})


_TOLD: dict[str, type[BaseModel]] = {
    kinds.CONTROL.keys[0]: ControlExperiment,
    kinds.DYNAMICS.keys[0]: DynamicsExperiment,
    kinds.LEARNING.keys[0]: LearningExperiment,
    kinds.PIPELINES.keys[0]: PipelineExperiment,
    kinds.MEMORY.keys[0]: MemoryExperiment,
    kinds.EXPERIMENT.keys[0]: Experiment,
}
FILES: dict[str, File] = {
    "experiment": File("Experiments of any kind: jaxgrad run", _TOLD),
    "schedules": _one("Experiments with schedules: jaxgrad run", Experiment),
    "learning": _one("Experiments that train: jaxgrad run", LearningExperiment),
    "dynamics": _one("Experiments on the dynamics of training: jaxgrad run", DynamicsExperiment),
    "pipelines": _one("Experiments with pipelines: jaxgrad run", PipelineExperiment),
    "memory": _one("Experiments on memory: jaxgrad run", MemoryExperiment),
    "control": _one("Experiments with a control problem: jaxgrad run", ControlExperiment),
    "space": _one("Design spaces: jaxgrad sweep, jaxgrad search", Sweep),
    "training": _one("Training runs: jaxgrad train --config", Config),
    "machine": _one("Machines: the option --machine", MachineFile),
    "technology": _one("Technologies: the key technology of a machine", TechnologyFile),
}


def made() -> dict[str, str]:
    """The JSON schema of each kind, as its file has it."""
    return {name: text(json_schema(kind.title, kind.models)) for name, kind in FILES.items()}


if __name__ == "__main__":
    for name, schema in made().items():
        write_text(SCHEMAS / f"{name}.json", schema)
