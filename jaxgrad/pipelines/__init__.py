"""A network's training on several arrays: tasks, partitions, pipelines and their simulation, in cycles and words."""

from jaxgrad.pipelines import asynchronous, data_parallel, replication, synchronous  # they register theirs
from jaxgrad.pipelines.chain import Chain as Chain
from jaxgrad.pipelines.delayed import delayed as delayed
from jaxgrad.pipelines.network import Network as Network
from jaxgrad.pipelines.network import network as network
from jaxgrad.pipelines.partitions import Link as Link
from jaxgrad.pipelines.partitions import Partition as Partition
from jaxgrad.pipelines.partitions import partitions as partitions
from jaxgrad.pipelines.pipeline import PIPELINES as PIPELINES
from jaxgrad.pipelines.pipeline import Pipeline as Pipeline
from jaxgrad.pipelines.pipeline import register as register
from jaxgrad.pipelines.simulator import simulate as simulate

__all__ = [
    "PIPELINES",
    "Chain",
    "Link",
    "Network",
    "Partition",
    "Pipeline",
    "asynchronous",
    "data_parallel",
    "delayed",
    "network",
    "partitions",
    "register",
    "replication",
    "simulate",
    "synchronous",
]
