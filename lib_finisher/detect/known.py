"""Detectors that people use: what each is for, what it costs, and where its file comes from.

Addresses name a revision, so that what lies behind them does not change. Hashes and sizes are those under which other
projects pin the same file at the same revision; where none was found, the entry tells the page and nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from lib_finisher.detect.scores import AUTHORS, Calibration

MODEL_SUFFIXES = (".pt", ".onnx")
BUILT_IN, ULTRALYTICS, MEDIAPIPE = "", "ultralytics", "mediapipe"

_HUB = "https://huggingface.co"
_BINGSU, _BINGSU_REVISION = "Bingsu/adetailer", "53cc19de382014514d9d4038601d261a7faa9b7b"
_ANZHC, _ANZHC_REVISION = "Anzhc/Anzhcs_YOLOs", "f5a2306d7fed4f3cfc26c25ff1ab2e3f3cfce855"
_FUYUCCHI, _FUYUCCHI_REVISION = "Fuyucchi/yolov8_animeface", "b0841ce930453c0f23ceb8086d6554c17de5fe4a"
_APACHE, _AGPL, _MIT = "Apache-2.0", "AGPL-3.0", "MIT"
_DRAWN, _PHOTO, _BOTH = "drawn", "photographs", "drawn and photographs"
_WHEEL = "the mediapipe package"


@dataclass(frozen=True)
class Known:
    """A detector and its file. `name` is the file's name, or the detector's where it needs no file of the user's.

    `needs` is the Python package without which it does not run, "" for none. `source` is a page for people; `url` is
    where the file is fetched, "" where it is not. `size` is in bytes, 0 where only the hash is known; `sha256` is 64
    lower-case hexadecimal digits.
    """

    name: str
    target: str
    style: str
    trade_off: str
    needs: str
    source: str
    licence: str
    url: str = ""
    size: int = 0
    sha256: str = ""

    @property
    def is_file(self) -> bool:
        """Whether the user has it as a file in a folder."""
        return self.name.endswith(MODEL_SUFFIXES)

    @property
    def fetchable(self) -> bool:
        """Whether Finisher can fetch it: there is an address, and a hash to check what comes."""
        return bool(self.url and self.sha256)


def _file(
    repository: str, revision: str, licence: str, name: str, about: tuple[str, str, str], size: int, sha256: str
) -> Known:
    page = f"{_HUB}/{repository}"
    url = f"{page}/resolve/{revision}/{quote(name)}" if sha256 else ""
    return Known(name, *about, ULTRALYTICS, page, licence, url, size, sha256)


def _bingsu(name: str, target: str, style: str, trade_off: str, size: int = 0, sha256: str = "") -> Known:
    return _file(_BINGSU, _BINGSU_REVISION, _APACHE, name, (target, style, trade_off), size, sha256)


def _anzhc(name: str, target: str, style: str, trade_off: str, size: int = 0, sha256: str = "") -> Known:
    return _file(_ANZHC, _ANZHC_REVISION, _AGPL, name, (target, style, trade_off), size, sha256)


def _mediapipe(name: str, target: str, trade_off: str) -> Known:
    return Known(name, target, _PHOTO, trade_off, MEDIAPIPE, _WHEEL, _APACHE)


KNOWN: tuple[Known, ...] = (
    Known(
        "face_yunet", "face", _PHOTO, "very quick, small faces too; comes with Finisher", BUILT_IN,
        "https://github.com/opencv/opencv_zoo", _MIT,
    ),
    _mediapipe("mediapipe_face_full", "face", "quick; near and far faces"),
    _mediapipe("mediapipe_face_short", "face", "quick; near faces"),
    _mediapipe("mediapipe_face_mesh", "face", "the face's outline"),
    _mediapipe("mediapipe_face_mesh_eyes_only", "eyes", "outlines of the eyes"),
    _mediapipe("mediapipe_hands", "hand", "outlines of hands"),
    _bingsu(
        "face_yolov8n.pt", "face", _BOTH, "the quickest of these; misses more", 6_230_011,
        "70b640f8f60b1cf0dcc72f30caf3da9495eb2fb6509da48c53374ad6806e6a9c",
    ),
    _bingsu(
        "face_yolov8n_v2.pt", "face", _BOTH, "a second version of face_yolov8n", 0,
        "8f5f2110f83c4e00712993fab48c771d26036e2e80ec62bd5b9cb37c29e36b36",
    ),
    _bingsu(
        "face_yolov8s.pt", "face", _BOTH, "surer than n, still quick", 22_507_707,
        "c7237eff25787377de196961140ceaed324d859ee8de5a775d93d33a0e3fab78",
    ),
    _bingsu(
        "face_yolov8m.pt", "face", _BOTH, "surer and slower", 52_026_019,
        "717923c19b3f4bbf5250b728f1fa6b2cb72a33aed1d236ea9caf0e21ad943e5f",
    ),
    _bingsu(
        "face_yolov9c.pt", "face", _BOTH, "the surest of these; slow without a graphics card", 51_648_019,
        "d02fe493c31e1bbc6450f4dc6f1db86a02a59322ff1f6d318da0661d72ddd084",
    ),
    _bingsu(
        "hand_yolov8n.pt", "hand", _BOTH, "the quickest of these; misses more", 6_237_883,
        "3991202eb69e9ddcb3b9ba80cdeb41e734ffaf844403d6c9f47d515cd88c6f29",
    ),
    _bingsu(
        "hand_yolov8s.pt", "hand", _BOTH, "surer than n, still quick", 22_507_643,
        "70b540063fbc385736d8258970744a4afbc4cbf7932134bae3b24cdadeadec06",
    ),
    _bingsu(
        "hand_yolov9c.pt", "hand", _BOTH, "the surest of these; slow without a graphics card", 51_633_747,
        "6f116f686ef5942fa0c1d08db481b3d7622047a97847eccfb2a264f9ce9777f2",
    ),
    _bingsu(
        "person_yolov8n-seg.pt", "person", _BOTH, "outlines; the quickest of these", 6_777_003,
        "38fc8aaae97cb6e70be4ec44770005b26ed473471362afcda62a0037d7ccf432",
    ),
    _bingsu(
        "person_yolov8s-seg.pt", "person", _BOTH, "outlines; surer than n", 23_850_731,
        "53c54aec2239355faffc6c5b70d0f3d05042f386f956cbec39cec46ad456f050",
    ),
    _bingsu(
        "person_yolov8m-seg.pt", "person", _BOTH, "outlines; surer and slower", 54_827_683,
        "c8ab26f517173b1fe8342d336a09f443eb61cb08dcbfc78d53fff4c2547ae81e",
    ),
    _bingsu("deepfashion2_yolov8s-seg.pt", "clothes", _PHOTO, "outlines of 13 kinds of clothes"),
    Known(
        "yolov8x-worldv2.pt", "what you name", _PHOTO, "looks for the detector classes of the pass; large", ULTRALYTICS,
        "https://github.com/ultralytics/assets/releases/tag/v8.3.0", _AGPL,
    ),
    _anzhc(
        "Anzhc Face seg 640 v4 y11n.pt", "face", _BOTH, "outlines with eyebrows and lashes; quick", 6_020_644,
        "1e77ad7bd349babd8a4a90478bfc965348642b63a8d95d3b43ee13db42fd0a64",
    ),
    _anzhc(
        "Anzhc Face seg 640 v2 y8n.pt", "face", _BOTH, "outlines without eyebrows; quick", 6_878_186,
        "d473e8bccc4c833d8eb36c95e566ce6460ffdc8b2899c859910e380c85def276",
    ),
    _anzhc(
        "Anzhc Eyes -seg-hd.pt", "eye", _DRAWN, "outlines of each eye, without lashes; quick", 0,
        "6be1c13ca7a51c2425e278e07e7ae3d4c94ee125b874a0104a142f4f5a35a308",
    ),
    _file(
        _FUYUCCHI, _FUYUCCHI_REVISION, _AGPL, "yolov8x6_animeface.pt",
        ("anime face", _DRAWN, "sure; very large and slow"), 0,
        "f3cdc1a6266347322439fd9b3c8f5a1222668eb10c8adf00e17b28c48b95213c",
    ),
)  # fmt: skip


def stem(name: str) -> str:
    """A name as people mean it: without the ending of a model file, in lower case."""
    folded = name.casefold()
    for suffix in MODEL_SUFFIXES:
        folded = folded.removesuffix(suffix)
    return folded


def find_known(name: str, among: Iterable[Known] = KNOWN) -> Known | None:
    """The entry of that name, whatever its case and with or without ".pt"; None where there is none."""
    entries = list(among)
    exact = [item for item in entries if item.name.casefold() == name.casefold()]
    same = exact or [item for item in entries if stem(item.name) == name.casefold()]
    return same[0] if same else None


# By the detector's name without the ending of a file. What was measured, and how well it does, is told in
# docs/detectors.md; a detector that is not here is used as its authors do.
CALIBRATED: Mapping[str, Calibration] = {
    "face_yunet": Calibration(0.3, 0.69, 0.78, 0.9, 0.8, measured=True),
    "yolov11m-face": Calibration(0.4, sure=0.6, measured=True),
    # The far network reports nothing below 0.6 by itself; the mesh and the eyes tell the score of the face they fit.
    "mediapipe_face_full": Calibration(0.6, sure=0.8, measured=True),
    "mediapipe_face_short": Calibration(0.7, sure=0.8, measured=True),
    "mediapipe_face_mesh": Calibration(0.6, sure=0.8, measured=True),
    "mediapipe_face_mesh_eyes_only": Calibration(0.6, sure=0.8, measured=True),
}


def calibration_of(name: str) -> Calibration:
    """From what score on a finding of the named detector counts where no confidence is named."""
    return CALIBRATED.get(stem(name), AUTHORS)
