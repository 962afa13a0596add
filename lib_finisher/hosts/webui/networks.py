"""The LoRA and embeddings of the host that a prompt names, and the families they were made for."""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from modules import shared

from lib_finisher.hosts.port import NetworkFacts
from lib_finisher.hosts.webui import probe
from lib_finisher.model_header import HeaderError, read_header
from lib_finisher.redraw.networks import EMBEDDING, LORA, embedding_family, lora_family, vector_family

logger = logging.getLogger(__name__)

_TAG = re.compile(r"<(?:lora|lyco):([^:>]+)")


def named_in(prompt: str) -> tuple[NetworkFacts, ...]:
    """See `Host.networks`."""
    return (*_loras(prompt), *_embeddings(prompt))


def _loras(prompt: str) -> Iterator[NetworkFacts]:
    # The host's Lora extension, which may be switched off; its module is known by that name on every host.
    known = getattr(sys.modules.get("networks"), "available_network_aliases", {})
    for name in dict.fromkeys(_TAG.findall(prompt)):
        file = getattr(known.get(name.strip()), "filename", "")
        if file:
            yield NetworkFacts(name.strip(), LORA, _read(file, _stamp(file), lora_family))


def _embeddings(prompt: str) -> Iterator[NetworkFacts]:
    words = _TAG.sub(" ", prompt)
    loaded = probe.loaded_embeddings()
    for name in sorted({*loaded, *_files()}):
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words, re.IGNORECASE):
            yield NetworkFacts(name, EMBEDDING, _embedding_family(name, loaded))


def _embedding_family(name: str, loaded: Mapping[str, Any]) -> str:
    width = getattr(loaded.get(name), "shape", None)
    if isinstance(width, int):
        return vector_family(width)
    file = _files().get(name)
    return _read(str(file), _stamp(str(file)), embedding_family) if file is not None else ""


def _files() -> dict[str, Path]:
    folder = Path(getattr(shared.cmd_opts, "embeddings_dir", None) or "")
    if not folder.name or not folder.is_dir():
        return {}
    return {file.stem: file for file in folder.rglob("*.safetensors")}


@functools.lru_cache(maxsize=256)
def _read(path: str, stamp: int, family: Callable[[Mapping[str, Any]], str]) -> str:
    try:
        return family(read_header(path))
    except HeaderError as error:
        logger.debug("The family of %s cannot be read from its header: %s", path, error)
        return ""


def _stamp(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
