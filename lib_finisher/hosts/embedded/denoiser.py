"""The trained denoiser of the embedded engine, and what a denoiser says about diffusion.

Everything is written in the angle phi = atan(sigma / SIGMA_DATA), 0 for a clean picture and pi/2 for pure noise:

    z = cos(phi) * x / SIGMA_DATA + sin(phi) * n,     n standard normal, z of unit variance

The network predicts the velocity v = cos(phi) * n - sin(phi) * x / SIGMA_DATA. This is the preconditioning of EDM
(Karras et al. 2022) in the form of TrigFlow (Lu & Song 2024); by Tweedie's formula the denoised picture is the score.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.hosts.port import Array, HostError

MODEL = Path(__file__).parent / "denoiser.onnx"
SIGMA_DATA = 0.5
_MULTIPLE = 16


class Denoiser:
    """The network. Pictures are (height, width, 3), RGB, -1..1."""

    def __init__(self, model: Path = MODEL) -> None:
        try:
            data = model.read_bytes()
        except OSError as error:
            raise HostError(f"The embedded engine's model {model.name} cannot be read ({error}); reinstall.") from error
        self.identity = hashlib.sha256(data).hexdigest()[:12]
        self._network = cv2.dnn.readNetFromONNX(np.frombuffer(data, dtype=np.uint8))

    def clean(self, z: Array, phi: float) -> Array:
        """The expected clean picture given a noisy one, both of shape (height, width, 3); the result is in -1..1."""
        velocity = self._velocity(z, phi)
        picture = SIGMA_DATA * (math.cos(phi) * z - math.sin(phi) * velocity)
        return np.clip(picture, -1.0, 1.0, dtype=np.float32)

    def _velocity(self, z: Array, phi: float) -> npt.NDArray[np.float32]:
        height, width = z.shape[:2]
        padded = cv2.copyMakeBorder(z, 0, -height % _MULTIPLE, 0, -width % _MULTIPLE, cv2.BORDER_REFLECT)
        blob = np.empty((1, 4, *padded.shape[:2]), dtype=np.float32)
        blob[0, :3] = padded.transpose(2, 0, 1)
        blob[0, 3] = 2.0 * phi / math.pi
        self._network.setInput(blob)
        result = np.asarray(self._network.forward())[0]
        return np.ascontiguousarray(result[:, :height, :width].transpose(1, 2, 0))
