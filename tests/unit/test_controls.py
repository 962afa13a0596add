from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from lib_finisher.controls import SettingsError, control, controls_of, defaults, differences, passes, read, write
from lib_finisher.stages.order import STAGES


@dataclass(frozen=True)
class Inner:
    strength: float = control(0.3, label="Strength", help="h", minimum=0, maximum=1, step=0.1, families={"flux": 0.2})


@dataclass(frozen=True)
class Sample:
    enabled: bool = control(True, label="Enable", help="h")
    count: int = control(3, label="Count", help="h", minimum=0, maximum=9, step=1, families={"sdxl": 5})
    mode: str = control("a", label="Mode", help="h", choices=("a", "b"))
    text: str = control("", label="Text", help="h")
    parts: tuple[Inner, ...] = passes(Inner, (Inner(),), label="Parts", help="h", most=2)


def test_what_is_left_out_has_the_familys_default() -> None:
    assert read(Sample, {}, where="s").count == 3
    settings = read(Sample, {"mode": "b"}, where="s", family="sdxl")
    assert (settings.count, settings.mode) == (5, "b")
    assert read(Sample, {"parts": [{}]}, where="s", family="flux").parts[0].strength == 0.2
    assert defaults(Sample, "flux").parts[0].strength == 0.2


def test_written_and_read_back_is_the_same() -> None:
    settings = read(Sample, {"count": 7, "parts": [{"strength": 0.5}, {}]}, where="s")
    assert read(Sample, write(settings), where="s") == settings


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"cuont": 1}, ["s.cuont", "'count'", "Accepted here: enabled"]),
        ({"count": 10}, ["s.count", "10", "a whole number from 0 to 9"]),
        ({"count": 1.5}, ["s.count", "1.5"]),
        ({"count": True}, ["s.count", "True"]),
        ({"count": float("nan")}, ["s.count", "nan"]),
        ({"count": "3"}, ["s.count", "'3'"]),
        ({"enabled": 1}, ["s.enabled", "true or false"]),
        ({"mode": "c"}, ["s.mode", "'c'", "'a', 'b'"]),
        ({"text": 3}, ["s.text", "a text"]),
        ({"parts": []}, ["s.parts", "1 to 2 passes"]),
        ({"parts": "x"}, ["s.parts"]),
        ({"parts": [{}, {"strength": 2}]}, ["s.parts.2.strength", "from 0 to 1"]),
        ({"parts": [3]}, ["s.parts.1", "must be an object"]),
        ([], ["s: []", "must be an object"]),
    ],
)
def test_what_is_not_accepted_is_named(data: object, told: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read(Sample, data, where="s")
    assert all(part in str(caught.value) for part in told)


def test_every_problem_has_its_line() -> None:
    with pytest.raises(SettingsError) as caught:
        read(Sample, {"count": -1, "mode": "z", "parts": [{"strength": "x"}]}, where="s")
    assert len(caught.value.problems) == 3


def test_a_whole_float_is_a_whole_number() -> None:
    value = read(Sample, {"count": 4.0}, where="s").count
    assert value == 4
    assert isinstance(value, int)


def test_a_number_needs_its_range() -> None:
    with pytest.raises(TypeError):
        control(1.0, label="x", help="y")


def _all_settings() -> list[type]:
    found = []
    for stage in STAGES:
        found.append(stage.settings)
        found += [row.item for row in controls_of(stage.settings) if row.item is not None]
    return found


@pytest.mark.parametrize("settings", _all_settings())
def test_the_table_of_every_stage_is_complete(settings: type) -> None:
    rows = controls_of(settings)
    assert [row.name for row in rows] == [item.name for item in fields(settings)]
    assert len({row.label for row in rows}) == len(rows), "labels are keys in the host's ui-config: they must differ"
    for row in rows:
        assert row.label, row.name
        assert row.help, row.name
        assert len(row.help) <= 100, "a help text is a few words"
        if row.kind in ("integer", "number"):
            assert row.minimum <= row.default <= row.maximum, row.name
            for value in row.families.values():
                assert row.minimum <= value <= row.maximum


def test_bands_cover_the_range_of_their_control() -> None:
    rows = [row for stage in STAGES for row in controls_of(stage.settings)]
    rows += [inner for row in rows if row.item is not None for inner in controls_of(row.item)]
    banded = [row for row in rows if row.bands]
    assert any(row.name == "denoising_strength" for row in banded)
    for row in banded:
        limits = [most for most, _ in row.bands]
        assert limits == sorted(set(limits)) and limits[-1] == row.maximum and all(words for _, words in row.bands)


def test_defaults_of_earlier_versions() -> None:
    @dataclass(frozen=True)
    class Changed:
        on: bool = control(False, label="On", help="h", before={1: {"": True}})
        strength: float = control(
            0.5, label="Strength", help="h", minimum=0, maximum=1, step=0.1,
            families={"flux": 0.3, "sd3": 0.2}, before={1: {"": 0.4, "flux": 0.1}, 2: {"flux": 0.2}},
        )  # fmt: skip

    expected = {
        (1, ""): (True, 0.4), (1, "flux"): (True, 0.1), (1, "sd3"): (True, 0.2),
        (2, ""): (False, 0.5), (2, "flux"): (False, 0.2), (3, "flux"): (False, 0.3), (None, "flux"): (False, 0.3),
    }  # fmt: skip
    for (version, family), values in expected.items():
        found = defaults(Changed, family, version)
        assert (found.on, found.strength) == values, (version, family)
        assert read(Changed, {}, where="s", family=family, version=version) == found
        assert differences(found, family, version) == {}
    assert differences(defaults(Changed, "", 1)) == {"on": True, "strength": 0.4}
