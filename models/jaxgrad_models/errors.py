"""How a model refuses what it can't be built from."""

from __future__ import annotations


class BuildError(ValueError):
    """A model of that name or of these sizes can't be built.

    Args:
        field: the argument, such as ``input_shape``.
        value: what was given.
        remedy: what would do.
    """

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(field, value, remedy)
        self.field = field
        self.value = value
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.field}: got {self.value!r}; {self.remedy}"


def is_size(value: object) -> bool:
    """Whether a value can be a number of pixels, channels or classes: a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
