"""Whether traffic collapsed: against the lowest rate and the longest silence of the recent past."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from math import ceil, log

from .cusum import CAP, CLIP, FIRES, THRESHOLD, WARNS
from .finding import Finding

BIN_S = 60
BINS = 720  # half a day
LOOK = 30  # bins that make the recent past
LEAST = 10  # of them before anything is said
FULL = 20.0  # requests a bin should hold, so that its count means something
SPREAD_BINS = 180
QUIET_S = 10.0
GAPS_S = 2 * 3600.0
DEEP = 0.2, 0.4  # of the lowest rate: the two alternatives under test
SHY = 0.9, 0.75
SETTLED_S = 1800.0


class Flow:
    """Counts matched requests by the second. `finding` is the open alarm, if any."""

    def __init__(self) -> None:
        self.finding: Finding | None = None
        self._bins: deque[float] = deque(maxlen=BINS)
        self._bin = self._ten = 0.0
        self._filled = 0
        self._low = 0.0
        self._values = [0.0, 0.0]
        self._hush = 0.0
        self._due = False
        self._began = 0.0
        self._quiet = 0.0
        self._gaps: deque[tuple[float, float]] = deque()
        self._seen = False
        self._counts: deque[float] = deque(maxlen=SPREAD_BINS)  # of ten seconds each
        self._spread = 1.0  # variance of those over their mean: 1 for calls that come independently
        self._recent = 0.0  # requests of about the last ten seconds

    def step(self, now: float, n: float) -> None:
        """Weigh one second with `n` requests."""
        if not n and not self._seen:
            return  # before the first request there is nothing to miss
        self._seen = True
        self._recent = 0.9 * self._recent + n
        if self.finding is not None:
            self._close(now, self.finding)
            return
        self._silence(now, n)
        self._fill(n)
        self._weigh(now, n)
        self._due = self.value >= WARNS and self._unheard(now)
        if self.value >= FIRES and self._due:
            self.finding = Finding("traffic_drop", None, self._began, now, self._low, 0.0)
            self._measure(self.finding)

    @property
    def value(self) -> float:
        return max(*self._values, min(CAP, self._hush))

    @property
    def nearness(self) -> float:
        """0 to 1: how near an alarm is, as far as it is not a silence heard before."""
        return min(1.0, self.value / THRESHOLD) if self._due else 0.0

    def suspected(self) -> list[Finding]:
        if self.finding is not None or self.nearness < WARNS / THRESHOLD:
            return []
        near = Finding("traffic_drop", None, self._began, self._began, self._low, 0.0)
        self._measure(near)
        return [near]

    def _weigh(self, now: float, n: float) -> None:
        if not self._low:
            self._values, self._hush = [0.0, 0.0], 0.0
            return
        self._hush = (1 - DEEP[0]) * SHY[0] * self._low * self._quiet  # chance alone makes no silence
        if self.value <= 0:
            self._began = now - 1.0
        for i, (deep, shy) in enumerate(zip(DEEP, SHY, strict=True)):
            usual = shy * self._low
            gain = ((1 - deep) * usual - n * log(1 / deep)) / self._spread
            self._values[i] = max(0.0, min(CAP, self._values[i] + min(CLIP, gain)))

    def _silence(self, now: float, n: float) -> None:
        if not n:
            self._quiet += 1.0
            return
        if self._quiet >= 3:
            self._gaps.append((now, self._quiet))
        while self._gaps and self._gaps[0][0] < now - GAPS_S:
            self._gaps.popleft()
        self._quiet = 0.0

    def _unheard(self, now: float) -> bool:
        """Whether this lasts longer than any silence of the recent past, and came suddenly."""
        lasts = now - self._began
        longest = max((length for _, length in self._gaps), default=0.0)
        if lasts < max(QUIET_S, 1.5 * longest + 5.0 * (longest > 0)):
            return False
        return not _fading(self._rates(1 + int(lasts // BIN_S)), 0.7)

    def _fill(self, n: float) -> None:
        self._bin += n
        self._ten += n
        self._filled += 1
        if self._filled % 10 == 0:
            self._counts.append(self._ten)
            self._ten = 0.0
        if self._filled >= BIN_S:
            self._bins.append(self._bin)
            self._bin, self._filled = 0.0, 0
        if self._filled == 0 and self.value < 0.3 * THRESHOLD:
            self._low = self._lowest()
            self._spread = _spread(self._counts)

    def _lowest(self) -> float:
        """Requests a second that the recent past never went under; 0 if that cannot be said."""
        rates = self._rates(1)  # the last bin may be part of what is to be found
        if len(rates) < LEAST or _fading(rates, 0.5):
            return 0.0
        return min(rates) / BIN_S

    def _rates(self, skip: int) -> list[float]:
        """Requests a bin, newest first, over groups of bins large enough to say something."""
        bins = list(self._bins)[: len(self._bins) - skip]
        mean = sum(bins[-LOOK:]) / max(1, len(bins[-LOOK:]))
        if not mean:
            return []
        group = max(1, ceil(FULL / mean))
        ends = range(len(bins), group - 1, -group)[:LOOK]
        return [sum(bins[end - group : end]) / group for end in ends]

    def _close(self, now: float, finding: Finding) -> None:
        """Over when half of the usual is back, or when this has become the usual."""
        self._measure(finding)
        back = self._recent / 10 >= 0.5 * finding.usual and now - finding.opened >= 10
        if back or now - finding.opened > SETTLED_S:
            self.finding = None
            self._values, self._hush, self._quiet = [0.0, 0.0], 0.0, 0.0
            if not back:
                self._bins.clear()
                self._low = 0.0

    def _measure(self, finding: Finding) -> None:
        finding.seen = 10 * finding.usual
        finding.hits = max(0.0, finding.seen - self._recent)


def _spread(counts: Collection[float]) -> float:
    mean = sum(counts) / max(1, len(counts))
    if not mean:
        return 1.0
    return max(1.0, sum((count - mean) ** 2 for count in counts) / len(counts) / mean)


def _fading(rates: list[float], share: float) -> bool:
    """Whether traffic (newest first) is on its way down by itself, as at closing time."""
    before = rates[5:15] or rates
    return not rates or sum(rates[:2]) / 2 < share * sum(before) / len(before)
