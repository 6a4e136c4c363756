"""Finished frames on their way to disk."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

from seglift.base.errors import UserError
from seglift.base.progress import ProgressBar
from seglift.base.threads import worker_count
from seglift.workflows.outputs.stage_timing import Timing

RESULTS_WAITING = 4

Result = TypeVar("Result")
Result_contra = TypeVar("Result_contra", contravariant=True)


class FrameOutput(Protocol[Result_contra]):
    """An output folder that holds files and a journal entry for every frame."""

    def write_frame(self, stem: str, result: Result_contra, entry: dict[str, Any]) -> dict[str, Any]:
        """Writes the files of one frame, then its journal entry, which it returns with ``stem`` in it."""


class FrameWriter(Generic[Result]):
    """Writes results in the background, a bounded number waiting; errors come up in the submitting thread."""

    def __init__(
        self, output: FrameOutput[Result], entries: dict[str, dict[str, Any]], bar: ProgressBar, timing: Timing
    ) -> None:
        self.output, self.entries, self.bar, self.timing = output, entries, bar, timing
        self._pool = ThreadPoolExecutor(worker_count(), thread_name_prefix="write")
        self._pending: list[Future[dict[str, Any]]] = []

    def __enter__(self) -> FrameWriter[Result]:
        return self

    def submit(self, stem: str, result: Result, entry: dict[str, Any]) -> None:
        """Queues one frame; waits while too many are queued."""
        self._pending.append(self._pool.submit(self.output.write_frame, stem, result, entry))
        while len(self._pending) > RESULTS_WAITING:
            self._collect()

    def flush(self) -> None:
        """Waits until everything queued is on disk."""
        while self._pending:
            self._collect()

    def _collect(self) -> None:
        with self.timing.stage("wait for writing"):
            entry = self._pending.pop(0).result()
        self.entries[entry["stem"]] = entry
        self.bar.advance()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None or issubclass(kind, (UserError, KeyboardInterrupt)):
                self.flush()  # what is finished stays
        finally:
            self._pool.shutdown(wait=True)
