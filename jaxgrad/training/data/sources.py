"""Data sets by name, by file, by folder or by the user's own Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgrad.base.errors import InputError, choose
from jaxgrad.training.data import arrays, cifar, folders, idx, python, text
from jaxgrad.training.data.dataset import Dataset
from jaxgrad.training.data.digits import digits
from jaxgrad.training.data.labels import noisy
from jaxgrad.training.data.pixels import standard

_IN_FOLDERS: dict[str, Callable[[str, Path], Dataset]] = {
    "mnist": idx.read,
    "cifar10": cifar.read,
    "cifar100": cifar.read,
    "fashion-mnist": idx.read,
}
NAMES: tuple[str, ...] = ("digits", *_IN_FOLDERS, text.NAME)
IN_FOLDERS: tuple[str, ...] = tuple(_IN_FOLDERS)
"""Those of ``NAMES`` whose files are in a folder of the user's."""

OWN = "FILE.npz, a folder of images by class, FILE.py:NAME, or FILE.txt"
WINDOW = 32
"""Characters in a window of a text where nothing is said."""


_WITHOUT_FILES = {"digits": "digits comes with scikit-learn", text.NAME: f"{text.NAME} is made where it is needed"}


def check(field: str, value: Any) -> str:
    """``value`` if it may be a data set: one of ``NAMES``, or what looks like a source of one's own.

    Raises:
        InputError: it is neither.
    """
    if isinstance(value, str) and (value in NAMES or text.is_text(value) or _read_of(value) is not None):
        return value
    raise InputError(field, value, f"{choose(NAMES, value)}, or give {OWN}")


def located(source: str, folder: Path) -> str:
    """A source as seen from the current folder, of one that is seen from ``folder``; names stay, and what is no source.

    >>> located("images.npz", Path("experiments")), located("mine.py:data", Path("experiments"))
    ('experiments/images.npz', 'experiments/mine.py:data')
    >>> located("digits", Path("experiments"))
    'digits'
    """
    if source in NAMES or not source:
        return source
    place = str(folder / source)
    return place if text.is_text(place) or _read_of(place) is not None else source


def short(source: str) -> str:
    """What a data set is called where its path is too long, as in the name of a folder."""
    return source if source in NAMES else Path(source.rpartition(":")[0] or source).resolve().stem


def load(
    name: str,
    folder: str | Path | None = None,
    *,
    standardised: bool = False,
    window: int | None = None,
    label_noise: float | None = None,
) -> Dataset:
    """A data set, ready to train on.

    ============= ======== ============== =====================================================================
    name          image    train / test   pixel values
    ============= ======== ============== =====================================================================
    digits        8x8x1    1437 / 360     0 to 1. The empty background stays exactly zero, as the array's
                                          effectual MACs should see it
    mnist         28x28x1  60000 / 10000  0 to 1, likewise
    fashion-mnist 28x28x1  60000 / 10000  0 to 1, likewise
    cifar10       32x32x3  50000 / 10000  0 to 1, then each channel standardised: less its mean over the
                                          training images, divided by its standard deviation there
    cifar100      32x32x3  50000 / 10000  likewise
    FILE.npz      any                     bytes as 0 to 1, other numbers as they are
    a folder      any                     0 to 1
    FILE.py:NAME  any                     bytes as 0 to 1, other numbers as they are
    text          window   4096 / 512     characters, as whole numbers: words of a source whose entropy is known
    FILE.txt      window                  likewise, of the user's own text
    ============= ======== ============== =====================================================================

    Args:
        name: digits (the UCI optical digits that come with scikit-learn; a fixed split, stratified by class), mnist or
            fashion-mnist (their four IDX files, plain or .gz), cifar10 or cifar100 (their binary version or the one for
            Python, read without running what it may hold), or a source of one's own: see ``arrays``, ``folders`` and
            ``python``.
        folder: where the files of a named set are; for CIFAR its archive's own folder or the one above. Any number of
            images is taken, so cut-down files work.
        standardised: then each pixel less its mean over the training images, divided by its standard deviation there
            (a constant one is 0); the background is no zero any more.
        window: characters in a window of a text, ``WINDOW`` where nothing is said; images have none.
        label_noise: the share of training labels that are random, see ``labels.noisy``.

    Raises:
        ValueError: an unknown name, no folder or one too many, or a file that is missing or malformed.
    """
    dataset = _load(name, folder, window)
    if standardised:
        dataset = standard(dataset)
    return dataset if label_noise is None else noisy(dataset, label_noise)


def _load(name: str, folder: str | Path | None, window: int | None) -> Dataset:
    check("data", name)
    if name not in _IN_FOLDERS:
        if folder is not None:
            why = _WITHOUT_FILES.get(name, f"{name} says where the images are")
            raise InputError("data folder", Path(folder), f"{why}, leave the folder out")
        if text.is_text(name):
            size = WINDOW if window is None else window
            return text.made(size) if name == text.NAME else text.read(Path(name), size)
        own = _read_of(name)
        return digits() if own is None else own(name)
    if folder is None:
        raise InputError("data folder", None, f"name the folder that holds the {name} files")
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            "data folder",
            folder,
            f"name the one with the {name} files",
            problem=f"got {str(folder)!r}, which is no folder",
        )
    return _IN_FOLDERS[name](name, folder)


def _read_of(source: str) -> Callable[[str], Dataset] | None:
    """What reads a source of the user's own; None where it looks like none."""
    if source in NAMES or not source:
        return None
    if source.endswith(".npz"):
        return lambda source: arrays.read_npz(Path(source))
    if ".py:" in source:
        return python.read
    return (lambda source: folders.read(Path(source))) if Path(source).is_dir() else None
