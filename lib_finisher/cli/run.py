"""What a run is composed of: the engine, the detectors, the recipe, and the folders that it names files of."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from lib_finisher.assets import AssetError, Assets
from lib_finisher.cli import chosen_presets, detectors
from lib_finisher.cli.asked import asked_by_hand, recipe_of
from lib_finisher.cli.console import program
from lib_finisher.cli.options import cache_folder
from lib_finisher.controls import SettingsError
from lib_finisher.detect.catalogue import Detectors
from lib_finisher.detect.listing import trusted_hashes
from lib_finisher.hosts.embedded.engine import EmbeddedHost
from lib_finisher.plan.rates import Rates
from lib_finisher.presets.missing import Here
from lib_finisher.recipe import Recipe
from lib_finisher.stages.base import TO_REPAIR
from lib_finisher.stages.order import STAGES


@dataclass(frozen=True, eq=False)
class Run:
    """All that a command works with on pictures.

    `asked` is what the call says by hand, before anything that presets ask for was replaced. `here` are the names of
    what this engine has, `left_out` says what presets ask for and is not among them.
    """

    host: EmbeddedHost
    detectors: Detectors
    recipe: Recipe
    asked: Recipe
    assets: Assets
    rates: Rates
    here: Here
    left_out: tuple[str, ...]

    def files_named(self) -> list[Path]:
        """The LUTs and reference pictures that the recipe uses, as far as they are there."""
        files = []
        for stage in STAGES:
            for kind, name in stage.reads(self.recipe[stage.name]).assets:
                with contextlib.suppress(AssetError):
                    files.append(self.assets.find(kind, name))
        return files


def composed(options: argparse.Namespace) -> Run:
    """What the options of a call ask for. Raises SettingsError."""
    host = EmbeddedHost(options.models or cache_folder() / "upscalers", cache_folder() / "upscalers.json")
    recipe = recipe_of(options, host.model().family)
    if options.mask is not None and recipe["base"].mask == TO_REPAIR:
        recipe = recipe.changed("repair", replace(recipe["repair"], enabled=True))
    found = _detectors_of(options)
    here = chosen_presets.here_of(host, found.listed())
    recipe, left_out = chosen_presets.at_hand(options, recipe, host, here)
    rates = Rates(cache_folder() / "rates.json")
    asked = asked_by_hand(options, host.model().family)
    return Run(host, found, recipe, asked, _assets_of(options), rates, here, left_out)


def _detectors_of(options: argparse.Namespace) -> Detectors:
    """The detectors of a run. Raises SettingsError for what is no sha256."""
    trusted, wrong = trusted_hashes(" ".join(options.trust_model))
    if wrong:
        raise SettingsError([f"--trust-model: {word!r} is not a sha256: 64 digits from 0 to f." for word in wrong])
    command = program().replace("{", "{{").replace("}", "}}")
    return Detectors(
        [detectors.detectors_folder(options, cache_folder())],
        trusted=trusted,
        fetch_with=command + ' detectors fetch "{name}"',
    )


def _assets_of(options: argparse.Namespace) -> Assets:
    """The folders of files that settings name. Raises SettingsError for one that is not there."""
    for option, folder in (("--luts", options.luts), ("--references", options.references)):
        if folder is not None and not folder.is_dir():
            raise SettingsError([f"{option}: there is no folder {folder}."])
    luts, references = ([] if folder is None else [folder] for folder in (options.luts, options.references))
    return Assets(tuple(luts), tuple(references))
