"""Whether a page speaks one language alone."""

from __future__ import annotations

import re

from alertengine.core.language import ENGLISH, placeholders, words


def left_in_english(html: str, code: str) -> list[str]:
    """Fixed sentences that the page of another language still says in English."""
    text = re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    theirs = words(code).texts
    english = [
        said
        for key, said in ENGLISH.texts.items()
        if len(said) > 9 and not placeholders(said) and said != theirs[key]
    ]
    return [said for said in english if said in text]
