"""Seeds as programs write them: up to 64 bits, which is what the hosts' generators take."""

from __future__ import annotations

from typing import Any

SEEDS = 1 << 64
_MOST_DIGITS = 60


def read_seed(value: Any) -> tuple[int | None, str]:
    """(the seed, what was made of it): None where it is none; "" where it is used as it stands."""
    text = str(value).strip()
    if len(text) > _MOST_DIGITS:
        return None, f"the seed {text[:20]!r}… is no number, so another one was used"
    try:
        seed = int(text)
    except ValueError:
        try:
            seed = int(float(text))
        except (ValueError, OverflowError):
            return None, f"the seed {text!r} is no number, so another one was used"
    if seed < 0:
        return None, f"the seed {text} stands for a random one, so another one was used"
    if seed >= SEEDS:
        return seed % SEEDS, f"the seed {text} has more than 64 bits; {seed % SEEDS}, its lowest 64, was used"
    return seed, ""
