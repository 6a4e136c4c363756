"""OUT of ``seglift coarse2fine``: whose it is, where it may lie."""

from __future__ import annotations

from pathlib import Path

from seglift.base.errors import UserError
from seglift.workflows.coarse_to_fine.data import COARSE
from seglift.workflows.coarse_to_fine.plan import CoarsePlan
from seglift.workflows.coarse_to_fine.recipe import COMMAND
from seglift.workflows.coarse_to_fine.report import REPORT
from seglift.workflows.outputs.folder import OutputFolder, OutputKind
from seglift.workflows.rounds.results import ROUNDS_CSV, ROUNDS_JSON
from seglift.workflows.rounds.shared_stages import ENTRY
from seglift.workflows.train.folder import INDEX

RECIPE = "recipe.yaml"


def rounds_output(plan: CoarsePlan, out: Path) -> OutputFolder:
    """OUT as a folder that may be continued.

    Args:
        plan: of the rounds.
        out: need not exist.

    Raises:
        UserError: it holds or lies in a folder of the data.
    """
    place = out.resolve()
    for folder in plan.sources.roots.values():
        data = folder.resolve()
        if data.is_relative_to(place) or (data.is_dir() and place.is_relative_to(data)):
            how = "is" if data == place else "holds" if data.is_relative_to(place) else "lies in"
            raise UserError(
                f"--out {out} {how} the data at {folder}, expected a folder for the rounds alone; choose another --out"
            )
    seeds = tuple(path.name for path in out.glob("seed_*") if path.is_dir()) if out.is_dir() else ()
    files = (ROUNDS_JSON, ROUNDS_CSV, REPORT, RECIPE)
    return OutputFolder(out, plan.identity(), OutputKind(COMMAND, "rounds", (*seeds, COARSE, INDEX), files, ENTRY))
