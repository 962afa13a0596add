"""Every way in which a YOLO network is exported to ONNX: sizes, batches, precisions, operators, suppression inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_finisher.detect.search import Search
from lib_finisher.detect.yolo import Yolo
from lib_finisher.imaging.geometry import Box

onnx = pytest.importorskip("onnx", reason="writing ONNX needs it")
helper, numpy_helper, kinds = onnx.helper, onnx.numpy_helper, onnx.TensorProto

SIDE = 640
# What the network answers at every place of its grid: middle, size, and the scores of its two classes.
ROW = (320.0, 200.0, 100.0, 60.0, 0.1, 0.8)
WHERE = Box(270, 170, 370, 230)
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "opset 11": {"opset": 11},
    "opset 20": {"opset": 20},
    "fixed batch": {"batch": 4},
    "dynamic batch": {"batch": "batch"},
    "dynamic size": {"batch": "batch", "sides": ("height", "width")},
    "half precision": {"half": True},
    "suppression inside": {"inside": True},
    "suppression inside, fixed batch": {"inside": True, "batch": 2},
    "wide": {"sides": (384, 640)},
}


def made(
    file: Path, *, opset: int = 17, batch: Any = 1, sides: Any = (SIDE, SIDE), half: bool = False, inside: bool = False
) -> Path:
    """A network of one convolution that answers `ROW` everywhere, laid out as ultralytics' exports are."""
    kind, number = (kinds.FLOAT16, np.float16) if half else (kinds.FLOAT, np.float32)
    row = np.array((270, 170, 370, 230, 0.8, 1) if inside else ROW, number)
    weights = [
        numpy_helper.from_array(np.zeros((6, 3, 32, 32), number), "weight"),
        numpy_helper.from_array(row, "bias"),
        # An export for so many pictures at once has their number in its operators, too: of fewer it makes other rows.
        numpy_helper.from_array(np.array([batch if isinstance(batch, int) else 0, 6, -1], np.int64), "shape"),
    ]
    nodes = [
        helper.make_node("Conv", ["images", "weight", "bias"], ["grid"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Reshape", ["grid", "shape"], ["rows"]),
    ]
    if inside:
        nodes.append(helper.make_node("Transpose", ["rows"], ["last"], perm=[0, 2, 1]))
    shape = [batch, None, 6] if inside else [batch, 6, None]
    graph = helper.make_graph(
        nodes, "yolo", [helper.make_tensor_value_info("images", kind, [batch, 3, *sides])],
        [helper.make_tensor_value_info("last" if inside else "rows", kind, shape)], weights,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    for key, value in {"names": "{0: 'cat', 1: 'face'}", "task": "detect", "imgsz": "[640, 640]"}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(file))
    return file


@pytest.mark.parametrize("way", WAYS)
def test_every_export_finds_the_same(way: str, tmp_path: Path) -> None:
    network = Yolo(made(tmp_path / "made.onnx", **WAYS[way]))
    height = WAYS[way].get("sides", (SIDE,))[0]
    picture = np.full((height if isinstance(height, int) else SIDE, SIDE, 3), 0.5, np.float32)
    found = network.detect(picture, 0.3, Search(sliced=False))
    assert [(item.label, item.box) for item in found] == [("face", WHERE)]
    assert found[0].confidence == pytest.approx(0.8, abs=0.001)
