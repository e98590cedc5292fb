"""What an experiment's keys take besides the values that they are written with.

The axes of a sweep cross each other: there is a setting for each combination. Changes do not: each of their values is
a setting of its own, in which everything else is as written.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jaxgrad.base.errors import InputError
from jaxgrad.hardware.files import MachineSection
from jaxgrad.studies import schema
from jaxgrad.studies.schema import MEASURED, Experiment
from jaxgrad.studies.sections import VariantSection

_OF_THE_WHOLE = {"sweep", "change", "published", "measured", "calibrate"}
_WORKLOAD = ("batch",)
_VARIANT = tuple(key for key in VariantSection.model_fields if key != "name")
_REMEDY = "give workload.batch or a key of machine or of a variant, as machine.rows, variant.NAME.schedule"


class Change(NamedTuple):
    """One change of an experiment: its name, and the label of the value."""

    name: str
    label: str

    def __str__(self) -> str:
        return f"{self.name}: {self.label}"


class Setting(NamedTuple):
    """Values that keys take together.

    Args:
        at: labels of the swept values by axis.
        change: what is changed, if anything is.
        keys: values by key.
        without: keys that are taken out, so that they have their defaults.
    """

    at: dict[str, str]
    change: Change | None
    keys: dict[str, Any]
    without: Sequence[str] = ()


def settings(experiment: Experiment) -> Iterator[Setting]:
    """Every setting: those of the sweep (without one, all as written), then those of the changes."""
    for chosen in itertools.product(*(axis.settings() for axis in experiment.sweep)):
        at = {axis.name: label for axis, (label, _) in zip(experiment.sweep, chosen, strict=True)}
        yield Setting(at, None, {key: value for _, keys in chosen for key, value in keys.items()})
    for change in experiment.change:
        for label, keys in change.settings():
            yield Setting({}, Change(change.name, label), keys, change.without)


def applied(experiment: Experiment, setting: Setting, origin: str) -> Experiment:
    """The experiment with the values of a setting; nothing swept, changed, published or measured. Checked as a whole.

    Args:
        experiment: that of the setting.
        setting: from ``settings``.
        origin: the file that errors name.

    Raises:
        InputError: there is no such key, or the value will not do.
    """
    if not setting.keys:
        return experiment
    tree = experiment.model_dump(exclude_unset=True, exclude=_OF_THE_WHOLE)
    kind = "sweep" if setting.change is None else "change"
    try:
        for key in setting.without:
            table, last = _place(experiment, tree, key, f"{kind}.without", create=False)
            if last not in table:
                problem = f"got {key!r}, which the file does not give"
                raise InputError(f"{kind}.without", key, "leave it out", problem=problem)
            del table[last]
        for key, value in setting.keys.items():
            if setting.change is not None and key in MEASURED:
                tree[key] = value
            else:
                table, last = _place(experiment, tree, key, f"{kind}.keys", create=True)
                table[last] = value
    except InputError as error:
        raise error.read_from(origin) from None
    try:
        return schema.check(tree, origin)
    except InputError as error:
        raise (error if setting.change is None else error.within(f"change {str(setting.change)!r}")) from None


def _place(
    experiment: Experiment, tree: dict[str, Any], key: str, field: str, *, create: bool
) -> tuple[dict[str, Any], str]:
    """The table that a key is in, and its last part.

    A variant's keys of ``machine`` are laid over the machine's, so that their tables are made where there are none.
    """
    root, _, rest = key.partition(".")
    allowed, overlaid = {"workload": _WORKLOAD, "machine": tuple(MachineSection.model_fields)}.get(root, ()), False
    place: Any = tree.get(root)
    if root == "variant":
        # A variant's name may have dots itself.
        names = [variant.name for variant in experiment.variant if rest.startswith(f"{variant.name}.")]
        name = max(names, key=len, default=None)
        place = next((variant for variant in tree["variant"] if variant["name"] == name), None)
        rest, allowed = rest[len(name or "") + 1 :], _VARIANT
        overlaid = create and rest.startswith("machine.")
    *tables, last = rest.split(".")
    if [*tables, last][0] not in allowed:
        raise InputError(field, key, _REMEDY)
    for table in tables:
        if overlaid and isinstance(place, dict):
            place.setdefault(table, {})
        place = place.get(table) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise InputError(field, key, _REMEDY)
    return place, last
