"""Networks behind a lock: nothing changes but that one thread works at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import torch

from seglift.motion.estimator import wants_previous
from seglift.propagation.refiner import Refiner
from seglift.workflows.synthesize.take_turns import TurnTakingEstimator, TurnTakingModel
from seglift.workflows.synthesize.take_turns_refining import TurnTakingRefiner


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


def test_a_refiner_asks_its_model_during_its_own_turn():
    busy, lock = Busy(), threading.RLock()
    busy.network = lambda *given: torch.zeros(1, *busy.work(*given)[0].shape)
    refiner = TurnTakingRefiner.of(Refiner(busy.network, TurnTakingModel(busy, lock), None, {}), lock)
    one = torch.zeros(1)
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(refiner.logits, one, one, one) for _ in range(10)]
        assert all(call.result().shape == (1, 1) for call in calls)
    assert busy.most == 1


def test_what_is_behind_shows():
    assert TurnTakingModel(Busy(), threading.Lock()).space_classes == ("a", "b")
    assert wants_previous(TurnTakingEstimator(Busy(), threading.Lock()))
    assert not wants_previous(TurnTakingEstimator(lambda *_: None, threading.Lock()))
