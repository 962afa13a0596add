"""An extension for tests only: `__testcolour__` in a prompt becomes a colour that follows from the picture's seed.

Its file has the name of a well-known extension, one of those that stay active inside Finisher's own generations.
"""

import random

from modules import scripts

COLOURS = ("crimson", "turquoise", "ochre", "violet", "emerald", "ivory", "indigo", "amber")


class Wildcards(scripts.Script):
    """Expands the prompts before anything else sees them."""

    def title(self):
        return "Finisher test wildcards"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return []

    def process(self, p, *args):
        for number, text in enumerate(p.all_prompts):
            colour = random.Random(p.all_seeds[number]).choice(COLOURS)
            p.all_prompts[number] = text.replace("__testcolour__", colour)
