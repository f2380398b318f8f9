"""Cuts secrets and personal data out of text before it leaves the process."""

from __future__ import annotations

import re

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,30})://[^\s/?#'\"<>]{0,200}@"),
        r"\1://[cut]@",
    ),
    (re.compile(r"(?<=[\w/.])\?[^\s'\"<>]*=[^\s'\"<>]*"), "?[cut]"),
    (re.compile(r"\bey[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{6,}"), r"\1 [cut]"),
    (
        re.compile(
            r"(?i)([\"']?[\w.-]{0,30}(?:passw(?:or)?d|passphrase|pwd|pw\b|secret|token|api[_-]?key|apikey|access[_-]?key|auth"
            r"|authorization|credential|session(?:id)?|cookie|signature|private[_-]?key)[\w.-]{0,30}[\"']?\s*[:=]\s*)"
            r"(\"[^\"]*(?:\"|$)|'[^']*(?:'|$)|[^\s,;&)}\]]+)"
        ),
        r"\1[cut]",
    ),
    (
        re.compile(r"\b(?:sk|pk|rk|whsec|xox[abprs]|gh[pousr]|glpat|AKIA|AIza)[-_]?[A-Za-z0-9_-]{12,}"),
        "[key]",
    ),
    (re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]+)+"), "[email]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"), "[iban]"),
    (re.compile(r"(?<!\w)(?:\d[ -]?){12,18}\d(?!\w)"), "[number]"),
    (re.compile(r"(?<![\w.])\+?\(?\d{2,4}\)?(?:[ ./-]?\d{2,4}){2,5}(?![\w.])"), "[phone]"),
    (re.compile(r"\b[0-9a-fA-F]{24,}\b|\b[A-Za-z0-9+/_-]{40,}={0,2}"), "[key]"),
)
CUT = 200


def redact(text: str) -> str:
    """The text without secrets, e-mail addresses, phone and card numbers, query strings; 200 characters."""
    text = text[: 2 * CUT]  # bounded before it is searched
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text[:CUT]


def told(error: BaseException) -> str:
    """An exception's own text, redacted; empty where even asking for it fails."""
    try:
        return redact(str(error))
    except Exception:
        return ""
