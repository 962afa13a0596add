"""Run by the web UI at every start: checks that what Finisher needs is there. In the usual case it installs nothing.

Hosts bring numpy, Pillow and OpenCV, and Finisher must not move them: only where OpenCV is missing altogether is it
installed, without its dependencies.
"""

from __future__ import annotations

import importlib.util


def main() -> None:
    """Install OpenCV where the host has none."""
    if importlib.util.find_spec("cv2") is not None:
        return
    import launch

    launch.run_pip('install --no-deps "opencv-python-headless>=4.8,<5"', "OpenCV for Finisher")


main()
