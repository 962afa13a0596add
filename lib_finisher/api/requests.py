"""What the routes are asked, read from JSON and checked; whatever is wrong is told together."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lib_finisher.api.pictures import Upload
from lib_finisher.api.problems import Problem, RequestError, from_settings, shown, unknown_keys
from lib_finisher.controls import Control, SettingsError, control, controls_of, read
from lib_finisher.imaging.arrays import Mask
from lib_finisher.imaging.files import LoadedPicture, ill_sized
from lib_finisher.imaging.geometry import size_of
from lib_finisher.infotext.fields import MOST_DRAWN, RANDOM_SEED, BaseFields
from lib_finisher.json_text import read_json
from lib_finisher.recipe import SECTIONS, Recipe
from lib_finisher.sampler_names import sampler_here
from lib_finisher.stages.detail import DetailPass
from lib_finisher.stages.stage import Base

Reading = Callable[[Any], Recipe]
"""Makes a recipe of a request's data, with presets or without. Raises SettingsError."""

_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Limits:
    """How much one request may bring, and how much may come of it."""

    pictures: int = 16
    megapixels: float = 64.0
    finished_megapixels: float = 268.5


@dataclass(frozen=True)
class Offer:
    """What this host has, by the name of the control that chooses it; `also` holds further names it goes by."""

    choices: Mapping[str, Sequence[str]]
    also: Mapping[str, Container[str]] = field(default_factory=dict)

    def problem(self, name: str, value: str) -> str:
        """What is wrong with a value for the control of that name, "" if nothing."""
        known = self.choices.get(name, ())
        if not value or not known or value in known or value in self.also.get(name, ()):
            return ""
        return f"{shown(value)} is not here; it must be empty or one of {', '.join(repr(item) for item in known)}."


@dataclass(frozen=True)
class Detecting:
    """How a detector is asked."""

    detector: str = control(DetailPass.detector, label="Detector", help="What to look for.")
    confidence: float = control(
        DetailPass.confidence, label="Confidence", help="The detector's score that a finding needs; 0 is its own.",
        minimum=0.0, maximum=1.0, step=0.01,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class FinishRequest:
    """Pictures to finish, or one to plan for, not yet decompressed. `base` holds only what the request says of it."""

    uploads: tuple[Upload, ...]
    mask: Upload | None
    recipe: Recipe
    recipe_data: Mapping[str, Any]
    base: Mapping[str, Any]
    report: bool = True

    def opened(self) -> tuple[list[LoadedPicture], list[Mask | None]]:
        """The pictures and a mask for each, decompressed: to be called when it is this request's turn.

        Raises RequestError with every one that is damaged.
        """
        problems: list[Problem] = []
        pictures: list[LoadedPicture] = []
        for upload in self.uploads:
            try:
                pictures.append(upload.picture())
            except RequestError as error:
                problems += error.problems
        masks: list[Mask | None] = [None] * len(pictures)
        if self.mask is not None:
            try:
                masks = [self.mask.mask(size_of(picture.pixels)) for picture in pictures]
            except RequestError as error:
                problems += error.problems
        if problems:
            raise RequestError(problems)
        return pictures, masks

    def base_of(self, own: Mapping[str, Any], sampler: str = "", scheduler: str = "") -> Base:
        """A picture's base: what the request says, then what the picture's `own` infotext says, then the defaults.

        Where neither names a sampler or a scheduler, it is the given one.
        """
        use = own if self.recipe["base"].own_infotext else {}
        base = replace(Base(), **{**use, **self.base})
        seed = random.randrange(MOST_DRAWN) if base.seed == RANDOM_SEED else base.seed
        return replace(base, seed=seed, sampler=base.sampler or sampler, scheduler=base.scheduler or scheduler)


@dataclass(frozen=True, eq=False)
class DetectRequest:
    """A picture to look at, not yet decompressed."""

    upload: Upload
    settings: Detecting


def json_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a request's body. Raises RequestError."""
    return json_object_noted(body)[0]


def json_object_noted(body: bytes) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The JSON object of a request's body, and a line for each key that one of its objects has more than once.

    Raises RequestError.
    """
    try:
        data, notes = read_json(body)
        if _LONE_SURROGATE.search(body):
            json.dumps(data, ensure_ascii=False).encode()
    except ValueError as error:
        raise RequestError([Problem("body", f"this is not valid JSON ({error}).")]) from None
    if not isinstance(data, dict):
        raise RequestError([Problem("body", f"{shown(data)} is not accepted; it must be an object.")])
    return data, notes


def read_finish(data: Mapping[str, Any], read_as: Reading, offer: Offer, limits: Limits) -> FinishRequest:
    """A request to finish pictures. Raises RequestError."""
    problems = unknown_keys(data, ("images", "mask", "recipe", "base", "report"))
    report = data.get("report", True)
    if not isinstance(report, bool):
        problems.append(Problem("report", f"{shown(report)} is not accepted; it must be true or false."))
    images = data.get("images")
    values: list[tuple[Any, str]] = []
    if not isinstance(images, list) or not 1 <= len(images) <= limits.pictures:
        given = f"{len(images)} pictures are" if isinstance(images, list) else f"{shown(images)} is"
        accepted = f"a list of 1 to {limits.pictures} pictures as base64"
        problems.append(Problem("images", f"{given} not accepted; it must be {accepted}."))
    else:
        values = [(value, f"images.{number}") for number, value in enumerate(images, 1)]
    return replace(_read(data, values, read_as, offer, limits, problems), report=bool(report))


def read_plan(data: Mapping[str, Any], read_as: Reading, offer: Offer, limits: Limits) -> FinishRequest:
    """A request for a plan: as for finishing, with one picture. Raises RequestError."""
    problems = unknown_keys(data, ("image", "mask", "recipe", "base"))
    return _read(data, [(data.get("image"), "image")], read_as, offer, limits, problems)


def read_detect(data: Mapping[str, Any], offer: Offer, limits: Limits) -> DetectRequest:
    """A request to look for something. Raises RequestError."""
    settings = {key: value for key, value in data.items() if key != "image"}
    problems = unknown_keys(data, ("image", *(row.name for row in controls_of(Detecting))))
    known = {key: value for key, value in settings.items() if key not in {item.field for item in problems}}
    asked = _settings(Detecting, known, "", problems)
    wrong = offer.problem("detector", asked.detector)
    if wrong:
        problems.append(Problem("detector", wrong))
    uploads = _uploads([(data.get("image"), "image")], limits, problems)
    if problems:
        raise RequestError(problems)
    return DetectRequest(uploads[0], asked)


def check_finished(megapixels: float, limits: Limits) -> None:
    """Raises RequestError where the finished pictures together would be too large."""
    if megapixels > limits.finished_megapixels:
        text = (
            f"the finished pictures would have {megapixels:.1f} megapixels together, at most "
            f"{limits.finished_megapixels:g} are accepted; send fewer pictures or enlarge less."
        )
        raise RequestError([Problem("recipe", text)])


def _read(
    data: Mapping[str, Any],
    values: Sequence[tuple[Any, str]],
    read_as: Reading,
    offer: Offer,
    limits: Limits,
    problems: list[Problem],
) -> FinishRequest:
    recipe_data = data.get("recipe", {})
    recipe: Recipe | None = None
    try:
        recipe = read_as(recipe_data)
        problems += _not_here(recipe, offer)
    except SettingsError as error:
        problems += from_settings(error, "recipe")
    base_data = data.get("base", {})
    base = _settings(BaseFields, base_data, "base", problems)
    base = _with_sampler(base, offer)
    given = {name: getattr(base, name) for name in base_data if hasattr(base, name)} if not problems else {}
    if base.scheduler and given.get("sampler"):
        # The sampler's name may have brought it.
        given["scheduler"] = base.scheduler
    for name in ("sampler", "scheduler"):
        wrong = offer.problem(name, getattr(base, name))
        if wrong:
            problems.append(Problem(f"base.{name}", wrong))
    uploads = _uploads(values, limits, problems)
    mask = _mask(data.get("mask"), uploads, limits, problems)
    if problems or recipe is None:
        raise RequestError(problems)
    return FinishRequest(tuple(uploads), mask, recipe, recipe_data, given)


def _with_sampler(base: BaseFields, offer: Offer) -> BaseFields:
    """The sampler and the schedule as this host names them, where it has the sampler."""
    samplers, schedulers = (offer.choices.get(name, ()) for name in ("sampler", "scheduler"))
    found = sampler_here(base.sampler, base.scheduler, samplers, schedulers) if base.sampler and samplers else None
    if found is None or (base.scheduler and schedulers and not found[1]):
        # What is wrong with them is said of the names as they came.
        return base
    return replace(base, sampler=found[0], scheduler=found[1])


def _settings(settings: type[Any], data: Any, where: str, problems: list[Problem]) -> Any:
    """Settings of a dataclass of controls; the defaults where they are wrong."""
    try:
        return read(settings, data, where=where or "body")
    except SettingsError as error:
        found = from_settings(error, where or "body")
        problems += found if where else [replace(item, field=item.field.removeprefix("body.")) for item in found]
        return settings()


def _uploads(values: Sequence[tuple[Any, str]], limits: Limits, problems: list[Problem]) -> list[Upload]:
    """The pictures of a request, of which only the headers are read: none is decompressed before its turn."""
    uploads: list[Upload] = []
    for value, where in values:
        try:
            uploads.append(Upload(value, where))
        except RequestError as error:
            problems += error.problems
    together = sum(item.size.megapixels for item in uploads)
    if together > limits.megapixels:
        where = values[0][1].partition(".")[0]
        text = f"{together:.1f} megapixels are too many; at most {limits.megapixels:g} together are accepted."
        problems.append(Problem(where, text))
    return uploads


def _mask(value: Any, pictures: Sequence[Upload], limits: Limits, problems: list[Problem]) -> Upload | None:
    if value is None:
        return None
    try:
        upload = Upload(value, "mask")
    except RequestError as error:
        problems += error.problems
        return None
    size = (upload.size.width, upload.size.height)
    if upload.size.megapixels > limits.megapixels:
        text = f"{upload.size.megapixels:.1f} megapixels are too many; at most {limits.megapixels:g} are accepted."
        problems.append(Problem("mask", text))
    for picture in pictures:
        # Either may still be turned upright; then the sides change places.
        if sorted(size) != sorted((picture.size.width, picture.size.height)):
            problems.append(Problem("mask", ill_sized(size, (picture.size.width, picture.size.height))))
            break
    return upload


def _not_here(recipe: Recipe, offer: Offer) -> list[Problem]:
    """Names in the stages that will run which this host does not have."""
    found: list[Problem] = []
    for name, kind in SECTIONS.items():
        settings = recipe[name]
        if not getattr(settings, "enabled", True):
            continue
        for row in controls_of(kind):
            value = getattr(settings, row.name)
            if row.kind == "passes":
                for number, one in enumerate(value, 1):
                    rows = controls_of(type(one))
                    found += _wrong_names(rows, one, f"recipe.{name}.{row.name}.{number}", offer)
            else:
                found += _wrong_names((row,), settings, f"recipe.{name}", offer)
    return found


def _wrong_names(rows: Sequence[Control], settings: Any, where: str, offer: Offer) -> list[Problem]:
    texts = ((row.name, offer.problem(row.name, getattr(settings, row.name))) for row in rows if row.kind == "text")
    return [Problem(f"{where}.{name}", text) for name, text in texts if text]
