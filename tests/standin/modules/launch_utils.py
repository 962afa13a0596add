"""Which program this claims to be."""

from __future__ import annotations


def git_tag():
    return "v1.10.1"


def commit_hash():
    return "standin"
