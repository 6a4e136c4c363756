"""Networks behind a lock: nothing changes but that one thread works at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import torch

from seglift.motion.estimator import wants_previous
from seglift.workflows.synthesize.take_turns import TurnTakingEstimator, TurnTakingModel


class Busy:
    """Notes how many threads were inside at once."""

    space_classes = ("a", "b")
    wants_previous = True

    def __init__(self):
        self.inside = self.most = 0

    def work(self, *given):
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.002)
        self.inside -= 1
        return given

    __call__ = logits = features = work


def test_one_at_a_time():
    busy, lock = Busy(), threading.Lock()
    estimator, model = TurnTakingEstimator(busy, lock), TurnTakingModel(busy, lock)
    one = torch.zeros(1)
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call, one) for _ in range(10) for call in (model.logits, model.features)]
        calls += [pool.submit(estimator, one, one, one) for _ in range(10)]
        results = [call.result() for call in calls]
    assert busy.most == 1 and results[0] == (one,) and results[-1] == (one, one, one)


def test_what_is_behind_shows():
    assert TurnTakingModel(Busy(), threading.Lock()).space_classes == ("a", "b")
    assert wants_previous(TurnTakingEstimator(Busy(), threading.Lock()))
    assert not wants_previous(TurnTakingEstimator(lambda *_: None, threading.Lock()))
