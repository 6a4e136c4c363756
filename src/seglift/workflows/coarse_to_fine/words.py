"""The data and settings of coarse-to-fine rounds in words, for the dry run and the report."""

from __future__ import annotations

from seglift.base.counts import counted
from seglift.workflows.coarse_to_fine.data import CoarseData, Drawn
from seglift.workflows.coarse_to_fine.plan import CoarsePlan
from seglift.workflows.coarse_to_fine.recipe import CoarseToFineRounds


def describe_network(plan: CoarsePlan) -> str:
    """What is trained, and from which weights."""
    start = plan.recipe.values.get("start")
    begins = "random weights" if start is None else f"weights from {start}"
    return f"{plan.network.name}, {(plan.network.parameters or 0) / 1e6:.2f} M parameters, {begins}"


def describe_drawn(drawn: Drawn) -> str:
    """How many images of a source are used, where it lies, what becomes of its labels and classes."""
    opened = drawn.opened
    given = opened.given
    parts = [f"{len(drawn.items)} of {len(opened.labelled)} of {opened.source.called} {given.split} at {given.root}"]
    if opened.source.images is not None:
        parts.append(f"the first of a list of {len(opened.source.images)}")
    if opened.simulate is not None:
        parts.append(f"made of fine labels, {100 * opened.simulate:.1f} % of whose pixels stay labelled")
    if opened.source.classes:
        parts.append(", ".join(f"{name} becomes {other or 'void'}" for name, other in opened.source.classes.items()))
    if opened.ignored:
        parts.append(f"classes ignored: {', '.join(opened.ignored)}")
    if opened.missing:
        parts.append(f"never labelled there: {', '.join(opened.missing)}")
    return "; ".join(parts)


def describe_mixing(recipe: CoarseToFineRounds, data: CoarseData) -> str:
    """What is done with synthetic images."""
    if not recipe.synthetic:
        return "none"
    mix, parts = recipe.mix, []
    if mix is not None and mix.probability:
        where = "in place of them" if mix.replace else "added to the batch"
        parts.append(
            f"{mix.probability:.0%} of real views mixed ({where}), each class with {mix.class_probability:.0%}"
            f" of any of {counted(data.num_pool, 'image')}"
        )
    if recipe.boundary is not None and recipe.boundary_weight:
        parts.append(f"{recipe.boundary_weight:g} x boundary loss")
    if recipe.match_colors:
        parts.append(f"{recipe.match_colors:.0%} in the colours of a real view")
    if recipe.synthetic_share is not None:
        parts.append(f"{recipe.synthetic_share:.0%} of the views")
    return ", ".join(parts) or "learned from, nothing more"
