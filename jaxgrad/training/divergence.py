"""A loss that is no number any more: said as soon as it is seen, and training stops there if it is not to go on."""

from __future__ import annotations

import math
import time
import warnings

import jax
from jax import Array

from jaxgrad.base.errors import one_of
from jaxgrad.training.step import State, Sums

STOP, CONTINUE = "stop", "continue"
ON_NAN: tuple[str, ...] = (STOP, CONTINUE)
_LOOK_EVERY_S = 0.2  # looking waits for the device, so not after every step


class Diverged(Exception):
    """A loss was NaN or infinite.

    Args:
        what: which loss.
        loss: its value.
        epoch: in which it was, from 1.
        epochs: that there were to be.
        step: after which it was, from 1.
        state: after all steps that were done until it was seen.
    """

    def __init__(self, what: str, loss: float, *, epoch: int, epochs: int, step: int, state: State) -> None:
        super().__init__(f"the {what} is {loss} in epoch {epoch} of {epochs}, at step {step}")
        self.loss, self.epoch, self.step, self.state = loss, epoch, step, state


class Watch:
    """Watches the losses of a run.

    Args:
        on_nan: one of ``ON_NAN``: ``stop`` raises ``Diverged``, ``continue`` warns, once.
        epochs: there will be in all.
        steps: an epoch.

    Raises:
        InputError: ``on_nan`` is neither.
    """

    def __init__(self, on_nan: str, epochs: int, steps: int) -> None:
        self._on_nan = one_of("on_nan", on_nan, ON_NAN)
        self._epochs, self._steps = epochs, steps
        self._sums: list[Array] = []  # of the losses, after each step that was not looked at
        self._next_look = 0.0
        self._has_warned = False

    def trained(self, state: State, step: int, *, at_once: bool) -> None:
        """Another step is done; it is looked at with the next ones, unless ``at_once``.

        NaN and infinity stay in a sum: one look at the last sum is enough for all steps before it in the epoch, and the
        first sum that has one tells the step.

        Args:
            state: after it, with the sums of its epoch.
            step: from 1.
            at_once: before an epoch ends, or a checkpoint is made.
        """
        self._sums.append(state.sums.loss)
        # Several processes stop at the same step, so each looks at the same ones.
        if not at_once and (jax.process_count() > 1 or time.monotonic() < self._next_look):
            return
        if not math.isfinite(float(self._sums[-1])):
            losses = [float(loss) for loss in self._sums]
            first = next(index for index, loss in enumerate(losses) if not math.isfinite(loss))
            self._diverged("loss", losses[first], step - len(losses) + 1 + first, state)
        self._sums.clear()
        self._next_look = time.monotonic() + _LOOK_EVERY_S

    def tested(self, state: State, test: Sums, step: int) -> None:
        """The test images were evaluated after a step."""
        if not math.isfinite(loss := float(test.loss)):
            self._diverged("test loss", loss, step, state)

    def _diverged(self, what: str, loss: float, step: int, state: State) -> None:
        epoch = 1 + (step - 1) // self._steps
        divergence = Diverged(what, loss, epoch=epoch, epochs=self._epochs, step=step, state=state)
        if self._on_nan == STOP:
            raise divergence
        if not self._has_warned:
            warnings.warn(f"{divergence}; training goes on", stacklevel=4)
            self._has_warned = True
