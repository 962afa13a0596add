"""The recorded facts themselves, and the comparison of records."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.recorder.compare import differences

FACTS = Path(__file__).resolve().parents[1] / "facts"
FILES = sorted(FACTS.glob("*.json"))
# A path of some machine, a moment, a run's own number.
TELLTALE = re.compile(r'"/(?!sdapi)[\w.-]+/|[A-Z]:\\\\\w+\\\\|\b20\d\d-\d\d-\d\d|task\(|\.safetensors')


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return json.loads((FACTS / "a1111-82a973c.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_record_tells_nothing_of_its_machine(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert TELLTALE.search(text) is None
    host = json.loads(text)["host"]
    assert file.stem == f"{host['name']}-{host['revision']}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_scenario_went_to_its_end(file: Path) -> None:
    traces = json.loads(file.read_text(encoding="utf-8"))["traces"]
    ended = {name for name, trace in traces.items() if trace["events"] and trace["events"][-1]["hook"] == "postprocess"}
    # Forge answers 500 to a txt2img request with an infotext.
    assert set(traces) - ended <= {"request by infotext"}
    assert all(traces[name]["events"][0]["hook"] == "setup" for name in ended)


def test_a_record_does_not_differ_from_itself(record: dict[str, Any]) -> None:
    assert differences(record, copy.deepcopy(record)) == []


def test_differences_are_told_by_their_place(record: dict[str, Any]) -> None:
    found = copy.deepcopy(record)
    found["host"]["name"] = "another"
    found["signatures"]["processing.process_images"] = "(p, q)"
    del found["options"]["tiling"]
    events = found["traces"]["txt2img"]["events"]
    events[2]["p"]["all_seeds"] = [8]
    del events[1]
    events[-1]["args"]["processed"]["Processed"]["images"][0]["image"] = [64, 64]
    assert differences(record, found) == [
        'signatures/processing.process_images: expected "(p)", found "(p, q)"',
        "options/tiling: missing; expected false",
        "traces/txt2img/events/1 before_process: this event is missing",
        "traces/txt2img/events/2 process/p/all_seeds/0: expected 7, found 8",
        "traces/txt2img/events/21 postprocess/args/processed/Processed/images/0/image/0: expected 192, found 64",
        "traces/txt2img/events/21 postprocess/args/processed/Processed/images/0/image/1: expected 128, found 64",
    ]


def test_what_a_record_leaves_out_is_no_difference(record: dict[str, Any]) -> None:
    found = copy.deepcopy(record)
    for name in [name for name in found["traces"] if name.startswith("page ")]:
        del found["traces"][name]
    found["components"] = {}
    assert differences(record, found)
    found["left_out"] = ["traces/page *", "components"]
    assert differences(record, found) == []
    found["traces"]["txt2img"]["status"] = 500
    assert differences(record, found, also=["traces/*/status"]) == []


def test_latents_differ_freely_but_not_in_their_number(record: dict[str, Any]) -> None:
    found = copy.deepcopy(record)
    sampling = next(
        event for event in found["traces"]["txt2img"]["events"] if event["hook"] == "process_before_every_sampling"
    )
    sampling["args"]["x"] = {"tensor": [1, 3, 128, 192], "dtype": "float16"}
    sampling["args"]["uc"] = ["<Anything>"]
    assert differences(record, found) == []
    sampling["args"]["x"] = {"tensor": [2, 4, 16, 24], "dtype": "float32"}
    sampling["args"]["uc"] = None
    assert len(differences(record, found)) == 2
