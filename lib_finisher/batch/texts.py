"""The texts that a result carries: an infotext that the web UIs paste, and Finisher's own recipe."""

from __future__ import annotations

from collections.abc import Sequence

from lib_finisher import __version__
from lib_finisher.finished import Finished
from lib_finisher.hosts.port import Host
from lib_finisher.imaging.files import LoadedPicture
from lib_finisher.imaging.formats import INFOTEXT
from lib_finisher.imaging.geometry import Size
from lib_finisher.infotext.layout import read_layout
from lib_finisher.infotext.writing import DONE, KEY, finished_infotext, notes_of, outcome_pairs, recipe_pairs
from lib_finisher.json_text import json_text
from lib_finisher.recipe import Recipe, write_recipe
from lib_finisher.stages.stage import Base


def texts_of(
    picture: LoadedPicture,
    size: Size,
    done: Finished,
    host: Host,
    recipe: Recipe,
    base: Base,
    notes: Sequence[str] = (),
    holds_all: bool = True,
) -> dict[str, str]:
    """By keyword. What was there of the base stays in the infotext; `notes` are what there is to say of the file, and
    `size` is the picture's before.

    Where the file `holds_all` texts, an infotext that a picture came with stays as it came, and Finisher's words stand
    beside it alone.
    """
    own = {
        "version": __version__,
        "engine": host.capabilities.engine,
        "seed": base.seed,
        "recipe": write_recipe(recipe),
        # A stored result is what the stage made: the file is the same either way.
        "stages": {item.stage: "ran" if item.status in DONE else item.status for item in done.reports},
    }
    told = [*notes_of(done), *notes]
    if told:
        own["notes"] = told
    if done.error:
        own["error"] = done.error
    pairs = recipe_pairs(recipe, host.model().family) | outcome_pairs(done, told)
    infotext = picture.infotext
    if not infotext or not holds_all or KEY in read_layout(infotext).pairs:
        infotext = finished_infotext(infotext, base, size, pairs)
    return {INFOTEXT: infotext, "finisher": json_text(own)}
