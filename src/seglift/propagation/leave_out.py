"""A keyframe as if it were not labelled: what its neighbours' labels, carried to it, would make of it.

The errors are true ones, since a human drew what is right; but they come over a whole gap between keyframes, farther
than labels are carried in use.
"""

from __future__ import annotations

from seglift.propagation.spill import Spill
from seglift.propagation.state import Propagated
from seglift.propagation.traverse import Gap, Walker


def carried_to(walker: Walker, source: int, target: int, spill: Spill) -> Propagated | None:
    """Labels of one keyframe, carried to another frame.

    Args:
        walker: of the clip.
        source: index of the keyframe that labels come from.
        target: index of another frame of its scene, on either side.
        spill: where the walk keeps its checkpoints; cleared.

    Returns:
        The state on ``target``, observed; None where ``walker`` does not go that way or not that far.

    Raises:
        UserError: a frame cannot be read, or the estimator gave NaN.
    """
    forward = source < target
    gap = Gap(source, None, source + 1, target + 1) if forward else Gap(None, source, target, source)
    others = frozenset(range(gap.start, gap.stop)) - {target}
    found = [sides.earlier if forward else sides.later for sides in walker.walk(gap, spill, others)]
    spill.clear()
    return found[0]
