"""Sample prompts: the trigger word goes in where it is missing."""

from __future__ import annotations


def with_trigger(prompt: str, trigger_word: str) -> str:
    """``[trigger]`` is replaced; else the word is put in front unless the prompt holds it."""
    if not trigger_word:
        return prompt
    if "[trigger]" in prompt:
        return prompt.replace("[trigger]", trigger_word)
    if trigger_word.lower() in prompt.lower():
        return prompt
    return f"{trigger_word}, {prompt}"
