"""What kind of failure a failure code or an exception speaks of."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from alertengine.core.diagnosis.facts import DependencyFact, ExceptionFact

SERVER_ERROR: Final = "server_error"
THROTTLED: Final = "throttled"
TIMEOUT: Final = "timeout"
UNREACHABLE: Final = "unreachable"
NAME_OR_CERTIFICATE: Final = "name_or_certificate"
POOL: Final = "pool"
DISK: Final = "disk"
MEMORY: Final = "memory"
REFUSED_CREDENTIALS: Final = "refused_credentials"
DATABASE_BUSY: Final = "database_busy"
OTHER: Final = "other"

# Order matters: a pool's time-out is a matter of the pool, a name that cannot be
# resolved arrives as a failure to connect, a connect time-out means nobody is there.
_PATTERNS: Final = tuple(
    (family, re.compile(pattern, re.IGNORECASE))
    for family, pattern in (
        (DISK, r"no space left|disk ?(?:is )?full|disk quota|enospc"),
        (MEMORY, r"^memoryerror|out of memory|cannot allocate memory"),
        (
            POOL,
            r"pool[ _-]?(?:timeout|exhaust|limit|is full)|queuepool|connection pool|connection slots"
            r"|poolerror|too ?many ?(?:clients|connections)|no (?:free|available) connection"
            r"|getting connection",
        ),
        (
            NAME_OR_CERTIFICATE,
            r"gaierror|name or service not known|name resolution|nodename nor servname|getaddrinfo|nxdomain"
            r"|no address associated|\bdns|ssl|certificate|\btls\b|hostname mismatch|resolve host",
        ),
        (THROTTLED, r"^429$|throttl|rate.?limit|too ?many ?requests|quota"),
        (
            UNREACHABLE,
            r"^(?:connect|refused|down)$|connect(?:ion)?[ _-]?(?:error|refused|timeout|reset|aborted)|econn"
            r"|connection attempts failed|unreachable|disconnected|broken ?pipe|can ?not connect"
            r"|could not connect|remoteprotocolerror|(?:read|write|network)error|server has gone away"
            r"|closed the connection",
        ),
        (
            DATABASE_BUSY,
            r"database is locked|lock ?wait|deadlock|statement timeout|querycancel|lock ?timeout",
        ),
        (TIMEOUT, r"timed?[ _-]?out|deadline|^408$"),
        (
            REFUSED_CREDENTIALS,
            r"^40[13]$|unauthori[sz]ed|forbidden|expired ?signature|invalid ?(?:token|credential)|jwt"
            r"|password authentication failed|authentication ?(?:error|failed)",
        ),
        (SERVER_ERROR, r"^5(?:\d\d|xx)$|server ?error|bad ?gateway"),
    )
)  # fmt: skip

_GENERAL: Final = re.compile(
    r"oserror|ioerror|^exception$|operationalerror|interfaceerror|runtimeerror|httperror", re.IGNORECASE
)

_STATUS_TYPE: Final = re.compile(r"http|status|response|api|request", re.IGNORECASE)
_STATUS: Final = re.compile(r"\b(?:429|401|403|5\d\d)\b")
"""An answer that a client library turned into an exception, such as HTTPStatusError."""

cache_answers = lru_cache(maxsize=1024)
"""Every rule asks for the same few families; the patterns are slow enough to matter."""

_BY_ERRNO: Final = {
    28: DISK, 122: DISK, 12: MEMORY, 111: UNREACHABLE, 61: UNREACHABLE, 104: UNREACHABLE, 101: UNREACHABLE,
    113: UNREACHABLE, 32: UNREACHABLE, 110: TIMEOUT, -2: NAME_OR_CERTIFICATE, -3: NAME_OR_CERTIFICATE,
    -5: NAME_OR_CERTIFICATE,
}  # fmt: skip


@cache_answers
def of_code(code: str) -> str:
    """The family of a dependency's failure code, such as `503`, `ReadTimeout` or `refused`."""
    return next((family for family, pattern in _PATTERNS if pattern.search(code)), OTHER)


def of_exception(fact: ExceptionFact) -> str:
    """The family of an exception: by its number, else by its type, else by its words."""
    return _BY_ERRNO.get(fact.errno or 0) or _of_words(fact.type, fact.message)


@cache_answers
def _of_words(kind: str, message: str) -> str:
    by_type, by_message = of_code(kind), of_code(message)
    if by_type == OTHER and _STATUS_TYPE.search(kind) and (status := _STATUS.search(message)):
        return of_code(status.group())
    if by_type == OTHER:
        return by_message if _is_general(kind) else OTHER
    # A time-out may be the pool's, a failure to connect the name's: the message knows.
    return by_message if by_message in (DISK, POOL, NAME_OR_CERTIFICATE) else by_type


def failures(dependency: DependencyFact) -> dict[str, float]:
    """How many calls failed, by family."""
    found: dict[str, float] = {}
    for code, count in dependency.codes.items():
        family = of_code(code)
        found[family] = found.get(family, 0.0) + count
    return found


def share(dependency: DependencyFact, *wanted: str) -> float:
    """Of all its calls those that failed in these ways."""
    found = failures(dependency)
    total = sum(found.values())
    return (
        (dependency.fail_rate.now or 0.0) * sum(found.get(one, 0.0) for one in wanted) / total
        if total
        else 0.0
    )


def with_family(facts: Iterable[ExceptionFact], *families: str) -> tuple[ExceptionFact, ...]:
    """The exceptions of these families, most frequent first."""
    found = [fact for fact in facts if of_exception(fact) in families]
    return tuple(sorted(found, key=lambda fact: -fact.count))


def _is_general(kind: str) -> bool:
    """Types so general that only the message tells; a ValueError about a time-out stays a ValueError."""
    return bool(_GENERAL.search(kind))
