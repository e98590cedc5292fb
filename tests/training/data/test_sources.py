from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgrad.training.data import Dataset, batches, load, order

MNIST_FILES = {
    "train-images-idx3-ubyte": 5,
    "train-labels-idx1-ubyte": 5,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 3,
}
CIFAR10_FILES = {**{f"data_batch_{number}.bin": 4 for number in range(1, 6)}, "test_batch.bin": 3}


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">{1 + array.ndim}I", {3: 2051, 1: 2049}[array.ndim], *array.shape)
    return header + array.astype(np.uint8).tobytes()


def mnist_arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        name: generator.integers(0, 256, (count, 28, 28)) if "images" in name else generator.integers(0, 10, count)
        for name, count in MNIST_FILES.items()
    }


def write_mnist(folder: Path, *, zipped: bool = False) -> dict[str, np.ndarray]:
    arrays = mnist_arrays()
    for name, array in arrays.items():
        content = idx(array)
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return arrays


def write_cifar10(folder: Path) -> dict[str, np.ndarray]:
    """Records of random bytes, each under a label from 0 to 9."""
    generator = np.random.default_rng(0)
    records = {}
    for name, count in CIFAR10_FILES.items():
        records[name] = generator.integers(0, 256, (count, 3073)).astype(np.uint8)
        records[name][:, 0] %= 10
        (folder / name).write_bytes(records[name].tobytes())
    return records


def text_alone(value: object) -> str:
    """A test's name without the bytes of its file."""
    return value if isinstance(value, str) else "file"


def small(count: int) -> Dataset:
    """Image i and its label both say i."""
    images = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1)
    labels = np.arange(count, dtype=np.int32)
    return Dataset(images, labels, images[:0], labels[:0], 10, "small")


# digits


def test_digits_are_real_images_split_by_class():
    data = load("digits")
    assert (data.train_images.shape, data.test_images.shape) == ((1437, 8, 8, 1), (360, 8, 8, 1))
    assert (data.classes, data.name, data.input_shape) == (10, "digits", (8, 8, 1))
    assert data.train_images.dtype == data.test_images.dtype == np.float32
    assert data.train_labels.dtype == data.test_labels.dtype == np.int32
    assert (data.train_images.min(), data.train_images.max()) == (0.0, 1.0)
    train, test = np.bincount(data.train_labels), np.bincount(data.test_labels)
    np.testing.assert_allclose(test / (train + test), 360 / 1797, atol=0.005)


def test_no_digit_is_lost_or_in_both_splits():
    from sklearn.datasets import load_digits

    data = load("digits")
    pixels, _ = load_digits(return_X_y=True)
    ours = np.concatenate([data.train_images, data.test_images]).reshape(-1, 64) * 16
    np.testing.assert_array_equal(np.unique(ours, axis=0), np.unique(pixels, axis=0))
    assert len(ours) == len(pixels)


def test_digits_are_split_the_same_way_everywhere():
    """A fixed sample of the split: other library versions must not deal the images anew."""
    data = load("digits")
    assert data.train_labels[:10].tolist() == [3, 9, 1, 3, 1, 9, 4, 4, 2, 8]
    assert data.test_labels[:10].tolist() == [7, 6, 3, 7, 7, 3, 2, 8, 9, 3]


# MNIST


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_is_read_as_written(tmp_path, zipped):
    arrays = write_mnist(tmp_path, zipped=zipped)
    data = load("mnist", tmp_path)
    assert (data.classes, data.name, data.input_shape) == (10, "mnist", (28, 28, 1))
    for split, images, labels in (
        ("train", data.train_images, data.train_labels),
        ("t10k", data.test_images, data.test_labels),
    ):
        assert (images.dtype, labels.dtype) == (np.float32, np.int32)
        np.testing.assert_array_equal(images[..., 0], arrays[f"{split}-images-idx3-ubyte"].astype(np.float32) / 255)
        np.testing.assert_array_equal(labels, arrays[f"{split}-labels-idx1-ubyte"])


def test_a_folder_may_be_given_as_text(tmp_path):
    write_mnist(tmp_path)
    assert len(load("mnist", str(tmp_path)).train_labels) == 5


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
GOOD = {name: idx(array) for name, array in mnist_arrays().items()}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, None, "missing, and so is train-images-idx3-ubyte.gz"),
        ("t10k-labels-idx1-ubyte", None, "missing, and so is t10k-labels-idx1-ubyte.gz"),
        (IMAGES, b"", "expected a header of 16 bytes, found a file of 0"),
        (LABELS, GOOD[LABELS][:7], "expected a header of 8 bytes, found a file of 7"),
        (IMAGES, GOOD[LABELS] + bytes(16), "expected magic number 2051, found 2049"),
        (LABELS, GOOD[IMAGES], "expected magic number 2049, found 2051"),
        (IMAGES, GOOD[IMAGES][:-1], "expected 3920 bytes after the header (5 items), found 3919"),
        (IMAGES, GOOD[IMAGES] + b"\0", "expected 3920 bytes after the header (5 items), found more"),
        (LABELS, GOOD[LABELS][:-2], "expected 5 bytes after the header (5 items), found 3"),
        (IMAGES, struct.pack(">4I", 2051, 5, 32, 32), "expected images of (28, 28), found (32, 32)"),
        (IMAGES, struct.pack(">4I", 2051, 0, 28, 28), "expected at least one item, found none"),
        # the header promises 3.4 TB: neither MemoryError nor a long wait
        (
            IMAGES,
            struct.pack(">4I", 2051, 0xFFFFFFFF, 28, 28),
            "expected 3367254359280 bytes after the header (4294967295 items), found 0",
        ),
        (LABELS, idx(np.zeros(4)), "expected 5 labels, one for each image, found 4"),
        (LABELS, idx(np.array([1, 2, 10, 3, 255])), "expected labels from 0 to 9, found 10 at item 2"),
    ],
    ids=text_alone,
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_malformed_mnist_file_is_named(tmp_path, name, content, message, zipped):
    write_mnist(tmp_path, zipped=zipped)
    path = tmp_path / (f"{name}.gz" if zipped else name)
    if content is None:
        path.unlink()
        path = tmp_path / name
    else:
        path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {message}')}; the MNIST page, .* describes .*$"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    "content",
    [GOOD[IMAGES], gzip.compress(GOOD[IMAGES])[:-20], gzip.compress(GOOD[IMAGES])[:10] + b"\xff" * 50],
    ids=["not zipped", "cut short", "corrupted"],
)
def test_a_broken_gz_is_named(tmp_path, content):
    write_mnist(tmp_path, zipped=True)
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: can't be read: .*the MNIST page.*$"):
        load("mnist", tmp_path)


# CIFAR-10


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-bin"])
def test_cifar10_is_read_as_written(tmp_path, inside):
    (tmp_path / inside).mkdir(exist_ok=True)
    records = write_cifar10(tmp_path / inside)
    data = load("cifar10", tmp_path)
    assert (data.classes, data.name, data.input_shape) == (10, "cifar10", (32, 32, 3))
    assert data.train_images.dtype == data.test_images.dtype == np.float32
    assert data.train_labels.dtype == data.test_labels.dtype == np.int32

    train = np.concatenate([records[f"data_batch_{number}.bin"] for number in range(1, 6)])
    test = records["test_batch.bin"]
    np.testing.assert_array_equal(data.train_labels, train[:, 0])
    np.testing.assert_array_equal(data.test_labels, test[:, 0])
    for channel in range(3):
        plane = slice(1 + 1024 * channel, 1 + 1024 * (channel + 1))
        seen = train[:, plane] / 255
        for images, raw in ((data.train_images, train), (data.test_images, test)):
            expected = (raw[:, plane] / 255 - seen.mean()) / seen.std()
            np.testing.assert_allclose(images[..., channel].reshape(-1, 1024), expected, rtol=1e-4, atol=1e-5)


def test_pixels_are_standardised_over_the_training_images():
    plain, made = load("digits"), load("digits", standardised=True)
    varying = plain.train_images.std(axis=0) > 0
    assert 0 < varying.sum() < varying.size
    np.testing.assert_allclose(made.train_images.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(made.train_images.std(axis=0)[varying], 1, rtol=1e-5)
    assert not made.train_images[:, ~varying].any()
    scale = plain.train_images.astype(np.float64).std(axis=0)[varying]
    expected = (plain.test_images - plain.train_images.astype(np.float64).mean(axis=0))[:, varying] / scale
    np.testing.assert_allclose(made.test_images[:, varying], expected, rtol=1e-4, atol=1e-5)
    assert made.train_images.dtype == np.float32


def test_a_constant_cifar10_channel_gives_zeros_and_not_nan(tmp_path):
    for name, array in write_cifar10(tmp_path).items():
        array[:, 1:1025] = 51
        (tmp_path / name).write_bytes(array.tobytes())
    data = load("cifar10", tmp_path)
    np.testing.assert_allclose(data.train_images[..., 0], 0, atol=1e-6)
    assert np.isfinite(data.test_images).all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_3.bin", None, "missing"),
        ("test_batch.bin", None, "missing"),
        ("data_batch_1.bin", b"", "expected records of 3073 bytes (*), found 0 bytes"),
        ("data_batch_5.bin", bytes(4 * 3073 - 1), "expected records of 3073 bytes (*), found 12291 bytes"),
        ("test_batch.bin", bytes(3073) + b"\x0a" + bytes(3072), "expected labels from 0 to 9, found 10 at item 1"),
    ],
    ids=text_alone,
)
def test_a_malformed_cifar10_file_is_named(tmp_path, name, content, message):
    write_cifar10(tmp_path)
    path = tmp_path / name
    path.unlink() if content is None else path.write_bytes(content)
    pattern = re.escape(f"{path}: {message}").replace(r"\*", ".*")
    with pytest.raises(ValueError, match=f"^{pattern}; the CIFAR-10 page, .* describes .*$"):
        load("cifar10", tmp_path)


# names and folders


MISSPELT = r"data: got 'mnits'; choose one of .*, text \(did you mean 'mnist'\?\), or give FILE\.npz, .*"


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        (
            "mnits",
            None,
            MISSPELT,
        ),
        ("digits", "here", "data folder: got 'here'; digits comes with scikit-learn, leave the folder out"),
        ("mnist", None, "data folder: got None; name the folder that holds the mnist files"),
        ("cifar10", None, "data folder: got None; name the folder that holds the cifar10 files"),
        ("cifar10", "/no/such", "data folder: got '/no/such', which is no folder; name the one with the cifar10 files"),
    ],
)
def test_a_wrong_name_or_folder_is_refused_in_one_line(name, folder, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        load(name, folder)


# batches


@given(
    count=st.integers(1, 60),
    batch_size=st.integers(1, 60),
    seed=st.integers(0, 2**64),
    epoch=st.integers(0, 1000),
    drop_last=st.booleans(),
)
def test_batches_deal_each_image_once_with_its_label(count, batch_size, seed, epoch, drop_last):
    batch_size = min(batch_size, count)
    seen = []
    sizes = []
    for images, labels in batches(small(count), batch_size, seed, epoch, drop_last=drop_last):
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
        seen += labels.tolist()
        sizes.append(len(labels))
    full, rest = divmod(count, batch_size)
    assert sizes == [batch_size] * full + ([rest] if rest and not drop_last else [])
    assert len(set(seen)) == len(seen)
    assert seen == order(count, seed, epoch)[: len(seen)].tolist()
    if not drop_last:
        assert sorted(seen) == list(range(count))


def test_an_epoch_has_its_own_order_and_always_the_same():
    one = order(1000, seed=3, epoch=5)
    np.testing.assert_array_equal(one, order(1000, seed=3, epoch=5))
    for other in (order(1000, seed=3, epoch=6), order(1000, seed=4, epoch=5), order(1000, seed=5, epoch=3)):
        assert np.mean(one == other) < 0.02


def test_the_order_is_the_same_with_every_numpy():
    assert order(10, seed=0, epoch=0).tolist() == [4, 9, 8, 7, 5, 3, 0, 1, 2, 6]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 0}, "batch_size: got 0; give a whole number of at least 1"),
        ({"batch_size": 2.0}, "batch_size: got 2.0; give a whole number of at least 1"),
        ({"batch_size": 11}, "batch_size: got 11; small has 10 training images, give at most that"),
        ({"seed": -1}, "seed: got -1; give a whole number of at least 0"),
        ({"epoch": -1}, "epoch: got -1; give a whole number of at least 0"),
    ],
)
def test_a_bad_batch_is_refused_before_the_first(changed, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        batches(small(10), **({"batch_size": 2, "seed": 0, "epoch": 0} | changed))
