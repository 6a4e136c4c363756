"""Killed or interrupted at any moment, then the same command: the same bytes as an undisturbed run."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest


def finished_files(out):
    folder = out / "labels"
    return len(list(folder.glob("[!.]*.png"))) if folder.is_dir() else 0


STAGES = {
    "begun": lambda out: out.exists(),
    "first pass": lambda out: any((out / ".seglift").glob("gap-*/left-*")),
    "some frames": lambda out: finished_files(out) >= 6,
    "half the frames": lambda out: finished_files(out) >= 12,
    "reporting": lambda out: (out / "frames.jsonl").exists(),
}


@pytest.fixture(scope="module", autouse=True)
def heed_interrupts() -> Iterator[None]:
    """Programs started in the background of a shell ignore Ctrl-C, and so would what these tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def long(tmp_path_factory, build_clip):
    return build_clip(tmp_path_factory.mktemp("long"), 24, keyframes=(0, 4, 20))


@pytest.fixture(scope="module")
def undisturbed(long, words, start, tree, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    start(words(long, out, "--ground-truth", long.truth)).wait().done()
    return tree(out)


@pytest.fixture
def same_again(long, undisturbed, words, start, tree, tmp_path):
    """The same command to the end."""

    def finish(out):
        start(words(long, out, "--ground-truth", long.truth)).wait().done()
        assert tree(out) == undisturbed
        assert not [path for path in out.rglob("*") if path.name.endswith(".part")]
        assert not list((out / ".seglift").glob("gap-*"))

    return finish


@pytest.mark.parametrize("stage", STAGES)
def test_killed(long, words, start, same_again, tmp_path, stage):
    out = tmp_path / "out"
    ran = start(words(long, out, "--ground-truth", long.truth)).stop_when(lambda: STAGES[stage](out), signal.SIGKILL)
    assert ran.status == -signal.SIGKILL
    assert not (out / "timing.json").exists()
    same_again(out)


@pytest.mark.parametrize("seed", range(2))
def test_killed_again_and_again(long, words, start, same_again, tmp_path, seed):
    out, moments = tmp_path / "out", random.Random(seed)
    for _ in range(4):
        until = time.monotonic() + moments.uniform(0.02, 0.5)
        started = start(words(long, out, "--ground-truth", long.truth))
        started.stop_when(lambda until=until: time.monotonic() > until, signal.SIGKILL)
    same_again(out)


def test_killed_while_training(clip, words, start, tree, tmp_path):
    """A training goes on from its last checkpoint; what is trained and labelled does not tell of the kill."""
    more = ("--method", "inpaint", "--model-steps", 8)
    start(words(clip, tmp_path / "undisturbed", *more)).wait().done()
    out = tmp_path / "out"
    model = out / ".seglift/model"
    for name in ("trained_on.json", "checkpoint.safetensors", "best.safetensors"):
        ran = start(words(clip, out, *more)).stop_when((model / name).exists, signal.SIGKILL)
        assert ran.status == -signal.SIGKILL
    start(words(clip, out, *more)).wait().done()
    assert tree(out) == tree(tmp_path / "undisturbed")
    weights = ".seglift/model/best.safetensors"
    assert (out / weights).read_bytes() == (tmp_path / "undisturbed" / weights).read_bytes()


@pytest.mark.parametrize("stage", ["begun", "first pass", "some frames"])
def test_interrupted(long, words, start, same_again, tmp_path, stage):
    out = tmp_path / "out"
    ran = start(words(long, out, "--ground-truth", long.truth)).stop_when(lambda: STAGES[stage](out), signal.SIGINT)
    assert ran.status == 130 and ran.out == ""
    assert ran.err == "seglift: interrupted; what is finished stays, run the same command again to go on\n"
    same_again(out)


def test_interrupted_while_training(clip, words, start, tmp_path):
    out = tmp_path / "out"
    reached = out / ".seglift/model/checkpoint.safetensors"
    more = ("--method", "inpaint", "--model-steps", 500)
    ran = start(words(clip, out, *more)).stop_when(reached.exists, signal.SIGINT)
    assert ran.status == 130 and "Traceback" not in ran.err and "run the same command again" in ran.err
    assert reached.exists()


def test_interrupted_while_libraries_are_imported(clip, words, tmp_path):
    """Python may swallow an interrupt or print it inside a callback of an import; out of a few tries one is clean."""
    code = "import sys; from seglift.cli.main import main; sys.stderr.write('.'); sys.exit(main())"
    seen = []
    for attempt in range(5):
        program = [sys.executable, "-c", code, *words(clip, tmp_path / f"out{attempt}")]
        with subprocess.Popen(program, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            assert process.stderr.read(1) == "."
            time.sleep(0.2 + 0.1 * attempt)
            process.send_signal(signal.SIGINT)
            told = process.stderr.read()
        seen.append((process.returncode, "Traceback" in told, "interrupted" in told))
        if seen[-1] == (130, False, True):
            return
    pytest.fail(f"no try ended cleanly: {seen}")
