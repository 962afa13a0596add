"""Upscaler model files through spandrel: the real model that the demo uses, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lib_finisher.hosts.embedded.upscalers import UpscalerFolder, _scale_in
from lib_finisher.hosts.port import HostError, Interrupted
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
from tests.conftest import Onward, weights

MODEL = "RealESR_Gx4.pth"


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("4x-UltraSharp", 4),
        ("RealESRGAN_x2plus", 2),
        ("1x-ITF-SkinDiffDetail-Lite-v1", 1),
        ("8x_NMKD", 8),
        ("Remacri", 4),
    ],
)
def test_the_scale_in_a_name(name: str, scale: int) -> None:
    assert _scale_in(name) == scale


def test_a_real_model_enlarges_and_tiles_do_not_show(portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    folder = UpscalerFolder(weights(MODEL).parent)
    assert (folder.facts()[0].name, folder.facts()[0].scale) == ("RealESR_Gx4", 4)
    picture = np.ascontiguousarray(portrait[40:168, 160:288])
    whole = folder.upscale("RealESR_Gx4", picture, Onward())
    assert whole.shape == (512, 512, 3)
    assert float(np.abs(resize(whole, Size(128, 128)) - picture).mean()) * 255 < 6
    monkeypatch.setattr("lib_finisher.hosts.embedded.upscalers._TILE", 64)
    tiled = folder.upscale("RealESR_Gx4", picture, Onward())
    assert float(np.abs(tiled - whole).max()) * 255 < 1.5


def test_an_interruption_ends_it_at_once(portrait: np.ndarray) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")

    class Stop(Onward):
        def step(self, number: int, total: int) -> None:
            raise Interrupted

    with pytest.raises(Interrupted):
        UpscalerFolder(weights(MODEL).parent).upscale("RealESR_Gx4", portrait[:32, :32], Stop())


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    (tmp_path / "4x-broken.pth").write_bytes(b"not a model")
    folder = UpscalerFolder(tmp_path)
    with pytest.raises(HostError, match="4x-broken"):
        folder.upscale("4x-broken", np.zeros((8, 8, 3), np.float32), Onward())
    with pytest.raises(HostError, match="no upscaler 'absent'"):
        folder.upscale("absent", np.zeros((8, 8, 3), np.float32), Onward())


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    import pickle

    mark = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return __import__("os").system, (f"touch {mark}",)

    (tmp_path / "4x-evil.pth").write_bytes(pickle.dumps({"params": Evil()}))
    with pytest.raises(HostError, match="4x-evil"):
        UpscalerFolder(tmp_path).upscale("4x-evil", np.zeros((8, 8, 3), np.float32), Onward())
    assert not mark.exists()
