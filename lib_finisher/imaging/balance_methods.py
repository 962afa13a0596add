"""How the light that a picture was taken in may be told from it; see `imaging.balance`."""

from __future__ import annotations

GREY_PIXELS, SHADES_OF_GREY = "grey pixels", "shades of grey"
METHODS = (GREY_PIXELS, SHADES_OF_GREY)
