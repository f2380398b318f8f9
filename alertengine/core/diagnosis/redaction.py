"""Text of the monitored application, made fit to show: no control characters, no secrets, no people."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

INPUT_LIMIT: Final = 2000
KEPT_LIMIT: Final = 64_000
REDACTED: Final = "[redacted]"

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_SPACES = re.compile(r"\s+")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}-----.*?(?:-----END [A-Z ]{0,40}-----|$)")
_URL = re.compile(
    r"\b([a-z][a-z0-9+.-]{1,20}://)([^\s/?#\"'<>@]*@)?([^\s?#\"'<>]*)([?#][^\s\"'<>]*)?", re.IGNORECASE
)
_QUERY = re.compile(r"\?[^\s=&?\"'<>]{1,60}=[^\s\"'<>]*")
_SCHEME = re.compile(r"\b(bearer|basic|digest|token)\s+[\w.~+/=:-]{6,}", re.IGNORECASE)
_NAMED = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_ -]?key|access[_ -]?key|private[_ -]?key|"
    r"auth(?:orization)?|session(?:[_ -]?id)?|cookie|credentials?|signature|otp|pin|cvv|cvc|ssn)"
    r"[\w-]{0,20}[\"']?\s{0,3}(?:[:=]|=>|\bis\b)\s{0,3})(\"[^\"]*\"?|'[^']*'?|[^\s,;&)\]}]+)",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"\b(?:sk|pk|rk|whsec|ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[a-z]|npm|hf|shp[a-z]{2}|dop_v1|SG|key|live|test)"
    r"[-_.][\w.-]{8,}|\b(?:AKIA|ASIA|AIza|ya29\.)[\w-]{10,}|\beyJ[\w-]{5,}(?:\.[\w-]*){0,4}",
)
_BOT_TOKEN = re.compile(r"\b\d{6,12}:[\w-]{20,}")
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
_OPAQUE = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_DIGITS = re.compile(r"(?<![\w.])\+?\(?\d[\d ().\-/]{6,30}\d(?![\w])")
_ADDRESS_OR_DATE = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}|\d{4}-\d\d-\d\d(?: \d\d)?|\d+\.\d+")


def clean(value: object, limit: int) -> str:
    """`value` as one bounded line that is safe to show anywhere; empty unless it is text."""
    if not isinstance(value, str):
        return ""
    return shorten(redact(plain(value[:INPUT_LIMIT])), limit)


def plain(text: str) -> str:
    """Without terminal sequences, control, direction and invisible characters; one space for any space."""
    # NFKC first: full-width letters and digits would slip past every pattern below.
    text = unicodedata.normalize("NFKC", _ANSI.sub("", text))
    text = "".join(
        " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE
    )
    return _SPACES.sub(" ", text).strip()


def redact(text: str) -> str:
    """Without keys, tokens, passwords, query strings, e-mail addresses, phone and card numbers."""
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return text


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the cut shown."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def redacted(report: Mapping[str, object], most: int = KEPT_LIMIT) -> dict[str, Any]:
    """A health report with every text of it cleaned, and at most `most` characters long as JSON."""
    kept: Any = {}
    for rows in (50, 20, 8, 3):
        kept = _redacted(report, rows, 8)
        if len(json.dumps(kept)) <= most:
            return dict(kept)
    return {}


def _redacted(value: object, rows: int, depth: int) -> object:
    if isinstance(value, str):
        return clean(value, 300)
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        inner = islice(value.items(), 2 * rows)
        return {clean(str(key), 80): _redacted(entry, rows, depth - 1) for key, entry in inner}
    if isinstance(value, list | tuple):
        return [_redacted(entry, rows, depth - 1) for entry in value[:rows]]
    return value if value is None or isinstance(value, bool | int | float) else None


def _url(match: re.Match[str]) -> str:
    scheme, user, rest, query = match.groups()
    return f"{scheme}{REDACTED + '@' if user else ''}{rest}{'?' + REDACTED if query else ''}"


def _opaque(match: re.Match[str]) -> str:
    """Long words of letters alone are names (of classes, of paths); with digits in them they are keys."""
    word = match.group()
    digits = sum(c.isdigit() for c in word)
    return REDACTED if (digits >= 3 and "/" not in word.strip("/")) or digits >= 6 else word


def _number(match: re.Match[str]) -> str:
    text = match.group()
    if _ADDRESS_OR_DATE.fullmatch(text) or sum(c.isdigit() for c in text) < 9:
        return text
    return "[number]"


_REPLACEMENTS: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (_PRIVATE_KEY, REDACTED),
    (_URL, _url),
    (_QUERY, "?" + REDACTED),
    (_SCHEME, r"\1 " + REDACTED),
    (_NAMED, r"\1" + REDACTED),
    (_PREFIXED, REDACTED),
    (_BOT_TOKEN, REDACTED),
    (_EMAIL, "[e-mail]"),
    (_OPAQUE, _opaque),
    (_DIGITS, _number),
)
