"""Fine labels that cannot be read and are to be made coarse."""

from __future__ import annotations

import shutil

import pytest

from seglift.cli.main import main

OWN = {"dataset": "folder", "name": "own", "simulate": 0.92}


@pytest.mark.parametrize("count", [10, 6])
def test_they_are_named_or_left_out(write, town, words, tmp_path, capsys, count):
    own, out = shutil.copytree(town, tmp_path / "own"), tmp_path / "out"
    path = own / "labels" / "train" / "03.png"
    path.write_bytes(path.read_bytes()[:60])
    names = ["03", "01", "05", "07", "02", "08", "00", "04", "06", "09"]
    recipe = write(coarse=[{**OWN, "count": count, "images": names}], synthetic=[], rounds=2)
    given = words(recipe, out, "--root", f"own={own}")
    assert main(given) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "03.png" in said and "--skip-corrupt leaves such images out" in said and not out.exists()
    assert main([*given, "--skip-corrupt"]) == 0
    said = capsys.readouterr().err
    stages = 4 if count == 10 else 5
    assert "unreadable labels left out: 1, listed in" in said and f"stage {stages} of {stages}" in said
    assert "03.png" in (out / "coarse/own/skipped.txt").read_text()
    assert len(list((out / "coarse/own/labels/train").iterdir())) == 9
    manifest = out / "seed_0/round_1/filled/manifest.jsonl"
    assert len(manifest.read_text().splitlines()) == count - 1
    assert main([*given, "--skip-corrupt"]) == 0
    assert "stage" not in capsys.readouterr().err


def test_not_one_of_those_that_are_used(write, town, words, tmp_path, capsys):
    own, out = shutil.copytree(town, tmp_path / "own"), tmp_path / "out"
    path = own / "labels" / "train" / "03.png"
    path.write_bytes(path.read_bytes()[:60])
    recipe = write(coarse=[{**OWN, "count": 1, "images": ["03"]}], synthetic=[], rounds=1)
    assert main([*words(recipe, out, "--root", f"own={own}"), "--skip-corrupt"]) == 2
    assert "are void everywhere" in capsys.readouterr().err.splitlines()[-1]
