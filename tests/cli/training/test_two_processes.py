"""``seglift train`` in two processes, as torchrun starts them."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys

import pytest
import yaml


@pytest.fixture(scope="module")
def two(shapes, recipe_values, tmp_path_factory):
    """What two processes say and leave, on labels mapped to another space."""
    folder = tmp_path_factory.mktemp("two")
    other = {**yaml.safe_load((shapes / "space.yaml").read_text()), "name": "other"}
    other["classes"] = [{**entry, "train_id": 255} if entry["name"] == "box" else entry for entry in other["classes"]]
    (folder / "space.yaml").write_text(yaml.safe_dump(other))
    values = recipe_values(space=str(folder / "space.yaml"), epoch_size=8, balanced=0.5)
    values["fit"] = {"steps": 4, "validate_every": 2, "checkpoint_every": 2, "tensorboard": False}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", port, "-m", "seglift"]
    words = ["train", folder / "recipe.yaml", "--root", shapes, "--out", folder / "out", "--device", "cpu"]
    ran = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *map(str, [*launch, *words])],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    return ran, folder / "out"


def test_one_of_them_speaks(two):
    ran, _ = two
    assert ran.stdout.count("mIoU") == 1
    assert ran.stdout.count("weights:") == 1
    assert ran.stderr.count("labels of folder become those of other by name") == 2
    assert ran.stderr.count("class index of folder train") == 1
    assert "error" not in ran.stderr


def test_one_of_them_writes(two):
    _, out = two
    assert (out / "lock").exists()
    assert len(list((out / "class_index").glob("*.safetensors"))) == 1
    assert not list(out.glob(".*.part"))
    assert json.loads((out / "scores.json").read_text())["frames"] == 3


def test_their_shares_of_the_validation_add_up(two):
    _, out = two
    rows = [row for row in csv.DictReader((out / "metrics.csv").open()) if row["miou"]]
    assert [row["step"] for row in rows] == ["2", "4"]
    miou = json.loads((out / "scores.json").read_text())["miou"]
    assert max(float(row["miou"]) for row in rows) == pytest.approx(miou, abs=1e-4)
