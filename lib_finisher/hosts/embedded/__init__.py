"""A small real diffusion engine in pixel space, with nothing to download."""
