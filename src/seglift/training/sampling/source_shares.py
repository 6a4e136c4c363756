"""How the draws of an epoch are shared among sources."""

from __future__ import annotations

from collections.abc import Sequence

from seglift.base.errors import UserError

_TOLERANCE = 1e-6


def resolve_quotas(names: Sequence[str], quotas: Sequence[float | None], sizes: Sequence[int]) -> list[float]:
    """The share of each source; together 1. Sources without a quota share what the others leave, by their sizes.

    Args:
        names: of the sources, for messages.
        quotas: share of each, 0..1, or None.
        sizes: number of items of each, at least 1.

    Raises:
        UserError: quotas outside 0..1, above 1 together, below 1 where no source takes the rest, or 1 where one should.
    """
    listed = " + ".join(f"{quota:g} ({name})" for name, quota in zip(names, quotas, strict=True) if quota is not None)
    for name, quota in zip(names, quotas, strict=True):
        if quota is not None and not 0 <= quota <= 1:
            raise UserError(f"the quota of {name} is {quota:g}, expected 0..1; change it")
    rest = 1.0 - sum(quota for quota in quotas if quota is not None)
    if rest < -_TOLERANCE:
        raise UserError(f"quotas {listed} add up to {1 - rest:g}, at most 1 is possible; lower them")
    open_size = sum(size for size, quota in zip(sizes, quotas, strict=True) if quota is None)
    if rest > _TOLERANCE and open_size == 0:
        raise UserError(f"quotas {listed} add up to {1 - rest:g}, expected 1; raise them or leave one source without")
    if rest <= _TOLERANCE and open_size > 0:
        without = ", ".join(name for name, quota in zip(names, quotas, strict=True) if quota is None)
        raise UserError(f"quotas {listed} leave nothing for {without}; lower them, or give each source a quota")
    shares = [
        quota if quota is not None else rest * size / open_size for quota, size in zip(quotas, sizes, strict=True)
    ]
    return [share / sum(shares) for share in shares]


def round_shares(shares: Sequence[float], size: int) -> list[int]:
    """Whole numbers that add up to ``size``, each within 1 of ``share * size``: the largest remainders are rounded up.

    Args:
        shares: of each source, together 1.
        size: draws of the epoch.
    """
    exact = [share * size for share in shares]
    counts = [int(value + _TOLERANCE) for value in exact]
    by_remainder = sorted(range(len(shares)), key=lambda number: counts[number] - exact[number])
    for number in by_remainder[: size - sum(counts)]:
        counts[number] += 1
    return counts
