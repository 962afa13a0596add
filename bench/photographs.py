"""Photographs that the benchmarks measure on: fetched by package name into the cache, never part of the repository."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lib_finisher.imaging.arrays import Pixels
from tools.fetch_weights import PHOTOGRAPHS, TEST_PHOTOGRAPHS, Weights, fetch_all

# Defaults were chosen with these in sight.
TUNED_ON = ("astronaut", "bus", "chelsea", "coffee")
# Written down before anything was measured on them; no default, threshold or filter is ever chosen by them.
HELD_OUT = ("grace_hopper", "zidane", "motorcycle_left", "rocket", "camera", "gravel", "china", "flower")

_LARGEST = 640


def _of(package: str, member: str, sha256: str, licence: str) -> Weights:
    return Weights(package, member, member.rpartition("/")[2], sha256, licence)


_SCIKIT_IMAGE, _SCIKIT_LEARN, _ULTRALYTICS = "scikit-image==0.25.2", "scikit-learn==1.7.2", "ultralytics==8.4.190"
FILES = (
    _of(_SCIKIT_IMAGE, "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5", "public domain"),
    _of(_SCIKIT_IMAGE, "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb", "CC0"),
    _of(_SCIKIT_IMAGE, "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7", "CC0"),
    _of(_SCIKIT_IMAGE, "skimage/data/motorcycle_left.png",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179", "CC0"),
    _of(_SCIKIT_IMAGE, "skimage/data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c", "CC0"),
    _of(_SCIKIT_IMAGE, "skimage/data/camera.png",
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a", "CC0"),
    _of(_SCIKIT_IMAGE, "skimage/data/gravel.png",
        "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12", "CC0"),
    _of(_SCIKIT_LEARN, "sklearn/datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29", "CC BY 2.0"),
    _of(_SCIKIT_LEARN, "sklearn/datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638", "CC BY 2.0"),
    _of(_ULTRALYTICS, "ultralytics/assets/bus.jpg",
        "c02019c4979c191eb739ddd944445ef408dad5679acab6fd520ef9d434bfbc63", "AGPL-3.0"),
    _of(_ULTRALYTICS, "ultralytics/assets/zidane.jpg",
        "16d73869e3267a7d4ed00de8e860833bd1657c1b252e94c0c348277adc7b6edb", "AGPL-3.0"),
    *TEST_PHOTOGRAPHS,
)  # fmt: skip


def photographs(names: tuple[str, ...]) -> dict[str, Pixels]:
    """The photographs by name: at most 640 pixels a side, both sides even. Raises what `fetch_all` raises."""
    files = [file for file in FILES if file.file_name.rpartition(".")[0] in names]
    paths = fetch_all(files, PHOTOGRAPHS)
    return {path.stem: _truth(path) for path in sorted(paths, key=lambda path: names.index(path.stem))}


def halved(truth: Pixels) -> Pixels:
    """The mean of every 2×2 pixels, in steps of 1/255, as a draft comes from a file."""
    mean = truth.reshape(truth.shape[0] // 2, 2, truth.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    return (np.round(mean * 255) / 255).astype(np.float32)


def _truth(path: object) -> Pixels:
    with Image.open(str(path)) as file:
        picture = file.convert("RGB")
    picture.thumbnail((_LARGEST, _LARGEST))
    picture = picture.crop((0, 0, picture.width // 2 * 2, picture.height // 2 * 2))
    return np.asarray(picture, dtype=np.float32) / np.float32(255)
