"""The learned perceptual distance LPIPS, in its shift-tolerant form (Zhang et al. 2018; Ghildyal and Liu 2022).

The weights are those of the package stlpips-pytorch; the package itself is not installed, as it imports much more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lib_finisher.imaging.arrays import Mask, Pixels
from tools.fetch_weights import CACHE, Weights, fetch

TRUNK = Weights(
    package="stlpips-pytorch==0.0.2",
    member="stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth",
    file_name="alex_shift_tolerant.pth",
    sha256="b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
    licence="BSD-2-Clause",
)
_CONVOLUTIONS = ("slice1.0", "slice2.5", "slice3.9", "slice4.11", "slice5.13")
_PADDING = (2, 2, 1, 1, 1)
_TINY = 1e-10


class Lpips:
    """The distance of two pictures, 0 for equal ones."""

    def __init__(self, folder: Path = CACHE / "measures") -> None:
        import torch

        self._weights = torch.load(fetch(TRUNK, folder), map_location="cpu", weights_only=True)

    def __call__(self, one: Pixels, other: Pixels, where: Mask | None = None) -> float:
        """The mean distance of two pictures (height, width, 3), 0..1; with `where` weighted by that mask of 0..1."""
        import torch
        from torch.nn.functional import conv2d, interpolate

        weight = np.ones(one.shape[:2], dtype=np.float32) if where is None else where
        mask = torch.from_numpy(np.ascontiguousarray(weight))[None, None]
        total = 0.0
        with torch.inference_mode():
            for layer, (a, b) in enumerate(zip(self._features(one), self._features(other))):
                distance = conv2d((a - b) ** 2, self._weights[f"lin{layer}.model.1.weight"])
                here = interpolate(mask, size=distance.shape[2:], mode="area")
                total += float((distance * here).sum() / here.sum())
        return total

    def _features(self, pixels: Pixels) -> list[Any]:
        """Each layer's activations, of length 1 at every place."""
        import torch
        from torch.nn.functional import conv2d, max_pool2d, relu

        weights, features = self._weights, []
        rgb = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None] * 2 - 1
        layer = (rgb - weights["scaling_layer.shift"]) / weights["scaling_layer.scale"]
        for number, (name, padding) in enumerate(zip(_CONVOLUTIONS, _PADDING)):
            if number in (1, 2):
                layer = self._reduced(max_pool2d(layer, 3, 1))
            layer = conv2d(layer, weights[f"net.{name}.weight"], weights[f"net.{name}.bias"], padding=padding)
            layer = relu(self._reduced(layer) if number == 0 else layer)
            features.append(layer / (layer.square().sum(dim=1, keepdim=True).sqrt() + _TINY))
        return features

    def _reduced(self, layer: Any) -> Any:
        """Half the size after a binomial filter of three, which keeps a shifted picture's features the same."""
        import torch
        from torch.nn.functional import conv2d, pad

        row = torch.tensor([0.25, 0.5, 0.25])
        kernel = torch.outer(row, row).expand(layer.shape[1], 1, 3, 3)
        return conv2d(pad(layer, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=layer.shape[1])
