"""What ComfyUI's graph of nodes says of a picture: followed back from the node that samples.

A graph is {"number": {"class_type": ..., "inputs": {...}}}; an input is a value, or [number of a node, number of its
output].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# Inputs in which a node's text, seed or name stands, and those by which it hangs on others, in the order of asking.
_TEXTS = ("text", "text_g", "clip_l", "t5xxl", "string", "prompt", "value", "wildcard_text", "positive")
_SEEDS = ("seed", "noise_seed", "value", "int")
_LINKS = ("conditioning", "conditioning_1", "conditioning_to", "guider", "base_positive", "any_input", "source")
_DEEPEST = 40
_MOST_NODES = 5000


def read_graph(data: Mapping[str, Any]) -> dict[str, str] | None:
    """An infotext's keys with what the graph says of them; None where it is no graph or samples nothing."""
    nodes = {str(key): item for key, item in list(data.items())[:_MOST_NODES] if _is_node(item)}
    sampling = [node for node in nodes.values() if _samples(node["inputs"])]
    if not sampling:
        return None
    # Of several the one that denoises most has made the picture; later ones refine it.
    node = max(sampling, key=lambda item: _number(item["inputs"].get("denoise", 1.0)))
    inputs = node["inputs"]
    guider = _node(nodes, inputs.get("guider")) or {}
    told = {
        "Prompt": _followed(nodes, inputs.get("positive", guider.get("positive", guider.get("conditioning"))), _TEXTS),
        "Negative prompt": _followed(nodes, inputs.get("negative", guider.get("negative")), _TEXTS),
        "Seed": _followed(nodes, inputs.get("seed", inputs.get("noise_seed", inputs.get("noise"))), _SEEDS),
        "Steps": _followed(nodes, inputs.get("steps", inputs.get("sigmas")), ("steps",)),
        "CFG scale": _followed(nodes, inputs.get("cfg", guider.get("cfg")), ("cfg", "value", "float")),
        "Sampler": _followed(nodes, inputs.get("sampler_name", inputs.get("sampler")), ("sampler_name",)),
        "Schedule type": _followed(nodes, inputs.get("scheduler", inputs.get("sigmas")), ("scheduler",)),
    }
    return {key: text for key, text in told.items() if text}


def _is_node(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("inputs"), Mapping)


def _samples(inputs: Mapping[str, Any]) -> bool:
    has_seed = any(name in inputs for name in ("seed", "noise_seed", "noise"))
    return has_seed and ("positive" in inputs or "guider" in inputs) and ("latent_image" in inputs or "steps" in inputs)


def _node(nodes: Mapping[str, Any], link: Any) -> Mapping[str, Any] | None:
    """The inputs of the node that a link leads to."""
    if isinstance(link, list) and len(link) == 2 and str(link[0]) in nodes:
        inputs: Mapping[str, Any] = nodes[str(link[0])]["inputs"]
        return inputs
    return None


def _followed(nodes: Mapping[str, Any], value: Any, names: tuple[str, ...]) -> str:
    """A value, or the first that stands under one of the names on the way that its link leads."""
    seen: set[int] = set()
    for _ in range(_DEEPEST):
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
        inputs = _node(nodes, value)
        if inputs is None or id(inputs) in seen:
            return ""
        seen.add(id(inputs))
        value = next(_candidates(inputs, names), None)
    return ""


def _candidates(inputs: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Any]:
    yield from (inputs[name] for name in names if inputs.get(name) not in (None, ""))
    yield from (inputs[name] for name in _LINKS if name in inputs)
    yield from (value for value in inputs.values() if isinstance(value, list) and len(value) == 2)


def _number(value: Any) -> float:
    # A whole number may be too long for a float.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(min(max(value, 0), 1)) if is_number else 1.0
