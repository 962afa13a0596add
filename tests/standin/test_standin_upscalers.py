"""Upscalers of the host: those that hand back a black picture, and those whose file tells more than their name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lib_finisher.imaging.files import load_picture
from lib_finisher.imaging.geometry import Size
from lib_finisher.imaging.resize import resize
from tests.conftest import PORTRAIT, ROOT
from tests.smoke.client import Result, Webui, off, recipe
from tests.standin.server import GRADIOS, standin

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def webui() -> Webui:
    """One gradio is enough: nothing of this is on the page."""
    extension = ROOT / "tests" / "standin" / "broken_upscalers"
    return Webui(standin(GRADIOS[0], "--extension", str(extension)).url)


def enlarged(webui: Webui, upscaler: str) -> Result:
    portrait = (load_picture(PORTRAIT).pixels[:192, 96:288] * 255 + 0.5).astype(np.uint8)
    one = {"factor": 2, "upscaler": upscaler, "method": "upscaler only"}
    data = recipe(**off("refine", "detail", "texture", "grade"), base={"finish_only": True}, upscale={"passes": [one]})
    return webui.img2img(portrait, data)


@pytest.mark.parametrize(
    ("name", "told"), [("2x-nan", "not numbers"), ("2x-hole", "not numbers"), ("2x-tile", "black or burnt out areas")]
)
def test_a_picture_that_the_host_lost_is_not_used(webui: Webui, name: str, told: str) -> None:
    plain, done = enlarged(webui, "Lanczos"), enlarged(webui, name)
    np.testing.assert_array_equal(done.picture, plain.picture)
    note = str(done.told)
    assert f"the upscaler {name} could not be used, Lanczos took its place" in note, note
    assert told in note


def test_one_that_works_is_used(webui: Webui) -> None:
    plain, done = enlarged(webui, "Lanczos"), enlarged(webui, "2x-standin")
    assert "could not be used" not in str(done.told)
    assert not np.array_equal(done.picture, plain.picture)


_IN_A_HOST = """
import sys
from pathlib import Path
root, gradio, folder = map(Path, sys.argv[1:4])
sys.argv = ["serve.py", "1", "--data-dir", str(folder)]
sys.path[:0] = [str(root / "tests" / "standin"), str(root)]
sys.path.append(str(gradio))
import numpy as np
import torch
from modules import shared, upscaler
from spandrel.architectures.ESRGAN import ESRGAN
from lib_finisher.hosts.webui import models

class Watch:
    def step(self, number, total): pass
    def check(self): pass

class OfThreeChannels:
    # As the host's: every model is given red, green and blue.
    def do_upscale(self, img, selected_model=None):
        raise RuntimeError("expected input to have 1 channels, but got 3 channels instead")

for name, channels in (("4x-grey", 1), ("1x-alpha", 4)):
    torch.manual_seed(channels)
    network = ESRGAN(in_nc=channels, out_nc=channels, num_filters=16, num_blocks=1, scale=2)
    weight, bias = list(network.parameters())[-2:]
    weight.data *= 0.1 / network(torch.rand(1, channels, 32, 32)).std()
    bias.data.fill_(0.5)
    torch.save(network.state_dict(), folder / f"{name}.pth")
    shared.sd_upscalers.append(
        upscaler.UpscalerData(name, str(folder / f"{name}.pth"), OfThreeChannels(), scale=4)
    )
(folder / "broken.pth").write_bytes(b"no model")
shared.sd_upscalers.append(upscaler.UpscalerData("2x-broken", str(folder / "broken.pth"), OfThreeChannels()))
facts = {item.name: (item.scale, item.problem) for item in models.upscalers()}
# A kind of file that spandrel does not know may be one that the host knows.
assert facts == {"4x-grey": (2, ""), "1x-alpha": (2, ""), "2x-broken": (2, "")}, facts
picture = np.load(folder / "picture.npy")
for name in ("4x-grey", "1x-alpha"):
    np.save(folder / f"{name}.npy", models.upscale(name, picture, Watch()))
"""


def test_scale_and_channels_come_from_the_file(tmp_path: Path) -> None:
    pytest.importorskip("spandrel", reason="upscaler models need torch, installed for the newest Python only")
    # The stand-in's environment has no spandrel, as real hosts have: its modules run in the environment of the tests.
    gradio = next(ROOT.glob(f".venv-{GRADIOS[0]}/lib/python*/site-packages"), None)
    if gradio is None:
        pytest.skip(f".venv-{GRADIOS[0]} is not set up; `make setup` makes it")
    picture = np.ascontiguousarray(load_picture(PORTRAIT).pixels[60:108, 200:240])
    np.save(tmp_path / "picture.npy", picture)
    command = [sys.executable, "-c", _IN_A_HOST, ROOT, gradio, tmp_path]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    grey, alpha = (np.load(tmp_path / f"{name}.npy") for name in ("4x-grey", "1x-alpha"))
    assert grey.shape == alpha.shape == (96, 80, 3)
    # The grey model was given the lightness: what it made has the portrait's colours.
    inside = ((grey > 0.02) & (grey < 0.98)).all(axis=-1)
    assert inside.mean() > 0.2
    plain = resize(picture, Size(80, 96))
    difference = (grey[..., 0] - grey[..., 2]) - (plain[..., 0] - plain[..., 2])
    assert float(np.abs(difference[inside]).max()) < 2 / 255
