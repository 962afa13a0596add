"""Which preset a checkpoint gets: the order of the rules, ties, what is no match."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from lib_finisher.presets.matching import Checkpoint, Entry, Level, explain, read_checkpoint
from lib_finisher.presets.preset import Match, Preset

SHA = "ab" * 32
CHECKPOINT = Checkpoint(
    "SDXL/juggernautXL_v9.safetensors", SHA, family="sdxl", variants=("pony", "lightning", "few-step")
)
RULES = {
    Level.SHA256: Match(sha256=(SHA.upper(),)),
    Level.SHORTHASH: Match(shorthash=(SHA[:10],)),
    Level.NAME: Match(names=("JuggernautXL_v9",)),
    Level.PATTERN: Match(globs=("juggernaut*",)),
    Level.VARIANT: Match(variants=("Lightning",)),
    Level.FAMILY: Match(families=("SDXL",)),
    Level.EVERYTHING: Match(everything=True),
}


def entries(**matches: Match) -> list[Entry]:
    return [Entry(Preset(name, match=match)) for name, match in matches.items()]


def used(found: tuple) -> list[str]:  # type: ignore[type-arg]
    return [item.entry.preset.name for item in found if item.used]


@pytest.mark.parametrize("level", list(Level))
def test_each_rule_alone(level: Level) -> None:
    (found,) = explain(CHECKPOINT, entries(one=RULES[level]))
    assert (found.level, found.used) == (level, True)
    assert found.reason


def test_the_order_is_from_the_full_hash_down() -> None:
    shuffled = [Entry(Preset(level.name, match=RULES[level])) for level in Level]
    for order in itertools.islice(itertools.permutations(shuffled), 0, 5040, 97):
        found = explain(CHECKPOINT, order)
        assert [item.level for item in found] == sorted(Level, reverse=True)
        assert used(found) == ["SHA256", "VARIANT", "FAMILY", "EVERYTHING"]
        assert {item.before for item in found if not item.used} == {"SHA256"}


def test_a_preset_counts_by_its_most_specific_rule() -> None:
    (found,) = explain(CHECKPOINT, entries(one=replace(RULES[Level.FAMILY], names=("juggernautxl_v9.safetensors",))))
    assert found.level == Level.NAME


@pytest.mark.parametrize(
    "match",
    [
        Match(names=("juggernautXL",)),
        Match(names=("v9.safetensors",)),
        Match(names=("naut",)),
        Match(globs=("naut",)),
        Match(globs=("xl/*",)),
        Match(globs=("*/*/*",)),
        Match(regexes=("naut",)),
        Match(regexes=("(",)),
        Match(shorthash=(SHA[:8],)),
        Match(sha256=(SHA[:10],)),
        Match(variants=("light",)),
        Match(families=("sd",)),
        Match(),
        Match(more={"moon": ["x"]}),
    ],
)
def test_nothing_matches_by_a_part(match: Match) -> None:
    assert explain(CHECKPOINT, entries(one=match)) == ()


@pytest.mark.parametrize(
    "match",
    [
        Match(names=("SDXL/juggernautXL_v9.safetensors",)),
        Match(names=("sdxl\\JUGGERNAUTXL_V9",)),
        Match(globs=("sdxl/jugger*",)),
        Match(globs=("JUGGERNAUTXL_V?.safetensors",)),
        Match(globs=("juggernautxl_v[89]",)),
        Match(regexes=(r"juggernaut(xl)?_v\d+",)),
    ],
)
def test_a_name_may_be_written_with_its_folder_its_ending_and_in_any_case(match: Match) -> None:
    assert used(explain(CHECKPOINT, entries(one=match))) == ["one"]


def test_a_hash_rule_waits_for_the_hash() -> None:
    unhashed = replace(CHECKPOINT, sha256="")
    both = entries(hashed=RULES[Level.SHA256], named=RULES[Level.NAME])
    assert used(explain(unhashed, both)) == ["named"]
    assert used(explain(CHECKPOINT, both)) == ["hashed"]
    short_only = replace(unhashed, shorthash=SHA[:10])
    assert used(explain(short_only, entries(short=RULES[Level.SHORTHASH], named=RULES[Level.NAME]))) == ["short"]


def test_every_variant_has_a_preset_and_what_makes_it_quick_comes_on_top() -> None:
    found = explain(CHECKPOINT, entries(quick=Match(variants=("few-step",)), drawn=Match(variants=("pony",))))
    assert used(found) == ["quick", "drawn"]


def test_ties_are_settled_the_same_way_every_time() -> None:
    rule = RULES[Level.FAMILY]
    built_in = Entry(Preset("A built in", match=rule, changed="2030-01-01T00:00:00Z", locked=True), built_in=True)
    old = Entry(Preset("B old", match=rule, changed="2020-01-01T00:00:00Z"))
    new = Entry(Preset("C new", match=rule, changed="2026-01-01T00:00:00Z"))
    twin = Entry(Preset("D new", match=rule, changed="2026-01-01T00:00:00Z"))
    pinned = Entry(Preset("E locked", match=rule, locked=True))
    for order in itertools.permutations([built_in, old, new, twin, pinned]):
        names = [item.entry.preset.name for item in explain(CHECKPOINT, order)]
        assert names == ["E locked", "C new", "D new", "B old", "A built in"]


def test_a_file_that_cannot_be_read_is_known_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "ponyMix_inpainting.ckpt"
    file.write_bytes(b"PK\x03\x04" + bytes(20))
    found = read_checkpoint(file, "sub/ponyMix_inpainting.ckpt", SHA, family="sdxl")
    assert (found.family, found.variants) == ("sdxl", ("inpainting", "pony"))
    assert found.shorthash == SHA[:10] and "pickle" in found.reason


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("juggernautXL_v9.safetensors [abababab]", True),
        ("SDXL\\juggernautXL_v9 [ABABABABAB1]", False),
        ("SDXL/JuggernautXL_v9 [ababababab]", True),
        (f"juggernautXL_v9 [{SHA}]", True),
        ("juggernautXL_v9.safetensors [12345678]", True),
        ("juggernautXL_v9.safetensors [12345679]", False),
        ("SD1/juggernautXL_v9 [ababababab]", False),
        ("juggernautXL_v9 [final]", False),
        ("juggernautXL_v9 [123456]", False),
        ("[abababab]", False),
    ],
)
def test_a_title_is_a_name_and_a_hash_that_does_not_contradict(rule: str, holds: bool) -> None:
    checkpoint = replace(CHECKPOINT, part_hash="12345678")
    found = explain(checkpoint, entries(one=Match(names=(rule,))))
    assert [item.level for item in found] == ([Level.NAME] if holds else [])
    # Before the host has hashed the file nothing contradicts.
    unhashed = explain(replace(checkpoint, sha256="", part_hash=""), entries(one=Match(names=(rule,))))
    assert bool(unhashed) == (holds or rule.endswith(("1]", "79]")))


def test_brackets_of_a_name_that_look_like_a_hash_stay_a_name() -> None:
    dated = Checkpoint("mix [20231224].safetensors", SHA)
    for rule, holds in (("Mix [20231224]", True), ("mix", False), (f"mix [20231224] [{SHA[:10]}]", True)):
        assert bool(explain(dated, entries(one=Match(names=(rule,))))) == holds
