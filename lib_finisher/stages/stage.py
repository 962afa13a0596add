"""What a stage is, what it is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy.typing as npt

from lib_finisher.assets import Assets
from lib_finisher.detect.detection import Detection
from lib_finisher.detect.search import ORDINARY, Search
from lib_finisher.hosts.port import Array, Host, ModelFacts, UpscalerFacts, Watch
from lib_finisher.imaging.arrays import Mask, Pixels
from lib_finisher.imaging.detail_transfer import Transferred
from lib_finisher.imaging.geometry import Size, size_of
from lib_finisher.imaging.wrap import Around, Wrap
from lib_finisher.notes import OfTheRun
from lib_finisher.redraw.patch import Cost, Outcome, Refusal, Request
from lib_finisher.stages.places import KeepDetail
from lib_finisher.stages.regions import Region


class Finder(Protocol):
    """Detects."""

    def __call__(self, name: str, pixels: Pixels, confidence: float, search: Search = ORDINARY) -> list[Detection]:
        """What the named detector finds, at least that sure (0..1; 0 is its own), the surest first.

        Raises DetectorError.
        """


@dataclass(frozen=True)
class Base:
    """What the base picture was made with; a stage that says nothing else uses it.

    `style` and `negative_style` are what the user's styles make of a prompt, with "[PROMPT]" in its place; the two
    prompts have them already. `tiling`: it was made to go on at its other side.
    """

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = 0
    steps: int = 20
    cfg_scale: float = 7.0
    sampler: str = ""
    scheduler: str = ""
    style: str = ""
    negative_style: str = ""
    tiling: bool = False


@dataclass(frozen=True, eq=False)
class Work:
    """A picture on its way through the stages.

    `mask` is what the user marked (height, width), 0..1, at its size. `regions` are what detail has redrawn. `draft` is
    the picture as it was before the first stage, at its own size; the pipeline fills it in. `alpha` is its transparency
    (height, width), 0..1; the pipeline lets no stage see the colours that it hides. `wrap` says over which borders it
    goes on, `around` that it has been carried on there.
    """

    pixels: Pixels
    base: Base = Base()
    mask: Mask | None = None
    regions: tuple[Region, ...] = ()
    draft: Pixels | None = None
    alpha: Mask | None = None
    wrap: Wrap = Wrap()
    around: Around | None = None

    @property
    def size(self) -> Size:
        """The picture's size."""
        return size_of(self.pixels)


class ModelOutputs(Protocol):
    """Where what upscaler models make is kept."""

    def __call__(
        self, model: UpscalerFacts, given: Pixels, target: Size, make: Callable[[], npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """See `Tools.once`."""


@dataclass(frozen=True, eq=False)
class Tools:
    """What a stage may use: the engine, the detectors, where it may be stopped, and the files that settings name.

    `model_run` gives what watches an upscaler model of that name run over so many megapixels; see `Meter.model_run`.
    `keep_detail` is how much of the picture's fine detail the run keeps. `outputs` is where what upscaler models make
    is kept for later runs.
    """

    host: Host
    find: Finder
    watch: Watch
    assets: Assets = Assets()
    model_run: Callable[[str, float], AbstractContextManager[Watch]] | None = None
    keep_detail: KeepDetail = KeepDetail()
    outputs: ModelOutputs | None = None

    def once(
        self, model: UpscalerFacts, given: Pixels, target: Size, make: Callable[[], npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        """What `make` makes with an upscaler model of `given` for a picture of `target`, kept for later runs where they
        are to have it."""
        return make() if self.outputs is None else self.outputs(model, given, target, make)

    def model(self, checkpoint: str = "") -> ModelFacts:
        """The checkpoint that will run."""
        return self.host.model(checkpoint)

    def upscale(self, name: str, pixels: Array) -> Array:
        """`pixels` through an upscaler model, at the model's own scale."""
        if self.model_run is None:
            return self.host.upscale(name, pixels, self.watch)
        with self.model_run(name, size_of(pixels).megapixels) as watch:
            return self.host.upscale(name, pixels, watch)

    def restore(self, name: str, pixels: Array) -> Array:
        """`pixels` with its faces restored by the host's model of that name."""
        return self.host.restore_faces(name, pixels, self.watch)


@dataclass(eq=False)
class StageOutput:
    """What a stage made. `status` is "ran", "skipped" or "failed"; `reason` says why, or what was done.

    `mask` and `alpha` go with the picture where the stage moved them (extend, upscale), `regions` where it knows of new
    ones (detail) or moved them (upscale), in pixels of its own picture. A `degraded` result is not kept for another
    run: memory was short, or something that is usually there failed. A failed stage hands back what is still good.
    `transferred` is the fine detail that came back.
    """

    pixels: Pixels
    status: str = "ran"
    reason: str = ""
    cost: Cost = Cost()
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=dict)
    mask: Mask | None = None
    alpha: Mask | None = None
    regions: tuple[Region, ...] | None = None
    wrap: Wrap | None = None
    transferred: Transferred = Transferred()
    degraded: bool = False
    stopped: str = ""

    def take(self, outcome: Outcome) -> None:
        """Add what a redraw took, refused and noted; the picture is the stage's own affair."""
        self.cost = self.cost + outcome.cost
        self.refusals += outcome.refusals
        self.notes += outcome.notes
        self.prompts |= outcome.prompts
        self.transferred += outcome.transferred
        self.degraded = self.degraded or outcome.degraded or bool(outcome.failures)
        if outcome.recalled:
            told = f"{outcome.recalled} patches were taken up from an earlier, unfinished run"
            self.notes.append(OfTheRun(told))
        self.stopped = outcome.stopped


@dataclass(frozen=True)
class Estimate:
    """What a stage is expected to take, and the size of the picture after it.

    `models` are upscaler models by name with the megapixels that they are given.
    """

    size: Size
    patches: int = 0
    host_calls: int = 0
    megapixel_steps: float = 0.0
    notes: tuple[str, ...] = ()
    models: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Reads:
    """What a stage's result depends on beside the picture, the seed and its settings.

    `samples`: the engine, prompts and sampling of the base. `detectors`: each detector's name and how it looks.
    `assets`: the kind and the name of each file that the settings name. What samples or enlarges also depends on how
    much of the fine detail the run is to keep.
    """

    samples: bool = False
    upscalers: bool = False
    mask: bool = False
    regions: bool = False
    draft: bool = False
    detectors: tuple[tuple[str, Search], ...] = ()
    assets: tuple[tuple[str, str], ...] = ()

    @property
    def keeps_detail(self) -> bool:
        """Whether lost detail comes back in it."""
        return self.samples or self.upscalers


MARGIN = 64
"""How far a picture that goes on at its other side is carried on for a redraw, in pixels: as much as tiles share at
least, half of it for context."""

FADED, CHANGES, OWN = "faded", "changes", "own"
"""How a stage treats the borders of a picture that goes on at its other side. It gets the picture carried on beyond
them, and what it makes is faded together (FADED) or each of its changes counts once (CHANGES); or it sees to them."""

KEPT, SATURATED, CHANGED = "kept", "saturated", "changed"
"""What a stage may do to a picture of one hue: nothing, more or less colour of that hue, or other colours."""


class KeepsColours:
    """What all stages but a grade do to the colours of a grey or one-hue picture."""

    def colours(self, settings: Any) -> str:
        """See `Stage.colours`."""
        return KEPT


Redraws = Generator[Request, Outcome, StageOutput]
"""A stage at work on one picture: it yields requests, is sent their outcomes, and returns its output."""


class Stage(Protocol):
    """One stage of the chain."""

    @property
    def name(self) -> str:
        """The key in recipes."""

    @property
    def label(self) -> str:
        """The name for people."""

    @property
    def settings(self) -> type:
        """The dataclass of its settings."""

    @property
    def borders(self) -> str:
        """FADED, CHANGES or OWN."""

    @property
    def maps(self) -> bool:
        """Whether it changes pixels by itself, beside what it requests to be redrawn."""

    def reads(self, settings: Any) -> Reads:
        """What its result depends on with these settings."""

    def colours(self, settings: Any) -> str:
        """What becomes of the colours of a grey or one-hue picture by these settings: KEPT, SATURATED or CHANGED."""

    def run(self, work: Work, settings: Any, tools: Tools) -> Redraws:
        """Work on one picture. Pixels that must not change come back bit for bit."""

    def estimate(self, work: Work, size: Size, settings: Any, tools: Tools) -> Estimate:
        """What it would take at `size`, the size that the picture will have by then."""


def calls_for(canvases: Sequence[Size], host: Host) -> int:
    """How many engine calls patches of these sizes take on a device of which nothing is known yet."""
    limits = host.capabilities
    calls = 0
    for canvas in set(canvases):
        together = max(1, min(limits.most_elements, limits.batch_pixels // canvas.area))
        calls += -(-canvases.count(canvas) // together)
    return calls
