"""Whether a refiner helps: labels that came back to held-out frames, before and after it, against what a human drew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from seglift.base.ahead import work_ahead
from seglift.base.errors import UserError
from seglift.base.files import fingerprint_values
from seglift.base.progress import ProgressBar
from seglift.base.seeding import numpy_generator
from seglift.inference.semantic_model import SemanticModel
from seglift.labels.space import IGNORE_TRAIN_ID, Array8, LabelSpace
from seglift.metrics.confusion import Confusion
from seglift.models.refiner import RefinerNetwork
from seglift.propagation.cycle import CYCLE, KEYFRAME
from seglift.propagation.refiner import Refiner
from seglift.training.loop.processes import sum_over_processes, this_process
from seglift.training.loop.task import Part
from seglift.training.refining.planned import Return
from seglift.training.refining.returns_cache import ReturnedFrame, ReturnsCache


@dataclass(frozen=True)
class BeforeAfter:
    """Labels as they came back and as they were refined, against the human's, pooled over pixels.

    Attributes:
        before: of the labels that came back.
        after: of the refined ones.
        pairs: how many labellings were looked at.
    """

    before: Confusion
    after: Confusion
    pairs: int

    @classmethod
    def empty(cls, num_classes: int) -> BeforeAfter:
        """Nothing looked at yet."""
        return cls(Confusion.empty(num_classes), Confusion.empty(num_classes), 0)

    def __add__(self, other: BeforeAfter) -> BeforeAfter:
        return BeforeAfter(self.before + other.before, self.after + other.after, self.pairs + other.pairs)


class HeldOutReturns:
    """Labellings that came back to held-out frames, looked at whole.

    Args:
        returns: held-out data, made.
        most: most labellings that are looked at, drawn once; of each kind half of them where there are both.
        space: label space of the labels.
        model: the frozen segmentation model with its settings around it, as ``label`` uses it.
    """

    def __init__(self, returns: ReturnsCache, most: int, space: LabelSpace, model: SemanticModel) -> None:
        self.returns, self.space, self.model = returns, space, model
        every = [(number, one) for number, frame in enumerate(returns.frames) for one in frame.returns]
        kinds = [[entry for entry in every if entry[1].kind == kind] for kind in (CYCLE, KEYFRAME)]
        there = [entries for entries in kinds if entries]
        self.chosen = [entry for entries in there for entry in _some(entries, max(1, most // len(there)))]

    @property
    def judged_by(self) -> str:
        """The kind whose errors choose the best weights: labelled neighbours' where there are any, they are true."""
        return KEYFRAME if any(one.kind == KEYFRAME for _, one in self.chosen) else CYCLE

    def scores(self, network: RefinerNetwork, device: torch.device) -> dict[str, float]:
        """``miou`` (0..1) of the refined labels; of several processes each does a share.

        Raises:
            UserError: a file cannot be read, or no pixel has a label.
        """
        part = this_process()
        kind = self.judged_by
        total = self.compare(network, device, part, kind=kind).get((kind, 0))
        counts = np.zeros((self.space.num_train, self.space.num_train + 1)) if total is None else total.after.counts
        pooled = sum_over_processes(torch.from_numpy(np.asarray(counts, np.int64)).to(device)).cpu().numpy()
        if not pooled.any():
            raise UserError("no validation image has a labelled pixel, expected some; look at val")
        return {"miou": Confusion(pooled).miou()}

    def compare(
        self, network: RefinerNetwork, device: torch.device, part: Part, title: str = "", kind: str | None = None
    ) -> dict[tuple[str, int], BeforeAfter]:
        """Before and after the network, by kind and length, and under length 0 all of a kind.

        Args:
            network: on ``device``; put in evaluation mode.
            device: where to work.
            part: which share of the labellings to look at.
            title: what a progress bar says; none is shown without.
            kind: look at this one alone.

        Raises:
            UserError: a file cannot be read.
        """
        network.eval()
        refiner = Refiner(network, self.model, self.space, {})
        chosen = [entry for entry in self.chosen if kind in (None, entry[1].kind)]
        own = chosen[part.index :: part.count]
        found: dict[tuple[str, int], BeforeAfter] = {}
        empty = BeforeAfter.empty(self.space.num_train)
        with ProgressBar(len(own), title, "labellings", quiet=not title) as bar:
            for which, frame in zip(
                own, work_ahead(lambda entry: self.returns.read(*entry), own, workers=1), strict=True
            ):
                one = self._one(refiner, frame, device)
                for length in (0, which[1].length):
                    key = (which[1].kind, length)
                    found[key] = found.get(key, empty) + one
                bar.advance()
        return found

    def _one(self, refiner: Refiner, frame: ReturnedFrame, device: torch.device) -> BeforeAfter:
        counted = BeforeAfter.empty(self.space.num_train)
        train = torch.from_numpy(frame.carried)[None].to(device)
        logits = refiner.logits(train, _tensor(frame.warped, device), _tensor(frame.image, device))
        refined = logits.argmax(1)[0].to(torch.uint8).cpu().numpy()
        refined[refined == self.space.num_train] = IGNORE_TRAIN_ID
        counted.before.update(frame.carried, frame.label)
        counted.after.update(refined, frame.label)
        return replace(counted, pairs=1)

    def fingerprint(self) -> str:
        """Of frames, labels and which of them are looked at."""
        chosen = [(number, one.kind, one.side, one.length) for number, one in self.chosen]
        return fingerprint_values(self.returns.fingerprint(), chosen)


def _some(entries: list[tuple[int, Return]], most: int) -> list[tuple[int, Return]]:
    """At most so many of them, drawn once and for all, in their order."""
    if len(entries) <= most:
        return entries
    drawn = numpy_generator(0, "held-out labellings").choice(len(entries), most, replace=False)
    return [entries[index] for index in sorted(drawn.tolist())]


def _tensor(picture: Array8, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].to(device)
