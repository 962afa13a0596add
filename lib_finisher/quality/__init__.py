"""Measures on arrays: what a stage has gained and lost. Nothing is judged here, and nothing is changed."""
