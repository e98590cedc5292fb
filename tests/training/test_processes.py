"""Which clusters are joined; of one process, that it is all of them. Several are tested with the command line."""

from __future__ import annotations

import numpy as np
import pytest

from jaxgrad.base.errors import InputError
from jaxgrad.training import processes

SLURM = {"SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "n[1-2]", "SLURM_NTASKS": "2", "SLURM_STEP_NUM_TASKS": "2"}
OPEN_MPI = {"OMPI_MCA_orte_hnp_uri": "1.0;tcp://10.0.0.1:3", "OMPI_COMM_WORLD_SIZE": "2"}


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        (SLURM, "Slurm"),
        ({**SLURM, "SLURM_STEP_NUM_TASKS": "1"}, None),  # the shell of an allocation
        ({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "2"}, None),  # a batch script
        (OPEN_MPI, "Open MPI"),
        ({**OPEN_MPI, "OMPI_COMM_WORLD_SIZE": "1"}, None),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "0"}, "Kubernetes"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None),  # a pod of its own
        ({}, None),
    ],
)
def test_the_clusters_that_start_several_processes(environment: dict[str, str], name: str | None) -> None:
    assert processes.cluster(environment) == name


def test_one_process_agrees_with_itself() -> None:
    assert processes.is_writer()
    assert processes.by_writer(lambda: 3) == processes.together(lambda: 3) == processes.told(3) == 3
    assert processes.told_array(np.arange(3)).tolist() == [0, 1, 2]
    with pytest.raises(InputError):
        processes.together(lambda: processes.by_writer(refuse))


def refuse() -> None:
    raise InputError("x", 1, "give another")
