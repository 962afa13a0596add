"""Shared real parts: the engine, the portrait, a watcher that never stops anything."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.imaging.files import load_picture

ROOT = Path(__file__).resolve().parent.parent
PORTRAIT = ROOT / "examples" / "astronaut.png"

# No test is timed: how long an example takes is the machine's affair.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


class Onward:
    """Lets everything run to its end, and counts."""

    def __init__(self) -> None:
        self.steps = 0
        self.megapixel_steps = 0.0

    def step(self, number: int, total: int) -> None:
        self.steps += 1

    def check(self) -> None:
        pass

    def begin(self, labels: object) -> None:
        pass

    def advance(self, megapixel_steps: float) -> None:
        self.megapixel_steps += megapixel_steps


REAL_CACHE = os.environ.get("XDG_CACHE_HOME")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or fills the cache of whoever runs the tests."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if REAL_CACHE is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = REAL_CACHE


def weights(name: str) -> Path:
    """A model file that `make setup` fetches; skips with a reason where it is not there."""
    file = Path(REAL_CACHE or Path.home() / ".cache") / "finisher" / "upscalers" / name
    if not file.is_file():
        pytest.skip(f"{name} is not there; `make setup` fetches it")
    return file


def detector_weights(name: str) -> Path:
    """A detector's file that `make setup` fetches; skips where it is not there, and fails in CI."""
    return _fetched("detectors", name)


def photograph(name: str) -> np.ndarray:
    """A photograph as pixels: astronaut.png, grace_hopper.jpg, or bus.jpg and zidane.jpg of the package ultralytics."""
    if name == PORTRAIT.name:
        return load_picture(PORTRAIT).pixels
    if name not in ("bus.jpg", "zidane.jpg"):
        return load_picture(_fetched("photographs", name)).pixels
    package = importlib.util.find_spec("ultralytics")
    if package is None or package.origin is None:
        pytest.skip(f"{name} is in the package ultralytics, which is not installed")
    return load_picture(Path(package.origin).parent / "assets" / name).pixels


def _fetched(folder: str, name: str) -> Path:
    file = Path(REAL_CACHE or Path.home() / ".cache") / "finisher" / folder / name
    if not file.is_file():
        reason = f"{name} is not there; `make setup` fetches it"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return file


@pytest.fixture(scope="session")
def host() -> EmbeddedHost:
    return EmbeddedHost()


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    return load_picture(PORTRAIT).pixels


@pytest.fixture()
def onward() -> Onward:
    return Onward()


@pytest.fixture(scope="session")
def gradient() -> Callable[[int, int], np.ndarray]:
    """A smooth colourful picture of any size."""

    def make(height: int, width: int) -> np.ndarray:
        y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
        planes = [0.2 + 0.6 * x + 0 * y, 0.7 - 0.4 * y + 0 * x, 0.5 + 0.3 * np.sin(6 * x) * np.cos(5 * y)]
        return np.round(np.stack(planes, axis=-1) * 255).astype(np.float32) / np.float32(255)

    return make
