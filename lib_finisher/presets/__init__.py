"""Presets: named sets of differences, which checkpoints they are for, and how they become a recipe."""
