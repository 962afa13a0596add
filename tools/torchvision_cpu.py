"""Development only: lets torchvision's registry wheel import beside a CPU build of torch.

That wheel's compiled part is linked against CUDA libraries; where they are absent, `import torchvision` fails because
the operator torchvision::nms was never declared. Put on a virtual environment's path by `tools/set_up.py`, this
declares it just before torchvision is imported. It is never installed into a web UI.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _BeforeTorchvision(MetaPathFinder):
    """Finds nothing itself; it only notices that torchvision is about to be looked for."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            declare()
        return None


def declare() -> None:
    """Declare torchvision's nms operators, with a plain CPU implementation."""
    import torch

    if torch.cuda.is_available() or torch.version.cuda is not None:
        return
    if hasattr(torch.ops.torchvision, "nms"):
        return
    # torch declares no types for these.
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", _nms, "CPU")
    # The declarations live as long as the library object does.
    sys.modules[__name__].__dict__["_library"] = library


def _nms(boxes: Any, scores: Any, threshold: float) -> Any:
    import torch

    order = scores.argsort(descending=True)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while order.numel():
        first = order[0]
        kept.append(first)
        rest = order[1:]
        corner = torch.maximum(boxes[first, :2], boxes[rest, :2])
        far = torch.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = (far - corner).clamp(min=0).prod(dim=1)
        order = rest[shared / (areas[first] + areas[rest] - shared) <= threshold]
    return torch.stack(kept) if kept else boxes.new_zeros(0, dtype=torch.long)


def install() -> None:
    """Arrange for `declare` to run when torchvision is first imported."""
    if not any(isinstance(finder, _BeforeTorchvision) for finder in sys.meta_path):
        sys.meta_path.insert(0, _BeforeTorchvision())
