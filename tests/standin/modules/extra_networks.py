"""Extra networks: tags in a prompt. One kind is there, `lora`, which changes what the model draws."""

from __future__ import annotations

import re
from collections import defaultdict

from modules import errors

extra_network_registry: dict = {}
_TAG = re.compile(r"<(\w+):([^>]+)>")


class ExtraNetworkParams:
    def __init__(self, items=None):
        self.items = items or []
        self.positional = [item for item in self.items if "=" not in item]
        self.named = dict(item.split("=", 1) for item in self.items if "=" in item)

    def __eq__(self, other):
        return isinstance(other, ExtraNetworkParams) and self.items == other.items

    __hash__ = None


class ExtraNetwork:
    def __init__(self, name):
        self.name = name

    def activate(self, p, params_list):
        raise NotImplementedError

    def deactivate(self, p):
        raise NotImplementedError


class Lora(ExtraNetwork):
    """Stays loaded until another set is activated, an empty one too."""

    def activate(self, p, params_list):
        weights = {item.items[0]: float(item.items[1]) if len(item.items) > 1 else 1.0 for item in params_list}
        p.sd_model.loras = weights

    def deactivate(self, p):
        pass


def register_extra_network(extra_network):
    extra_network_registry[extra_network.name] = extra_network


def initialize():
    extra_network_registry.clear()
    register_extra_network(Lora("lora"))


def parse_prompt(prompt):
    found = defaultdict(list)
    for kind, arguments in _TAG.findall(prompt):
        found[kind].append(ExtraNetworkParams(items=arguments.split(":")))
    return _TAG.sub("", prompt), found


def parse_prompts(prompts):
    """(prompts without tags, the tags of the first one only)."""
    parsed = [parse_prompt(prompt) for prompt in prompts]
    return [text for text, _ in parsed], parsed[0][1] if parsed else None


def activate(p, extra_network_data):
    for name, network in extra_network_registry.items():
        try:
            network.activate(p, extra_network_data.get(name, []))
        except Exception as error:  # noqa: BLE001 (as the host does: the picture comes without it)
            errors.display(error, f"activating extra network {name}")
    if p.scripts is not None:
        p.scripts.after_extra_networks_activate(
            p, batch_number=p.iteration, prompts=p.prompts, seeds=p.seeds, subseeds=p.subseeds,
            extra_network_data=extra_network_data,
        )  # fmt: skip


def deactivate(p, extra_network_data):
    for name, network in extra_network_registry.items():
        try:
            network.deactivate(p)
        except Exception as error:  # noqa: BLE001
            errors.display(error, f"deactivating extra network {name}")
