"""Results and tests hold on any processor: tried with the kernels of others, as far as this one can run them.

OpenBLAS, numpy and OpenCV choose their kernels when a process starts, so each kind of processor is a process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# In levels of 255, for docs/embedded-engine.md: what another processor's kernels may change at any pixel.
ENGINE, CHAIN = 0.02, 1.0

# Bit for bit, or by floats near a threshold: what a kernel of its own could break.
TESTS = ("test_embedded_engine.py", "test_fine_detail.py", "test_dither.py", "test_grain.py")
# The kernels of this are those of another that is tried.
ONLY_RESULTS = "Zen"

OLD = {
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX X86_V3 X86_V4",
    "OPENCV_CPU_DISABLE": "AVX512_SKX,AVX2,FMA3,AVX,SSE4.2",
    "ATEN_CPU_CAPABILITY": "default",
}
PROCESSORS: dict[str, dict[str, str]] = {
    **{name: {"OPENBLAS_CORETYPE": name} for name in ("Haswell", "Zen", "SkylakeX")},
    "Prescott": OLD,
}
NEEDED = {"Haswell": {"avx2", "fma"}, "Zen": {"avx2", "fma"}, "SkylakeX": {"avx512f", "avx512bw", "avx512vl"}}


def environment(processor: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if name not in OLD}
    return {**clean, "OMP_NUM_THREADS": "1", **PROCESSORS.get(processor, {})}


def probe(processor: str, folder: Path) -> tuple[str, dict[str, np.ndarray]]:
    """The kernel of numpy's matrix products, and the results."""
    file = folder / f"{processor}.npz"
    done = subprocess.run(
        [sys.executable, "-m", "tests.processors.probe", str(file)],
        cwd=ROOT, env=environment(processor), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(file) as results:
        return done.stdout, dict(results)


def kernel_of(processor: str) -> str:
    code = "from tests.processors.probe import kernel; print(kernel(), end='')"
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, env=environment(processor), capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, np.ndarray]]:
    return probe("as it is", tmp_path_factory.mktemp("here"))


def instructions() -> set[str]:
    """What this processor understands; empty where the system does not say."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return set(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
def test_another_processor_gives_the_same_results_and_passes_the_same_tests(
    processor: str, here: tuple[str, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    if missing := NEEDED.get(processor, set()) - instructions():
        pytest.skip(f"this processor has no {', '.join(sorted(missing))}")
    if processor != "Prescott" and (kernel := kernel_of(processor)) == here[0]:
        pytest.skip(f"numpy's BLAS runs on {kernel or 'a kernel that it does not name'} already")
    kernel, results = probe(processor, tmp_path)
    away = {name: float(np.abs(result - here[1][name]).max()) * 255 for name, result in results.items()}
    assert any(difference > 0 for difference in away.values()), "these kernels change no bit, so nothing was tried"
    for name, difference in away.items():
        assert difference < (CHAIN if name == "every stage" else ENGINE), f"{kernel}, {name}: {difference} levels"
    if processor == ONLY_RESULTS:
        return
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *(f"tests/unit/{name}" for name in TESTS)],
        cwd=ROOT, env=environment(processor), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
