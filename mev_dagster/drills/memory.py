"""Resident memory over time: samples, the line through them, and whether it stays level."""

from dataclasses import dataclass, field
from statistics import fmean, linear_regression

MIB = 2**20
JUDGED_SECONDS = 1_200.0  # caches fill for minutes; before that a slope says nothing
LEVEL_SHARE = 0.10


@dataclass(slots=True)
class Memory:
    """Samples of one process, (seconds since the start, bytes)."""

    samples: list[tuple[float, int]] = field(default_factory=list)

    def add(self, seconds: float, rss_bytes: int) -> None:
        """Take a sample."""
        self.samples.append((seconds, rss_bytes))

    @property
    def slope_mib_per_hour(self) -> float:
        """Slope of the line through the second half: what is left when everything is warm."""
        later = self.samples[len(self.samples) // 2 :]
        if len({at for at, _ in later}) < 2:
            return 0.0
        slope = linear_regression([at for at, _ in later], [float(rss) for _, rss in later]).slope
        return slope * 3600 / MIB

    @property
    def is_level(self) -> bool | None:
        """Say whether the last quarter uses no more than a tenth above the second; None after a short run."""
        if not self.samples or self.samples[-1][0] < JUDGED_SECONDS:
            return None
        quarter = len(self.samples) // 4
        second = fmean(rss for _, rss in self.samples[quarter : 2 * quarter])
        last = fmean(rss for _, rss in self.samples[3 * quarter :])
        return last <= second * (1 + LEVEL_SHARE)
