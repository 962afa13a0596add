"""What of an infotext the web UIs' own parser may be given."""

from __future__ import annotations

from lib_finisher.infotext.generation import Generation
from lib_finisher.infotext.layout import NEGATIVE
from lib_finisher.infotext.writing import infotext_line

MOST_FOR_THE_HOST = 4000
_LONGEST_VALUE = 100
_LAST_LINE = (("Steps", "20"), ("Seed", "0"), ("CFG scale", "7"))
# The host puts them into the prompt.
_NETWORKS = ("Hypernet", "Hypernet strength")


def for_the_host(generation: Generation) -> str:
    """An infotext with the prompts, which the host's parser reads in no time; "" where they are too long for that.

    Its expression begins anew at every letter of the last line, and its reading of brackets goes through all that
    stands before each. So the last line is always one of ours, and what else the picture says is not in it.
    """
    prompts = [generation.prompt]
    if generation.negative_prompt:
        prompts.append(f"{NEGATIVE} {generation.negative_prompt}")
    if sum(map(len, prompts)) > MOST_FOR_THE_HOST:
        return ""
    values = ((key, generation.pairs.get(key, "")) for key in _NETWORKS)
    short = [(key, value) for key, value in values if 0 < len(value) <= _LONGEST_VALUE]
    return "\n".join([*prompts, infotext_line([*_LAST_LINE, *short])])
