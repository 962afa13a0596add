"""Why the embedded engine's denoiser is what it is: denoisers measured singly and inside the sampler.

The picture is the portrait of the demo; nothing here was fitted to it. Deviations of noise are in 1/255.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib_finisher.hosts.embedded import denoiser
from lib_finisher.hosts.embedded.denoiser import SIGMA_DATA, Denoiser
from lib_finisher.hosts.embedded.sampler import Trajectory, start_angle
from lib_finisher.hosts.port import Array, Element
from lib_finisher.imaging.files import load_picture
from lib_finisher.redraw.noise import FieldCrop, NoiseField

PORTRAIT = Path(__file__).resolve().parent.parent / "examples" / "astronaut.png"
STRENGTH, STEPS = 0.3, 7
Clean = Callable[[Array, float], Array]


def main() -> None:
    """Print both tables."""
    picture = load_picture(PORTRAIT).pixels
    engines = {
        "the engine's (DCT, 4 scales)": Denoiser().clean,
        "the same, one scale": _one_scale,
        "non-local means (OpenCV)": _non_local_means,
        "Gaussian blur": _gaussian,
    }
    print("single shot          sigma  PSNR   edges  blotch  s/MP")
    for name, clean in engines.items():
        for sigma in (10, 22, 51):
            phi = float(np.arctan(2 * sigma / 255 / SIGMA_DATA))
            noise = np.random.default_rng(0).standard_normal(picture.shape, dtype=np.float32)
            z = math.cos(phi) * (picture * 2 - 1) / SIGMA_DATA + math.sin(phi) * noise
            began = time.perf_counter()
            single = (clean(z.astype(np.float32), phi) + 1) / 2
            seconds = (time.perf_counter() - began) / (picture.shape[0] * picture.shape[1] / 1e6)
            print(f"{name:<30} {sigma:3d}  {_told(single, picture)}  {seconds:5.2f}")
    print(f"\nin the sampler: Euler, {STEPS} steps from denoising strength {STRENGTH}")
    print("                            change  PSNR   edges  blotch  error on a smooth gradient")
    y, x = np.linspace(0, 1, 256)[:, None], np.linspace(0, 1, 256)[None, :]
    gradient = np.stack([0.2 + 0.6 * x + 0 * y, 0.7 - 0.4 * y + 0 * x, 0.5 + 0.3 * x * y], axis=-1).astype(np.float32)
    for name, clean in engines.items():
        result = _sampled(picture, clean)
        flat = _sampled(gradient, clean) - gradient
        change = np.abs(result - picture).mean() * 255
        print(f"{name:<30} {change:5.2f}  {_told(result, picture)}  {np.sqrt((flat**2).mean()) * 255:5.2f}")


def _sampled(picture: Array, clean: Clean) -> Array:
    begin = start_angle(STRENGTH)
    one = Trajectory.begin(Element(picture, None, "", "", 0, FieldCrop(NoiseField(0, "bench"))), begin)
    for number in range(STEPS):
        one.step(clean, begin * (1 - number / STEPS), begin * (1 - (number + 1) / STEPS), False)
    return one.picture()


def _told(result: np.ndarray, picture: np.ndarray) -> str:
    error = result - picture
    slope, slope_before = (np.hypot(*np.gradient(array.mean(axis=-1))) for array in (result, picture))
    edges = slope_before > np.quantile(slope_before, 0.97)
    low = cv2.GaussianBlur(error, (0, 0), 8)
    psnr = -10 * np.log10(float((error**2).mean()))
    return f"{psnr:5.2f}  {slope[edges].mean() / slope_before[edges].mean():.3f}  {low.std() * 255:5.2f}"


def _one_scale(z: Array, phi: float) -> Array:
    cleaned = denoiser._multi_scale(z, float(np.sin(phi)), 1)
    return np.clip(cleaned * np.float32(SIGMA_DATA / np.cos(phi)), -1, 1)


def _non_local_means(z: Array, phi: float) -> Array:
    noisy, sigma = _in_bytes(z, phi)
    cleaned = cv2.fastNlMeansDenoisingColored(noisy, None, 0.9 * sigma, 0.9 * sigma, 5, 15)
    return np.asarray(cleaned, dtype=np.float32) / 127.5 - 1


def _gaussian(z: Array, phi: float) -> Array:
    noisy = z * np.float32(SIGMA_DATA / np.cos(phi))
    return np.asarray(cv2.GaussianBlur(noisy, (0, 0), 0.6 + 4 * float(np.tan(phi)) * SIGMA_DATA), dtype=np.float32)


def _in_bytes(z: Array, phi: float) -> tuple[np.ndarray, float]:
    noisy = z * np.float32(SIGMA_DATA / np.cos(phi))
    return np.clip((noisy + 1) * 127.5, 0, 255).astype(np.uint8), float(np.tan(phi)) * SIGMA_DATA * 127.5


if __name__ == "__main__":
    main()
