"""Prompt styles. Two are always there, so that styled prompts can be tested without a file."""

from __future__ import annotations

import re
from typing import NamedTuple


class PromptStyle(NamedTuple):
    name: str
    prompt: str
    negative_prompt: str
    path: str | None = None


def apply_one(text: str, style: str) -> str:
    """A style either has a place for the prompt, or is put behind it."""
    if "{prompt}" in style:
        return style.replace("{prompt}", text)
    return ", ".join(part for part in (text.strip(), style.strip()) if part)


def take_one(text: str, style: str) -> str | None:
    """The prompt without the style, or None where it does not hold it."""
    if not style.strip():
        return text
    pattern = re.escape(style).replace(re.escape("{prompt}"), "(.*)")
    if "{prompt}" in style:
        found = re.fullmatch(pattern, text, re.DOTALL)
        return found[1] if found else None
    if text == style:
        return ""
    return text[: -len(style) - 2] if text.endswith(f", {style}") else None


class StyleDatabase:
    def __init__(self, paths=()):
        self.no_style = PromptStyle("None", "", "")
        self.styles = {
            "warm light": PromptStyle("warm light", "{prompt}, warm light", "cold"),
            "sketch": PromptStyle("sketch", "pencil sketch", ""),
        }

    def get_style_prompts(self, styles):
        return [self.styles.get(name, self.no_style).prompt for name in styles]

    def get_negative_style_prompts(self, styles):
        return [self.styles.get(name, self.no_style).negative_prompt for name in styles]

    def apply_styles_to_prompt(self, prompt, styles):
        for style in self.get_style_prompts(styles):
            prompt = apply_one(prompt, style)
        return prompt

    def apply_negative_styles_to_prompt(self, prompt, styles):
        for style in self.get_negative_style_prompts(styles):
            prompt = apply_one(prompt, style)
        return prompt

    def extract_styles_from_prompt(self, prompt, negative_prompt):
        found = []
        remaining = [style for style in self.styles.values() if style.prompt or style.negative_prompt]
        while True:
            for style in remaining:
                both = take_one(prompt, style.prompt), take_one(negative_prompt, style.negative_prompt)
                if None not in both:
                    prompt, negative_prompt = both
                    found.insert(0, style.name)
                    remaining.remove(style)
                    break
            else:
                return found, prompt, negative_prompt
