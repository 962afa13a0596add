"""What a chosen detector suggests is something that its pass accepts."""

from __future__ import annotations

from lib_finisher.controls import controls_of, read
from lib_finisher.detect.known import KNOWN
from lib_finisher.stages.detail_settings import DetailPass
from lib_finisher.stages.detail_targets import SUGGESTED, suggested
from lib_finisher.ui.table import Offer, page_table


def test_every_suggestion_is_accepted_and_differs_from_the_default() -> None:
    defaults = {row.name: row.default for row in controls_of(DetailPass)}
    for target, values in SUGGESTED.items():
        read(DetailPass, dict(values), where=target)
        assert all(value != defaults[name] for name, value in values.items())


def test_every_target_is_one_that_the_catalogue_knows() -> None:
    assert set(SUGGESTED) <= {item.target for item in KNOWN}
    assert suggested("face") == {}


def test_hands_are_redrawn_with_more_care_than_faces() -> None:
    hand, plain = read(DetailPass, suggested("hand"), where="hand"), DetailPass()
    assert hand.denoising_strength < plain.denoising_strength
    assert hand.gate < plain.gate and hand.likeness > plain.likeness and hand.padding > plain.padding


def test_the_page_is_told() -> None:
    offer = Offer({"detector": ["x"]}, suggested={"detector": {"x": suggested("hand")}})
    stage = next(item for item in page_table(offer)["stages"] if item["name"] == "detail")
    rows = {row["name"]: row for row in stage["passes"]["controls"]}
    assert rows["detector"]["suggested"]["x"]["padding"] == 1.0 and "suggested" not in rows["prompt"]
    assert rows["mask_blur"]["group"] == "Mask"
    assert (rows["detector"]["offers"], rows["detector"]["several"]) == ("detector", True)
