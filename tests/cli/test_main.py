"""The program as a whole: help, what it imports, how it ends."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seglift import __version__
from seglift.cli.main import COMMANDS


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_answers_at_once():
    code = "from seglift.cli.main import main; main(['--help'])"
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        done = python(code)
        seconds.append(time.perf_counter() - begin)
    assert done.returncode == 0 and all(name in done.stdout for name in COMMANDS)
    assert min(seconds) < 0.5, seconds


@pytest.mark.parametrize("words", [["--help"], ["label", "--help"], ["score", "--help"], ["synthesize", "--help"]])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys\nfrom seglift.cli.main import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'cv2', 'timm', 'av', 'PIL', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "sys.stderr.write(' '.join(sorted(heavy)))"
    )
    done = python(code)
    assert done.stderr == "" and "usage: seglift" in done.stdout


def test_help_of_label_names_every_option(run):
    text = run("label", "--help").out
    for option in (
        "method", "motion", "model", "refiner", "direction", "resample", "out-of-view", "tau", "settings",
        "max-distance", "frames", "ground-truth", "model-steps", "model-minutes", "device", "seed", "overwrite",
        "dry-run", "labels", "space", "out",
    ):  # fmt: skip
        assert f"--{option}" in text


def test_version(run):
    ran = run("--version")
    assert ran.status == 0 and ran.out == f"seglift {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "COMMAND"),
        (["lable"], "label"),
        (["label"], "--labels"),
        (["label", "x", "--labels", "y", "--out", "z"], "--space"),
        (["label", "x", "--labels", "y", "--space", "binary", "--out", "z", "--seed", "one"], "--seed"),
        (["label", "x", "--labels", "y", "--space", "binary", "--out", "z", "--colour"], "--colour"),
        (["score", "x"], "GT"),
    ],
)
def test_wrong_words(run, words, told):
    error = run(*words).error
    assert told in error and "--help" in error


def test_one_line_on_stderr_in_a_real_process(clip, words, tmp_path):
    """Libraries do not add their warnings to it."""
    (tmp_path / "model.pth").write_bytes(pickle.dumps({"weights": 1}))
    program = "import sys; from seglift.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *words(clip, tmp_path / "out", "--motion", f"raft:{tmp_path}/model.pth")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("seglift: error: ") and done.stderr.count("\n") == 1


def test_the_installed_program():
    program = Path(sys.executable).parent / "seglift"
    if not program.exists():
        pytest.skip("seglift is not installed beside this Python")
    done = subprocess.run([program, "label"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("seglift: error: ") and done.stderr.count("\n") == 1
