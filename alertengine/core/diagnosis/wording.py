"""Figures in words, each with its usual value."""

from collections.abc import Callable

from alertengine.core.diagnosis.reading import Reading

Wording = Callable[[float], str]


def duration(milliseconds: float) -> str:
    """3.4 s, 850 ms, 31 ms, 2.5 ms, 0 ms."""
    if milliseconds >= 995:
        return f"{figure(milliseconds / 1000)} s"
    return f"{figure(milliseconds)} ms"


def age(seconds: float) -> str:
    """5 s, 12 min, 3 h, 2 days."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def share(fraction: float) -> str:
    """61 %, 0.2 %."""
    return f"{figure(100 * fraction)} %"


def figure(value: float) -> str:
    """Two significant digits below ten, whole numbers above, no trailing zero."""
    if abs(value) >= 10:
        return f"{value:.0f}"
    return f"{value:.1f}".removesuffix(".0")


def megabytes(value: float) -> str:
    return f"{figure(value)} MB"


def usual(reading: Reading, say: Wording) -> str:
    """The usual value in brackets, or that it is not known."""
    return "(usual not known)" if reading.usual is None else f"(usual {say(reading.usual)})"


def against(reading: Reading, say: Wording) -> str:
    """The value now, with the usual one."""
    return f"{say(reading.now or 0.0)} {usual(reading, say)}"
