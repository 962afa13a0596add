"""Where skin is: the colour of each face, looked for on and around it; without a face, the colours that skin has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lib_finisher.imaging.arrays import Mask, Pixels, to_uint8
from lib_finisher.imaging.colour import luminance, to_lab
from lib_finisher.imaging.geometry import Box, Size, frame, size_of
from lib_finisher.imaging.masks import ellipse, smoothstep

# Of a face's five landmarks: its right eye, left eye, nose, right and left corner of the mouth.
_LANDMARKS = 5
_FEWEST = 12
# How far the skin that hangs together with a face may reach, in widths and heights of the face.
_ASIDE, _ABOVE, _BELOW, _FADE = 2.5, 0.3, 4.0, 0.3
# Standard deviations from the face's colour: certainly skin within the first, certainly none beyond the second.
_NEAR, _FAR = 2.2, 3.4
# The least and the largest standard deviation of a face's hue (radians) and of the logarithm of its chroma.
_LEAST_SPREAD, _MOST_SPREAD = (0.10, 0.20), (0.18, 0.35)
_HIGHLIGHT, _OUTSIDE = 0.8, 0.4
# Below this, in the units of Lab, a face has no colour: the picture is grey.
_GREY = 4.0
# Lightness as a share of the face's own: darker is hair, pupils and deep shadow.
_DARK, _LIT = 0.35, 0.60
# How much rougher than the middle of the face a place outside it is, where it is hair or cloth.
_SMOOTH, _ROUGH = 1.6, 2.8
# Pieces smaller than this share of a face are specks.
_SPECK = 0.04
# Chai and Ngan 1999: the chrominance of skin in 8-bit YCbCr, and how softly these limits end.
_CB, _CR, _SOFT = (77.0, 127.0), (133.0, 173.0), 5.0
# The guided filter: its radius as a share of the longer side, and the variance of an edge.
_FEATHER, _EDGE = 0.004, 4e-4
_NOTHING, _ALL = 0.15, 0.75


@dataclass(frozen=True, eq=False)
class Face:
    """A face: its box, its landmarks as (x, y) pixels, five or none, and where its person is, if that is known.

    `body` has the picture's size (height, width), 0..1.
    """

    box: Box
    landmarks: tuple[tuple[float, float], ...] = ()
    body: Mask | None = None

    def area(self, picture: Size) -> Mask:
        """The face's ellipse as an array of that size, 0..1."""
        radii = (0.5 * self.box.width, 0.53 * self.box.height)
        return ellipse(picture.height, picture.width, self.box.centre, radii, 0.06 * self.box.width)


def skin_of_faces(pixels: Pixels, faces: Sequence[Face]) -> Mask:
    """How surely each pixel is skin of the faces' persons: (height, width), 0..1, exactly 0 elsewhere.

    Every face gives the colour of its own skin, so that any skin in any light is met; eyes and lips are left out where
    the landmarks are known. Where a face's person is known, all skin of that counts, else only what hangs together with
    the face. Of a grey picture, only the faces. A picture of about 1280 pixels tells all that can be told.
    """
    size = size_of(pixels)
    lab = to_lab(_blurred(pixels, 1.0))
    found = np.zeros((size.height, size.width), dtype=np.float32)
    for face in faces:
        where = _reach_of(face, size)
        if where is None:
            continue
        place = (slice(where.top, where.bottom), slice(where.left, where.right))
        points = tuple((x - where.left, y - where.top) for x, y in face.landmarks)
        body = None if face.body is None else face.body[place]
        part = Face(face.box.moved(-where.left, -where.top), points, body)
        found[place] = np.maximum(found[place], _skin_of(part, pixels[place], lab[place]))
    for face in faces:
        found *= _features_of(face, size)
    return _led_along(found, pixels)


def skin_by_colour(pixels: Pixels) -> Mask:
    """Where a picture has the colours that skin has, (height, width), 0..1: also wood, sand and warm walls.

    Cb from 77 to 127 and Cr from 133 to 173 (D. Chai, K. N. Ngan: Face segmentation using skin-color map in
    videophone applications, IEEE Trans. Circuits and Systems for Video Technology 9(4), 1999).
    """
    levels = np.asarray(cv2.cvtColor(to_uint8(_blurred(pixels, 1.0)), cv2.COLOR_RGB2YCrCb), dtype=np.float32)
    within = _between(levels[..., 2], _CB) * _between(levels[..., 1], _CR)
    return _led_along((within * smoothstep(levels[..., 0] / 40.0 - 0.5)).astype(np.float32), pixels)


def _blurred(pixels: npt.NDArray[np.float32], reach: float) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), reach, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _skin_of(face: Face, pixels: Pixels, lab: Pixels) -> Mask:
    """The skin of one face's person in the part of the picture that it may lie in."""
    size = size_of(pixels)
    inside, light = face.area(size), lab[..., 0]
    sample = (_core_of(face, size) * _features_of(face, size)) > 0.9
    if int(sample.sum()) < _FEWEST:
        return np.zeros(light.shape, dtype=np.float32)
    lit = float(np.median(light[sample]))
    bright = smoothstep((light / max(lit, 1e-3) - _DARK) / (_LIT - _DARK)).astype(np.float32)
    if float(np.hypot(*np.median(lab[sample][:, 1:], axis=0))) < _GREY:
        return inside * bright
    near = _nearness(_shades(lab), sample, inside, face.body is None) * bright
    reach = _neighbourhood(face, size) if face.body is None else np.maximum(face.body, inside)
    skin = near * np.maximum(reach * _evenness(pixels, sample, face), inside)
    return _pieces(skin, inside, face.box.area, joined=face.body is None)


def _shades(lab: Pixels) -> Pixels:
    """The hue (radians) and the logarithm of chroma over L + 16, (height, width, 2).

    Shading scales a, b and L + 16 of a matt surface alike, so both stay as they are from light to shadow.
    """
    red, yellow = lab[..., 1], lab[..., 2]
    chroma = np.hypot(red, yellow) / (lab[..., 0] + np.float32(16.0))
    return np.stack([np.arctan2(yellow, red), np.log(np.maximum(chroma, np.float32(1e-3)))], axis=-1)


def _nearness(shades: Pixels, sample: npt.NDArray[np.bool_], inside: Mask, strict: bool) -> Mask:
    """How near each pixel's shade is to those of the sample, 0..1; outliers of the sample count for nothing.

    `inside` the face, paler is nearer, for highlights have less colour. With `strict`, what lies outside has to be
    nearer to count.
    """
    values = shades[sample]
    for _ in range(4):
        middle = np.median(values, axis=0)
        spread = np.clip(1.4826 * np.median(np.abs(values - middle), axis=0), _LEAST_SPREAD, _MOST_SPREAD)
        kept = (np.abs(values - middle) < 2.5 * spread).all(axis=1)
        if kept.all() or int(kept.sum()) < _FEWEST:
            break
        values = values[kept]
    off = shades - middle.astype(np.float32)
    off[..., 0] = np.remainder(off[..., 0] + np.pi, 2 * np.pi) - np.pi
    off[..., 1] = np.where(off[..., 1] < 0, off[..., 1] / (1.0 + _HIGHLIGHT * inside), off[..., 1])
    distance = np.sqrt(np.square(off / spread.astype(np.float32)).sum(axis=-1))
    if strict:
        distance *= 1.0 + _OUTSIDE * (1.0 - inside)
    return smoothstep((_FAR - distance) / (_FAR - _NEAR)).astype(np.float32)


def _evenness(pixels: Pixels, sample: npt.NDArray[np.bool_], face: Face) -> Mask:
    """1 where the picture is about as smooth as the middle of the face, 0 where it is as rough as hair."""
    reach = min(8.0, max(1.0, min(face.box.width, face.box.height) / 60.0))
    grey = luminance(pixels)
    spread = np.sqrt(_blurred(np.square(grey - _blurred(grey, reach)), reach))
    share = spread / np.maximum(_blurred(grey, reach), 0.08)
    usual = max(float(np.percentile(share[sample], 75)), 0.01)
    return smoothstep((_ROUGH - share / usual) / (_ROUGH - _SMOOTH)).astype(np.float32)


def _core_of(face: Face, picture: Size) -> Mask:
    """The middle of a face: cheeks, nose and the lower forehead."""
    box = face.box
    centre = tuple(np.mean(face.landmarks, axis=0)) if len(face.landmarks) == _LANDMARKS else box.centre
    return ellipse(picture.height, picture.width, centre, (0.33 * box.width, 0.33 * box.height), 1.0)


def _features_of(face: Face, picture: Size) -> Mask:
    """0 on eyes and lips, 1 elsewhere."""
    kept = np.ones((picture.height, picture.width), dtype=np.float32)
    if len(face.landmarks) != _LANDMARKS:
        return kept
    right_eye, left_eye, _, right_lip, left_lip = (np.array(point) for point in face.landmarks)
    across = left_eye - right_eye
    apart = max(float(np.hypot(*across)), 0.3 * face.box.width)
    turn = float(np.degrees(np.arctan2(across[1], across[0])))
    lips = max(float(np.hypot(*(left_lip - right_lip))), 0.2 * face.box.width)
    shapes = [(eye, (0.25 * apart, 0.15 * apart)) for eye in (right_eye, left_eye)]
    shapes.append(((right_lip + left_lip) / 2, (0.55 * lips, 0.24 * lips)))
    for centre, radii in shapes:
        # Only where it lies: pictures with many faces would take long.
        reach, x, y = math.ceil(max(radii) + 0.2 * apart), round(float(centre[0])), round(float(centre[1]))
        box = Box(x - reach, y - reach, x + reach + 1, y + reach + 1).intersection(frame(picture))
        if box is not None:
            at = (float(centre[0]) - box.left, float(centre[1]) - box.top)
            part = ellipse(box.height, box.width, at, radii, 0.08 * apart, turn)
            kept[box.top : box.bottom, box.left : box.right] *= 1.0 - part
    return kept


def _reach_of(face: Face, picture: Size) -> Box | None:
    """The part of the picture that a face's skin may lie in."""
    box = face.box
    if face.body is not None:
        rows, columns = np.flatnonzero(face.body.any(axis=1)), np.flatnonzero(face.body.any(axis=0))
        if rows.size:
            return Box(
                max(0, min(int(columns[0]), box.left)),
                max(0, min(int(rows[0]), box.top)),
                min(picture.width, max(int(columns[-1]) + 1, box.right)),
                min(picture.height, max(int(rows[-1]) + 1, box.bottom)),
            )
    aside, soft = _ASIDE * box.width, _FADE * box.width
    return Box(
        round(box.centre[0] - aside - soft), round(box.top - _ABOVE * box.height - soft),
        round(box.centre[0] + aside + soft), round(box.bottom + _BELOW * box.height + soft),
    ).intersection(frame(picture))  # fmt: skip


def _neighbourhood(face: Face, picture: Size) -> Mask:
    """Where the neck, the shoulders and the arms of a face may be, where nothing else tells."""
    box = face.box
    left, right = box.centre[0] - _ASIDE * box.width, box.centre[0] + _ASIDE * box.width
    top, bottom = box.top - _ABOVE * box.height, box.bottom + _BELOW * box.height
    y, x = np.arange(picture.height) + 0.5, np.arange(picture.width) + 0.5
    soft = max(1.0, _FADE * box.width)
    down = smoothstep(np.minimum(y - top, bottom - y) / soft + 1.0)
    across = smoothstep(np.minimum(x - left, right - x) / soft + 1.0)
    return np.outer(down, across).astype(np.float32)


def _pieces(skin: Mask, inside: Mask, face: int, joined: bool) -> Mask:
    """`skin` without specks and, where it must hang together with the face, without what does not."""
    # Opened first, so that a thread of colour does not join a wall to a cheek.
    side = max(3, round(face**0.5 * 0.04)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    solid = cv2.morphologyEx((skin > 0.4).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    count, numbers, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=4)
    wanted = stats[:, cv2.CC_STAT_AREA] >= _SPECK * face
    if joined:
        touched = np.bincount(numbers[inside > 0.5], minlength=count) >= _SPECK * face
        wanted &= touched
    wanted[0] = False
    kept = cv2.dilate(wanted.astype(np.uint8)[numbers], kernel, iterations=2)
    return np.asarray(np.where((kept > 0) | (inside > 0.5), skin, 0.0), dtype=np.float32)


def _between(plane: Mask, limits: tuple[float, float]) -> npt.NDArray[np.float64]:
    low, high = limits
    return smoothstep((np.minimum(plane - low, high - plane) + _SOFT) / (2 * _SOFT))


def _led_along(mask: Mask, pixels: Pixels) -> Mask:
    """The mask with its border led along the picture's edges (guided filter, He et al. 2010), 0 where it is faint."""
    guide = luminance(pixels)
    window = (2 * max(2, round(_FEATHER * max(mask.shape))) + 1,) * 2

    def mean(plane: npt.NDArray[Any]) -> Mask:
        return np.asarray(cv2.blur(plane, window, borderType=cv2.BORDER_REFLECT), dtype=np.float32)

    level, share = mean(guide), mean(mask)
    gain = (mean(guide * mask) - level * share) / (mean(guide * guide) - level * level + np.float32(_EDGE))
    led = mean(gain) * guide + mean(share - gain * level)
    return smoothstep((led - _NOTHING) / (_ALL - _NOTHING)).astype(np.float32)
