"""Finisher: turns a diffusion draft into a finished picture, stage by stage, in one fixed order."""

__version__ = "0.1.0"
