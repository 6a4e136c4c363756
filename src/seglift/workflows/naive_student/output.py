"""OUT of ``seglift selftrain``: whose it is, where it may lie."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.workflows.input_identity import model_path
from seglift.workflows.naive_student.plan import SelftrainPlan
from seglift.workflows.naive_student.recipe import COMMAND
from seglift.workflows.naive_student.report import REPORT
from seglift.workflows.outputs.folder import OutputFolder, OutputKind
from seglift.workflows.rounds.results import ROUNDS_CSV, ROUNDS_JSON
from seglift.workflows.rounds.shared_stages import ENTRY
from seglift.workflows.train.folder import INDEX

RECIPE = "recipe.yaml"


def rounds_output(plan: SelftrainPlan, out: Path) -> OutputFolder:
    """OUT as a folder that may be continued.

    Args:
        plan: of the rounds.
        out: need not exist.

    Raises:
        UserError: it holds or lies in a folder of the data, holds the weights of the teacher, or these cannot be read.
    """
    _check_place(plan, out)
    seeds = tuple(path.name for path in out.glob("seed_*") if path.is_dir()) if out.is_dir() else ()
    files = (ROUNDS_JSON, ROUNDS_CSV, REPORT, RECIPE)
    kind = OutputKind(COMMAND, "rounds", (*seeds, INDEX), files, ENTRY)
    return OutputFolder(out, plan.identity(), kind)


def _check_place(plan: SelftrainPlan, out: Path) -> None:
    place = out.resolve()
    for folder in plan.sources.roots.values():
        data = folder.resolve()
        if data.is_relative_to(place) or (data.is_dir() and place.is_relative_to(data)):
            how = "is" if data == place else "holds" if data.is_relative_to(place) else "lies in"
            raise UserError(
                f"--out {out} {how} the data at {folder}, expected a folder for the rounds alone; choose another --out"
            )
    teacher = plan.recipe.teacher
    weights = model_path(teacher) if isinstance(teacher, str) else None
    if weights is not None and weights.resolve().is_relative_to(place):
        raise UserError(
            f"the teacher {teacher} is --out {out} or lies in it, where it could be overwritten; choose another --out"
        )
