"""Detail transfer: where a redraw or an upscaler model smooths texture, what was there comes back.

One strength and one place, from the settings of texture, hold for the whole run. The rule of when it is left out, since
the change was asked for:

- a redraw with another checkpoint, unless that is the SDXL refiner;
- a patch that is redrawn with more denoising strength than keeps what is there: 0.5, for flow families 0.45, on the
  embedded engine 0.3;
- what is filler or is to go: extend, and repair with an emptied region.

A prompt of a pass's own is no such sign: passes for faces always have one, and where it changes what is there, the
structure moves and nothing comes back.
"""

from __future__ import annotations

from dataclasses import replace

from lib_finisher.detect.search import Search
from lib_finisher.hosts.port import HostError
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.detail_transfer import Transferred, give_back
from lib_finisher.imaging.geometry import size_of
from lib_finisher.imaging.noise import noise_of
from lib_finisher.redraw.patch import DetailTransfer, Request
from lib_finisher.stages.diffusion_settings import strengths
from lib_finisher.stages.places import EVERYWHERE, KeepDetail
from lib_finisher.stages.refiner import is_refiner
from lib_finisher.stages.stage import Reads, Tools
from lib_finisher.stages.texture_where import SEARCH, detectors_for, place_of

_MOST, _MOST_BY_FAMILY = 0.5, strengths(flow=0.45, embedded=0.3)


def searches_of(keep: KeepDetail) -> tuple[tuple[str, Search], ...]:
    """The detectors that tell where, each with how it looks."""
    if keep.strength <= 0:
        return ()
    return tuple((name, SEARCH) for name in detectors_for(keep.where, keep.detector))


def detectors_read(reads: Reads, keep: KeepDetail) -> tuple[tuple[str, Search], ...]:
    """The detectors that a stage's result depends on, its own and those that tell where detail comes back."""
    return tuple(dict.fromkeys((*reads.detectors, *(searches_of(keep) if reads.keeps_detail else ()))))


def keeping_detail(request: Request, tools: Tools, within: bool = False) -> tuple[Request, bool]:
    """The request with what it is to bring back, and whether a detector that was to say where failed.

    A request that has it already is given back. `within` says that its patches change nothing outside that place.
    """
    keep = tools.keep_detail
    if keep.strength <= 0 or request.replaces or not request.patches or request.detail_transfer is not None:
        return request, False
    checkpoint = request.sampling.checkpoint
    try:
        if _changes_style(checkpoint, tools):
            return request, False
        most = _MOST_BY_FAMILY.get(tools.model(checkpoint).family, _MOST)
    except HostError:
        # The redraw itself will say that it is not there.
        return request, False
    if all(patch.denoising_strength > most for patch in request.patches):
        return request, False
    mask, doubtful = (None, False) if within else _place(request.picture, tools)
    return replace(
        request, detail_transfer=DetailTransfer(keep.strength, noise_of(request.picture), mask, most)
    ), doubtful


def restored_detail(made: Pixels, source: Pixels, tools: Tools) -> tuple[Transferred, bool]:
    """Give `made`, in place, what an upscaler model has smoothed of `source`; what came back, and as above."""
    if tools.keep_detail.strength <= 0:
        return Transferred(), False
    mask, doubtful = _place(source, tools)
    return give_back(made, source, tools.keep_detail.strength, noise_of(source), mask), doubtful


def _place(pixels: Pixels, tools: Tools) -> tuple[Mask | None, bool]:
    keep = tools.keep_detail
    if keep.where == EVERYWHERE:
        return None, False
    # Texture itself tells what was found and what could not be.
    place = place_of(keep.where, keep.detector, pixels, tools, [])
    return place.at(size_of(pixels)), place.doubtful


def _changes_style(checkpoint: str, tools: Tools) -> bool:
    """Whether a checkpoint is swapped to that is neither the one that runs anyway nor the SDXL refiner."""
    if not checkpoint:
        return False
    other = tools.host.model(checkpoint)
    return other != tools.host.model() and not is_refiner(other)
