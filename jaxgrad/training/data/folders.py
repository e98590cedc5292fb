"""A folder of images with a folder for each class, as photographs are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxgrad.base.errors import InputError
from jaxgrad.training.data.arrays import of_arrays
from jaxgrad.training.data.dataset import Dataset

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
_TESTS = ("test", "val", "validation", "valid")
_LAYOUT = "give CLASS/image.png, or train/CLASS/image.png and test/CLASS/image.png"


def read(folder: Path) -> Dataset:
    """The images of a folder, 0 to 1, labelled by the folders that they are in, sorted by name.

    Args:
        folder: with a folder a class; or with ``train`` and ``test`` (or ``val``), each with those. Without a test part
            a fifth of each class is one. All images have one size; they get one channel where all are grey, else three.

    Raises:
        InputError: there are no images, one can't be read, or sizes differ.
    """
    tests = [folder / name for name in _TESTS if (folder / name).is_dir()]
    split = (folder / "train").is_dir() and bool(tests)
    parts = [folder / "train", tests[0]] if split else [folder]
    classes = sorted({path.name for part in parts for path in _folders(part)})
    if not classes:
        raise InputError(str(folder), folder, _LAYOUT, problem="found no folders of classes")
    files = [[(path, label) for label, name in enumerate(classes) for path in _images(part / name)] for part in parts]
    for part, found in zip(parts, files, strict=True):
        if not found:
            raise InputError(str(part), part, _LAYOUT, problem="found no images")
    mode = "L" if all(_is_grey(path) for found in files for path, _ in found) else "RGB"
    size = _shape(files[0][0][0], mode)
    arrays = {}
    for keys, found in zip((("x_train", "y_train"), ("x_test", "y_test")), files, strict=False):
        arrays[keys[0]] = np.stack([_pixels(path, mode, size) for path, _ in found])
        arrays[keys[1]] = np.asarray([label for _, label in found])
    # A class without images still is one.
    return of_arrays(arrays, str(folder), folder.resolve().name)._replace(classes=len(classes))


def _folders(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def _images(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]


def _is_grey(path: Path) -> bool:
    with _opened(path) as image:
        return image.mode in ("1", "L") or image.mode.startswith("I;16")


def _shape(path: Path, mode: str) -> tuple[int, ...]:
    return _pixels(path, mode, None).shape


def _pixels(path: Path, mode: str, shape: tuple[int, ...] | None) -> np.ndarray:
    try:
        with _opened(path) as image:
            pixels = np.asarray(_bytes(image, path).convert(mode))
    except OSError as error:
        raise InputError(str(path), path, "give an image", problem=f"can't be read: {error}") from None
    if shape is not None and pixels.shape != shape:
        (height, width), (first_height, first_width) = pixels.shape[:2], shape[:2]
        problem = f"got {width}x{height} pixels, others have {first_width}x{first_height}"
        raise InputError(str(path), pixels.shape, "give images of one size", problem=problem)
    return pixels


def _bytes(image: Image.Image, path: Path) -> Image.Image:
    """An image of 8 bits a channel: Pillow's own conversion makes all that is above 255 white."""
    if image.mode.startswith("I;16"):
        from PIL import Image

        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        problem = f"its pixels are {'floats' if image.mode == 'F' else 'of 32 bits'}"
        raise InputError(str(path), path, "give an image of 8 or 16 bits a channel", problem=problem)
    return image


def _opened(path: Path) -> Image.Image:
    # Imported here: most data sets are no image files.
    from PIL import Image

    try:
        return Image.open(path)
    except OSError as error:
        raise InputError(str(path), path, "give an image", problem=f"can't be read: {error}") from None
