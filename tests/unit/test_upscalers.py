"""Upscaler model files through spandrel: the real model that the demo uses, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lib_finisher.hosts.embedded.upscaler_tiles import Share, TiledModel
from lib_finisher.hosts.embedded.upscalers import UpscalerFolder, _loaded
from lib_finisher.hosts.port import HostError, Interrupted, OutOfMemory
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
from tests.conftest import Onward, weights

MODEL = "RealESR_Gx4.pth"


def test_a_real_model_enlarges_and_tiles_do_not_show(portrait: np.ndarray) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    folder = UpscalerFolder(weights(MODEL).parent)
    facts = next(item for item in folder.facts() if item.name == "RealESR_Gx4")
    assert facts.scale == 4
    picture = np.ascontiguousarray(portrait[40:168, 160:288])
    whole = folder.upscale("RealESR_Gx4", picture, Onward())
    assert whole.shape == (512, 512, 3)
    assert float(np.abs(resize(whole, Size(128, 128)) - picture).mean()) * 255 < 6
    for share in (Share(112, 1), Share(112, 3)):
        watch = Onward()
        tiled = TiledModel("RealESR_Gx4", _loaded(weights(MODEL)), share)(picture, watch)
        assert watch.steps == (4 if share.together == 1 else 2)
        assert float(np.abs(tiled - whole).max()) * 255 < 1.5


def test_a_picture_smaller_than_a_tile_or_thin_is_no_trouble(portrait: np.ndarray) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    model = TiledModel("RealESR_Gx4", _loaded(weights(MODEL)), Share(64, 4))
    for height, width in ((1, 1), (3, 200), (97, 5)):
        made = model(np.ascontiguousarray(portrait[:height, :width]), Onward())
        assert made.shape == (4 * height, 4 * width, 3)
        assert np.isfinite(made).all()


class Short:
    """A real model on a device that holds no more than so many pixels at once; it remembers what it was given."""

    def __init__(self, descriptor: object, pixels: int, error: type[Exception]) -> None:
        self.descriptor, self.pixels, self.error = descriptor, pixels, error
        self.shapes: list[tuple[int, ...]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.descriptor, name)

    def __call__(self, batch: object) -> object:
        self.shapes.append(tuple(batch.shape))  # type: ignore[attr-defined]
        count, _, height, width = self.shapes[-1]
        if count * height * width > self.pixels:
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.descriptor(batch)  # type: ignore[operator]


def test_short_memory_takes_fewer_tiles_then_smaller_ones_and_remembers(portrait: np.ndarray) -> None:
    torch = pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    short = Short(_loaded(weights(MODEL)), 20000, torch.OutOfMemoryError)
    picture = np.ascontiguousarray(portrait[40:310, 170:310])
    model = TiledModel("RealESR_Gx4", short, Share(256, 2))
    made = model(picture, Onward())
    whole = TiledModel("RealESR_Gx4", _loaded(weights(MODEL)))(picture, Onward())
    assert float(np.abs(made - whole).max()) * 255 < 1.5
    counts = [shape[0] for shape in short.shapes]
    assert counts[:2] == [2, 1]
    assert max(short.shapes[-1][2:]) <= 128
    tried = len(short.shapes)
    model(picture, Onward())
    assert all(shape[0] * shape[2] * shape[3] <= 20000 for shape in short.shapes[tried:])


def test_memory_that_never_suffices_is_said(portrait: np.ndarray) -> None:
    torch = pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    for error in (torch.OutOfMemoryError, MemoryError):
        short = Short(_loaded(weights(MODEL)), 0, error)
        with pytest.raises(OutOfMemory, match="RealESR_Gx4 ran out of memory"):
            TiledModel("RealESR_Gx4", short, Share(256, 2))(portrait, Onward())
    with pytest.raises(ValueError, match="another reason"):
        broken = Short(_loaded(weights(MODEL)), 0, lambda _: ValueError("another reason"))  # type: ignore[arg-type]
        TiledModel("RealESR_Gx4", broken)(portrait[:32, :32], Onward())


def test_a_model_is_loaded_once_and_again_when_its_file_changes(tmp_path: Path, portrait: np.ndarray) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    import torch

    file = tmp_path / "4x-copy.pth"
    file.write_bytes(weights(MODEL).read_bytes())
    folder, crop = UpscalerFolder(tmp_path), np.ascontiguousarray(portrait[:32, :32])
    folder.upscale("4x-copy", crop, Onward())
    first = folder._model("4x-copy")
    folder.upscale("4x-copy", crop, Onward())
    assert folder._model("4x-copy") is first
    state = torch.load(file, map_location="cpu", weights_only=True)
    torch.save(state, tmp_path / "another.pth")
    (tmp_path / "another.pth").replace(file)
    assert folder._model("4x-copy") is not first


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_an_esrgan_file_of_any_scale_runs_as_spandrel_runs_it(tmp_path: Path, portrait: np.ndarray, scale: int) -> None:
    torch = pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    spandrel = pytest.importorskip("spandrel")
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(scale)
    # The models of Real-ESRGAN below 4x take the picture apart first, as these do.
    apart = 4 // scale
    network = ESRGAN(
        in_nc=3 * apart**2, num_filters=16, num_blocks=2, scale=4, shuffle_factor=apart if apart > 1 else None
    )
    torch.save(network.state_dict(), tmp_path / f"{scale}x-random.pth")
    crop = np.ascontiguousarray(portrait[60:93, 200:235])
    made = UpscalerFolder(tmp_path).upscale(f"{scale}x-random", crop, Onward())
    descriptor = spandrel.ModelLoader().load_from_file(tmp_path / f"{scale}x-random.pth").eval()
    assert descriptor.scale == scale
    with torch.inference_mode():
        expected = descriptor(torch.from_numpy(crop.transpose(2, 0, 1))[None])[0].numpy().transpose(1, 2, 0)
    assert float(np.abs(made - np.clip(expected, 0, 1)).max()) < 1e-4


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".ckpt"])
def test_other_kinds_of_file_give_the_same_picture(tmp_path: Path, portrait: np.ndarray, suffix: str) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    import torch
    from safetensors.torch import save_file

    state = torch.load(weights(MODEL), map_location="cpu", weights_only=True)
    state = state.get("params", state)
    file = tmp_path / f"RealESR_Gx4{suffix}"
    if suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, file)
    else:
        torch.save(state, file)
    crop = np.ascontiguousarray(portrait[60:92, 200:232])
    expected = UpscalerFolder(weights(MODEL).parent).upscale("RealESR_Gx4", crop, Onward())
    assert np.array_equal(UpscalerFolder(tmp_path).upscale("RealESR_Gx4", crop, Onward()), expected)


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


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
def test_a_pickle_that_would_run_code_does_not(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    import pickle

    import torch

    mark = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return __import__("os").system, (f"touch {mark}",)

    (tmp_path / f"4x-plain{suffix}").write_bytes(pickle.dumps({"params": Evil()}))
    torch.save({"params": Evil()}, tmp_path / f"4x-zipped{suffix}")
    for name in ("4x-plain", "4x-zipped"):
        with pytest.raises(HostError, match=name):
            UpscalerFolder(tmp_path).upscale(name, np.zeros((8, 8, 3), np.float32), Onward())
    assert not mark.exists()


def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    torch.jit.script(torch.nn.Conv2d(3, 3, 1)).save(str(tmp_path / "4x-program.pt"))
    with pytest.raises(HostError, match="4x-program"):
        UpscalerFolder(tmp_path).upscale("4x-program", np.zeros((8, 8, 3), np.float32), Onward())
