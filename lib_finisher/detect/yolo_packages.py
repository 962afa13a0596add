"""The two packages that YOLO files in PyTorch's format need: asked for late, and named where they are missing."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from PIL import Image

from lib_finisher.detect.detection import DetectorError

_ROOT = "ultralytics"


def torch_for(file: str) -> Any:
    """PyTorch. Raises DetectorError, naming the model file that needs it, where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise DetectorError(f"{file} needs torch, which is not installed. Use the detector's ONNX export.") from error
    return torch


def ultralytics_module(module: str, file: str) -> ModuleType:
    """A module of ultralytics, imported without a trace: no file is written and no host is asked for.

    Raises DetectorError, naming the model file that needs it, where ultralytics or the module is missing.
    """
    torch = torch_for(file)
    try:
        if _ROOT in sys.modules:
            return importlib.import_module(module)
        with _no_trace(torch):
            return importlib.import_module(module)
    except (ImportError, AttributeError) as error:
        raise DetectorError(
            f"{file} needs the package ultralytics (this failed: {error}). Into the same Python: "
            "pip install --no-deps ultralytics pyyaml. Or use the detector's ONNX export."
        ) from error


@contextlib.contextmanager
def _no_trace(torch: Any) -> Iterator[None]:
    """Undo what importing ultralytics changes for everyone else in the process."""
    before = dict(os.environ)
    saved, opened, threads = torch.save, Image.open, cv2.getNumThreads()
    shown = np.get_printoptions()
    log = logging.getLogger(_ROOT)
    disabled, log.disabled = log.disabled, True
    with tempfile.TemporaryDirectory() as nowhere, warnings.catch_warnings():
        # It writes a settings file, and resolves two host names to learn whether it is online.
        os.environ.setdefault("YOLO_CONFIG_DIR", nowhere)
        os.environ["YOLO_OFFLINE"] = "true"
        try:
            yield
        finally:
            _put_back(before)
            torch.save, Image.open = saved, opened
            torch.set_printoptions(profile="default")
            np.set_printoptions(**shown)
            cv2.setNumThreads(threads)
            log.disabled = disabled


def _put_back(before: Mapping[str, str]) -> None:
    """The environment as it was; what did not change is not touched, for other threads read it meanwhile."""
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
