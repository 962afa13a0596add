"""Which patches run together, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from lib_finisher.redraw.patch import Patch


def rounds(patches: Sequence[Patch], together: bool) -> list[list[int]]:
    """Indices of the patches in rounds; patches of one round do not overlap, unless they belong `together`.

    Each patch lands in the first round after those of all earlier patches that it overlaps, so the order holds.
    """
    if together:
        return [list(range(len(patches)))] if patches else []
    depth: list[int] = []
    for index, patch in enumerate(patches):
        blockers = [depth[i] for i in range(index) if patches[i].box.intersection(patch.box)]
        depth.append(max(blockers, default=-1) + 1)
    return [[i for i, level in enumerate(depth) if level == number] for number in range(max(depth, default=-1) + 1)]


def even_chunks(items: Sequence[int], limit: int) -> list[list[int]]:
    """`items` in the fewest chunks of at most `limit`, of sizes that differ by one at the most."""
    if not items:
        return []
    count = -(-len(items) // max(1, limit))
    small, extra = divmod(len(items), count)
    chunks, start = [], 0
    for number in range(count):
        size = small + (1 if number < extra else 0)
        chunks.append(list(items[start : start + size]))
        start += size
    return chunks
