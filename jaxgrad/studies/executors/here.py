"""Tasks done in this process, one after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence

from jaxgrad.studies.tasks import Follow, Task

LOOK_S = 0.2
"""Between two looks at what others are at, where nothing else is left."""


class Here:
    """This process. Several that are given the same tasks and one store share them among themselves."""

    def run(self, tasks: Sequence[Task], follow: Follow) -> Iterator[Task]:
        for task in follow(_claimed(tasks)):
            task.keep()
            yield task


def _claimed(tasks: Sequence[Task]) -> Iterator[Task]:
    """Each task, claimed until the next one is asked for; those that others are at come last."""
    queue, refused = deque(tasks), 0
    while queue:
        task = queue.popleft()
        with task.claimed() as is_mine:
            if is_mine:
                refused = 0
                yield task
                continue
        queue.append(task)
        refused += 1
        if refused >= len(queue):
            time.sleep(LOOK_S)
            refused = 0
