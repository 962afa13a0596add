"""Finish only puts its own `init` and `sample` in the place of the host's: what the host reads of what these make."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.contract.hosts import each_host, tree

# Set by finish only, or whatever the object was made with: nothing is composed and no conditioning depends on it.
KNOWN = {"batch_size", "overlay_images", "paste_to", "color_corrections", "mask", "init_latent"}
# Asked only by methods that the replaced ones call.
OF_THEIRS = {"sampler"}


@each_host
def test_nothing_else_of_the_replaced_methods_is_read(host: Path) -> None:
    made = set().union(*(_attributes(method, ast.Store) for method in _replaced(host)))
    assert {"init_latent", "overlay_images", "sampler"} <= made, "the methods are not where they were"
    read = set().union(*(_attributes(function, ast.Load) for function in _others(host)))
    assert made & read - KNOWN - OF_THEIRS == set()


def _classes(host: Path) -> dict[str, ast.ClassDef]:
    return {item.name: item for item in tree(host, "processing.py").body if isinstance(item, ast.ClassDef)}


def _replaced(host: Path) -> list[ast.FunctionDef]:
    image = _classes(host)["StableDiffusionProcessingImg2Img"]
    return [item for item in image.body if isinstance(item, ast.FunctionDef) and item.name in ("init", "sample")]


def _others(host: Path) -> Iterator[ast.FunctionDef]:
    """What runs of the host for an image generation, the object's methods and the module's functions."""
    classes = _classes(host)
    bodies = [classes[name].body for name in ("StableDiffusionProcessing", "StableDiffusionProcessingImg2Img")]
    for body in (tree(host, "processing.py").body, *bodies):
        for item in body:
            if isinstance(item, ast.FunctionDef) and item not in _replaced(host):
                yield item


def _attributes(function: ast.FunctionDef, context: type[ast.expr_context]) -> set[str]:
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, context)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "p")
    }
