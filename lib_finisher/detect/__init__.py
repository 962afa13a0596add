"""Detectors behind one protocol."""
