"""jaxgrad.base.cache_folder: where what can be made again is kept."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest
from platformdirs.unix import Unix

from jaxgrad.base.cache_folder import cache_folder


@pytest.mark.skipif(platformdirs.PlatformDirs is not Unix, reason="elsewhere other variables say where caches are")
def test_it_is_where_the_user_keeps_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder("xla") == tmp_path / "caches" / "jaxgrad" / "xla"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder("xla") == tmp_path / "home" / ".cache" / "jaxgrad" / "xla"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_folder("xla") is None
