"""The exact names that a YOLO file may hold, and what is made of them. A name that is not here is refused."""

from __future__ import annotations

from lib_finisher.pickle_machine import Name

_NN = "ultralytics.nn.modules"

_TORCH_MODULES = {
    "activation": "ELU GELU Hardsigmoid Hardswish LeakyReLU Mish ReLU ReLU6 SiLU Sigmoid Softmax Tanh",
    "batchnorm": "BatchNorm2d",
    "container": "ModuleList Sequential",
    "conv": "Conv2d ConvTranspose2d",
    "dropout": "Dropout",
    "linear": "Identity Linear",
    "normalization": "GroupNorm LayerNorm",
    "padding": "ZeroPad2d",
    "pooling": "AdaptiveAvgPool2d AdaptiveMaxPool2d AvgPool2d MaxPool2d",
    "upsampling": "Upsample",
}
_YOLO_MODULES = {
    "block": (
        "A2C2f AAttn ABlock AConv ADown Attention BNContrastiveHead Bottleneck BottleneckCSP C1 C2 C2PSA C2f C2fAttn "
        "C2fCIB C2fPSA C3 C3Ghost C3f C3k C3k2 C3x CBFuse CBLinear CIB ContrastiveHead DFL ELAN1 GhostBottleneck "
        "HGBlock HGStem ImagePoolingAttn MaxSigmoidAttnBlock PSA PSABlock Proto Proto26 RealNVP RepBottleneck RepC3 "
        "RepCSP RepNCSPELAN4 RepVGGDW ResNetBlock ResNetLayer SCDown SPP SPPELAN SPPF"
    ),
    "conv": (
        "CBAM ChannelAttention Concat Conv Conv2 ConvTranspose DWConv DWConvTranspose2d Focus GhostConv LightConv "
        "RepConv SpatialAttention"
    ),
    "head": "Detect Pose Pose26 Segment Segment26 WorldDetect v10Detect",
}
_TASKS = "ultralytics.nn.tasks"
_MODELS = "DetectionModel PoseModel SegmentationModel WorldModel"
_OTHER_MODELS = (
    "ClassificationModel DepthModel Ensemble OBBModel RTDETRDetectionModel SemanticSegmentationModel YOLOEModel "
    "YOLOESegModel"
)
_OTHER_HEADS = "Classify OBB OBB26 RTDETRDecoder LRPCHead YOLOEDetect YOLOESegment YOLOESegment26"

# Left over from training. They are read over and never made.
_LOSSES = (
    "BCEDiceLoss BboxLoss DFLoss E2EDetectLoss E2ELoss FocalLoss KeypointLoss PoseLoss26 RLELoss SegmentLoss26 "
    "VarifocalLoss v10DetectLoss v8DetectionLoss v8PoseLoss v8SegmentationLoss"
)
_ASSIGNERS = "PoseTaskAlignedAssigner SegTaskAlignedAssigner TaskAlignedAssigner"
_LEFT_OVER = {
    "argparse": "Namespace",
    "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "pathlib._local": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
    "numpy": "dtype float16 float32 float64 int32 int64 ndarray",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.dtypes": "Float32DType Float64DType Int32DType Int64DType",
    "_codecs": "encode",
    "torch.nn.modules.loss": "BCELoss BCEWithLogitsLoss CrossEntropyLoss",
    "ultralytics.utils": "IterableSimpleNamespace",
    "ultralytics.yolo.utils": "IterableSimpleNamespace",
    "ultralytics.utils.loss": _LOSSES,
    "ultralytics.yolo.utils.loss": _LOSSES,
    "ultralytics.yolo.v8.detect.train": "Loss",
    "ultralytics.yolo.v8.segment.train": "SegLoss",
    "ultralytics.yolo.v8.pose.train": "PoseLoss",
    "ultralytics.utils.tal": _ASSIGNERS,
    "ultralytics.yolo.utils.tal": _ASSIGNERS,
}


def _all(names: dict[str, str], before: str = "") -> dict[Name, Name]:
    return {
        Name(before + module, name): Name(before + module, name) for module in names for name in names[module].split()
    }


# In their first months, and again at the top of the package, the same classes went by shorter names.
_SHORT = {
    Name(_NN, name): Name(f"{_NN}.{part}", name) for part, names in _YOLO_MODULES.items() for name in names.split()
}

MODULES: dict[Name, Name] = {
    **_all(_TORCH_MODULES, "torch.nn.modules."),
    **_all(_YOLO_MODULES, f"{_NN}."),
    **_SHORT,
    **_all({_TASKS: _MODELS}),
    Name(_TASKS, "YOLOv10DetectionModel"): Name(_TASKS, "DetectionModel"),
    Name(f"{_NN}.block", "Silence"): Name("torch.nn.modules.linear", "Identity"),
}
"""The networks' parts: the name in the file, and the class of which an empty object is made for it."""

MODELS = frozenset(name for name in MODULES if name.module == _TASKS)
"""The networks themselves."""

OTHERS = frozenset([*_all({_TASKS: _OTHER_MODELS}), *_all({f"{_NN}.head": _OTHER_HEADS}), *_all({_NN: _OTHER_HEADS})])
"""Harmless, but no detectors, or of a kind that is not supported."""

STORAGES = {
    Name("torch", f"{kind}Storage"): dtype
    for kind, dtype in {
        "BFloat16": "bfloat16", "Bool": "bool", "Byte": "uint8", "Char": "int8", "Double": "float64",
        "Float": "float32", "Half": "float16", "Int": "int32", "Long": "int64", "Short": "int16",
    }.items()
}  # fmt: skip
"""Storage classes, and the name of the numbers' type in torch."""

TENSOR = frozenset({Name("torch._utils", "_rebuild_tensor"), Name("torch._utils", "_rebuild_tensor_v2")})
PARAMETER = Name("torch._utils", "_rebuild_parameter")
SIZE, DEVICE, ATTRIBUTE = Name("torch", "Size"), Name("torch", "device"), Name("builtins", "getattr")

LEFT_OVER = frozenset(
    [*_all(_LEFT_OVER), DEVICE, *(Name("torch", dtype) for dtype in STORAGES.values()), Name("builtins", "slice")]
)

CALLED = frozenset(
    [*TENSOR, PARAMETER, SIZE, ATTRIBUTE, *LEFT_OVER, Name("collections", "OrderedDict"), Name("builtins", "set")]
)
"""What a file may ask to call. Of these only tensors, sizes, dictionaries and sets are ever made."""

ALLOWED = frozenset([*MODULES, *OTHERS, *STORAGES, *CALLED])
"""Every name that a file may hold."""
