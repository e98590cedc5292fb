"""The suite's machine: four CPU devices unless JAX_PLATFORMS says otherwise, and a compilation cache in the repo."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "jax"
# Most of the suite's time would go to optimizing programs that run for microseconds. HLO passes and what is computed
# stay; the code made of them is plain. The newest jax compiles as it does for users: it has no such emitters any more.
PLAIN_CODE = (
    "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)
MAPS = 5_000  # with them a worker takes about 1.4 GB; Linux allows a process 65,530 by default

# By environment, so that the processes a test starts have them too.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("MPLBACKEND", "Agg")
if os.environ["JAX_PLATFORMS"] == "cpu" and version("jaxlib").startswith("0.10."):
    os.environ.setdefault("XLA_FLAGS", PLAIN_CODE)

import jax
from hypothesis import settings
from jaxtyping import install_import_hook

# Shapes, dtypes and types in signatures are checked at every call. Not those of the public faces (emulate, Counters,
# hardware, autodiff's operations, transform, build): they take whatever a user gives and say themselves what would do.
_RULES = ("contraction", "convolution", "dot_general", "effectual", "estimators", "layer", "lowered", "rule", "taps")
_NETWORKS = Path(__file__).resolve().parent.parent / "models" / "jaxgrad_models"
install_import_hook(
    [
        *("jaxgrad.array.passes", "jaxgrad.array.execute", "jaxgrad.array.wide"),
        *(
            f"jaxgrad_models.{file.stem}"
            for file in _NETWORKS.glob("[a-z]*.py")
            if file.stem not in ("errors", "shapes")
        ),
        *(f"jaxgrad.autodiff.{name}" for name in (*_RULES, "task")),
    ],
    "beartype.beartype",
)

# Only here: a command that a test starts sees the one device its user would.
jax.config.update("jax_num_cpu_devices", 4)
if os.environ["JAX_PLATFORMS"] != "cpu":  # an accelerator rounds float32 operands otherwise: to tf32, or bf16
    jax.config.update("jax_default_matmul_precision", "highest")

settings.register_profile("local", deadline=None, max_examples=25)
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_finish() -> None:
    """Keeps the garbage collector off what stays to the end, modules and tests; tracing leaves little to collect."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser, for pages as readers see them: the system's, driven by what the extra `browser` installs.

    For a module, no longer: its driver's event loop runs as long, and others (Orbax's) must not meet it.
    """
    driver = pytest.importorskip("playwright.sync_api", reason="needs pip install 'jaxgrad[browser]'")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("needs Chromium")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def _memory_maps() -> int | None:
    """Mappings this process holds; None where the system doesn't tell."""
    try:
        with open("/proc/self/maps", "rb") as maps:
            return sum(1 for _ in maps)
    except OSError:
        return None


@pytest.fixture(autouse=True, scope="module")
def _drop_compiled_functions() -> Iterator[None]:
    """Frees finished modules' executables: thousands of them run into the kernel's limit on memory maps.

    Not after every module: they share what they trace and compile of JAX's own functions.
    """
    yield
    maps = _memory_maps()
    if maps is None or maps > MAPS:
        jax.clear_caches()
