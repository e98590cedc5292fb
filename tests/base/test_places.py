"""Places for files: what holds of a folder holds of what fsspec reaches by a URL."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jaxgrad.base import places
from jaxgrad.base.errors import InputError
from jaxgrad.base.places import Place
from jaxgrad.studies.store import Store

pytest.importorskip("fsspec")
import fsspec
from fsspec.implementations.memory import MemoryFileSystem


@pytest.fixture(params=["folder", "file://", "local://", "memory://"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty one of each kind; ``local://`` is a filesystem with folders as fsspec has it."""
    text = str(tmp_path) if request.param == "folder" else f"{request.param}{tmp_path}"
    yield places.place("--store", text)
    if request.param == "memory://":
        fsspec.filesystem("memory").store.clear()


def test_files_are_written_read_and_listed(place: Place) -> None:
    assert place.names("a") == set()
    with pytest.raises(FileNotFoundError):
        place.read("a/b/c.json")
    place.write("a/b/c.json", b"1")
    place.write("a/b/c.json", b"2")
    place.write("other/c.json", b"3")
    assert place.read("a/b/c.json") == b"2"
    assert place.names("a") == {"a/b/c.json"}
    assert place.names("a/b") == {"a/b/c.json"}
    assert str(place.at("a/b/c.json")).endswith("a/b/c.json")


def test_a_claim_is_one_block_s(place: Place) -> None:
    with place.claim("a/b.json") as mine, place.claim("a/b.json") as other, place.claim("a/c.json") as another:
        assert (mine, other, another) == (True, False, True)
    assert place.names("a") == set()
    with place.claim("a/b.json") as mine:
        assert mine


def test_it_can_be_sent_to_another_process(place: Place) -> None:
    place.write("a/b.json", b"1")
    sent = pickle.loads(pickle.dumps(place))
    assert sent.read("a/b.json") == b"1"
    assert sent.address == place.address


def test_a_store_in_it_keeps_results(place: Place) -> None:
    store = Store(place)
    assert store.cached("points", {"a": 1}, lambda: [1.5, None]) == [1.5, None]
    assert Store(place).cached("points", {"a": 1}, lambda: pytest.fail("computed twice")) == [1.5, None]
    (name,) = place.names("points")
    place.write(name, place.read(name)[:-1] + b" ")
    with pytest.warns(UserWarning, match="is damaged"):
        assert store.get("points", {"a": 1}) is None


def test_a_claim_that_was_not_renewed_is_nobody_s(tmp_path: Path) -> None:
    place = places.place("--store", f"memory://{tmp_path}")
    place.write("a.json.lock", f"gone {time.time() - 1}".encode())
    with place.claim("a.json") as mine:
        assert mine


def test_a_claim_is_renewed_for_as_long_as_it_is_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("jaxgrad.base.remote.LEASE_S", 0.3)
    place = places.place("--store", f"memory://{tmp_path}")
    with place.claim("a.json") as mine:
        time.sleep(0.6)
        with place.claim("a.json") as other:
            assert (mine, other) == (True, False)


class Buckets(MemoryFileSystem):
    """As of an object store: paths begin with a bucket, which has to be there, or is made as if it were a folder."""

    protocol = "buckets"
    root_marker = ""
    made: ClassVar[list[str]] = ["there"]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix("buckets://").strip("/")

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        if path.partition("/")[0] not in self.made:
            raise FileNotFoundError("The specified bucket does not exist")
        super().pipe_file(path, value, mode)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        self.made.append(path.partition("/")[0])


def test_a_bucket_is_not_made() -> None:
    fsspec.register_implementation("buckets", Buckets, clobber=True)
    places.place("--store", "buckets://there/store").write("a/b.json", b"1")
    with pytest.raises(InputError, match=r"which can't be written to \(The specified bucket does not exist\)"):
        places.place("--store", "buckets://their/store")
    assert Buckets.made == ["there"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "s33://bucket/folder",
            r"got 's33://bucket/folder', which can't be written to \(.*s33.*\); give a place that can",
        ),
        ("local:///proc/nowhere", r"got 'local:///proc/nowhere', which can't be written to \(.*\); give a place"),
    ],
)
def test_a_place_that_will_not_do_is_refused(url: str, said: str) -> None:
    with pytest.raises(InputError, match=f"--store: {said}"):
        places.place("--store", url)
