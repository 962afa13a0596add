"""Upscaler model files through spandrel: the real model that the demo uses, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lib_finisher.hosts import upscaler_file
from lib_finisher.hosts.embedded.upscaler_tiles import Share, TiledModel
from lib_finisher.hosts.embedded.upscalers import UpscalerFolder, _loaded
from lib_finisher.hosts.port import HostError, Interrupted, OutOfMemory
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
from lib_finisher.stages.upscale_model import choose_upscaler
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


def _network(**arguments: object) -> object:
    pytest.importorskip("torch", reason="upscaler models need torch, installed for the newest Python only")
    import torch
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(3)
    network = ESRGAN(num_filters=16, num_blocks=1, **arguments).eval()
    weight, bias = list(network.parameters())[-2:]
    with torch.inference_mode():
        made = network(torch.rand(1, arguments.get("in_nc", 3) if "shuffle_factor" not in arguments else 3, 32, 32))
    # So that what an untrained one makes lies between black and white.
    weight.data *= 0.1 / made.std()
    bias.data.fill_(0.5)
    return network


def _saved(folder: Path, name: str, network: object) -> None:
    import torch

    torch.save(network.state_dict(), folder / f"{name}.pth")  # type: ignore[attr-defined]


def test_scale_and_channels_come_from_the_file_and_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    models.mkdir()
    # The names tell 4, 1 (a hash) and nothing.
    for name, scale in (("4x-liar", 2), ("clean_1x9f3b", 4), ("plain", 1)):
        apart = {1: {"in_nc": 48, "scale": 4, "shuffle_factor": 4}}.get(scale, {"scale": scale})
        _saved(models, name, _network(**apart))
    (models / "2x-broken.pth").write_bytes(b"no model")
    facts = {item.name: item for item in UpscalerFolder(models, tmp_path / "known.json").facts()}
    assert {name: item.scale for name, item in facts.items() if not item.problem} == {
        "4x-liar": 2, "clean_1x9f3b": 4, "plain": 1,
    }  # fmt: skip
    assert "2x-broken.pth is not an upscaler" in facts["2x-broken"].problem
    # Another run knows it all without loading one, until a file changes.
    monkeypatch.setattr(upscaler_file, "_descriptor", None)
    again = {item.name: item for item in UpscalerFolder(models, tmp_path / "known.json").facts()}
    assert again == facts
    monkeypatch.undo()
    _saved(models, "4x-liar", _network(scale=4))
    assert {item.name: item.scale for item in UpscalerFolder(models, tmp_path / "known.json").facts()}["4x-liar"] == 4


def test_auto_passes_over_what_is_no_upscaler(tmp_path: Path) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    (tmp_path / "1x-first.pth").write_bytes(b"no model")
    (tmp_path / "4x-broken.pth").write_bytes(b"no model")
    _saved(tmp_path, "good", _network(scale=2))
    notes: list[str] = []
    chosen = choose_upscaler("auto", UpscalerFolder(tmp_path).facts(), notes)
    assert chosen is not None
    assert (chosen.name, notes) == ("good", [])


def test_a_grey_model_works_on_the_lightness_and_colours_stay(tmp_path: Path, portrait: np.ndarray) -> None:
    network = _network(in_nc=1, out_nc=1, scale=2)
    import torch

    _saved(tmp_path, "2x_grey", network)
    folder = UpscalerFolder(tmp_path)
    colour = np.ascontiguousarray(portrait[60:108, 200:240])
    grey = np.repeat(colour[..., 1:2], 3, axis=-1)
    made = folder.upscale("2x_grey", grey, Onward())
    with torch.inference_mode():
        plane = network(torch.from_numpy(grey[..., 0].copy())[None, None])[0, 0].numpy()  # type: ignore[operator]
    assert float(np.abs(made - np.clip(plane, 0, 1)[..., None]).max()) < 1e-4
    assert np.array_equal(made[..., 0], made[..., 2])
    # What a grey model makes of a colour picture has the colours of the plain enlargement, and its own lightness.
    made, plain = folder.upscale("2x_grey", colour, Onward()), resize(colour, Size(80, 96))
    inside = ((made > 0.02) & (made < 0.98)).all(axis=-1)
    assert inside.mean() > 0.2
    for one, other in ((0, 1), (2, 1)):
        difference = (made[..., one] - made[..., other]) - (plain[..., one] - plain[..., other])
        assert float(np.abs(difference[inside]).max()) < 2 / 255


def test_a_model_with_alpha_is_told_that_all_is_opaque(tmp_path: Path, portrait: np.ndarray) -> None:
    network = _network(in_nc=4, out_nc=4, scale=2)
    import torch

    _saved(tmp_path, "2x_sprites", network)
    crop = np.ascontiguousarray(portrait[60:93, 200:235])
    made = UpscalerFolder(tmp_path).upscale("2x_sprites", crop, Onward())
    with_alpha = np.concatenate([crop, np.ones((*crop.shape[:2], 1), np.float32)], axis=-1).transpose(2, 0, 1)
    with torch.inference_mode():
        expected = network(torch.from_numpy(with_alpha.copy())[None])[0, :3].numpy()  # type: ignore[operator]
    assert float(np.abs(made - np.clip(expected.transpose(1, 2, 0), 0, 1)).max()) < 1e-4


def test_a_model_of_another_kind_says_what_it_is(tmp_path: Path) -> None:
    _saved(tmp_path, "2x_two", _network(in_nc=2, out_nc=2, scale=2))
    (facts,) = UpscalerFolder(tmp_path).facts()
    assert "it makes 2 channels of 2" in facts.problem
    with pytest.raises(HostError, match="2 channels of 2"):
        UpscalerFolder(tmp_path).upscale("2x_two", np.zeros((8, 8, 3), np.float32), Onward())
