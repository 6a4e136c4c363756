from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
import yaml

from seglift.base.errors import UserError
from seglift.datasets.catalogue import DATASETS, option_types
from seglift.inference.panoptic.model import SEEN_WHOLE
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.labels.space_file import get_space
from seglift.losses.panoptic import PanopticLossConfig
from seglift.models.published import LAYOUTS
from seglift.models.zoo import build, build_panoptic, build_refiner
from seglift.propagation.cycle import ReturnConfig
from seglift.training.sampling.source_shares import resolve_quotas
from seglift.training.starts.pretrained_encoder import pretrained_encoder
from seglift.training.starts.same_network import check_same_network
from seglift.workflows.naive_student.recipe import SelftrainRecipe
from seglift.workflows.recipes.overrides import parse_overrides, parse_roots, with_overrides
from seglift.workflows.recipes.recipe import parse_recipe, plain_values, read_yaml
from seglift.workflows.study.recipe import read_study
from seglift.workflows.train.recipe import PanopticTrainRecipe, TrainRecipe
from seglift.workflows.train.refiner_recipe import RefinerTrainRecipe

RECIPES = Path(__file__).parents[3] / "recipes"
KINDS = {
    path: read_yaml(path).get("kind", "segmentation")
    for path in sorted(RECIPES.rglob("*.yaml"))
    if "studies" not in path.parts
}
TRAININGS = [path for path, kind in KINDS.items() if kind == "segmentation"]
LEAST = {"train": [{"dataset": "camvid"}]}


def parse(values):
    return parse_recipe(values, TrainRecipe, "x.yaml")


def test_defaults_of_inner_parts_stay_where_only_some_values_are_given():
    recipe = parse({**LEAST, "fit": {"steps": 7}})
    assert recipe.fit.steps == 7
    assert recipe.fit.average == TrainRecipe(train=recipe.train).fit.average
    assert recipe.train[0].split == "train"


def test_what_is_written_beside_the_weights_reads_back_as_the_same_recipe():
    recipe = parse(
        {**LEAST, "val": {"dataset": "camvid", "split": "val"}, "crop": [64, 80], "fit": {"betas": [0.8, 0.9]}}
    )
    assert parse(yaml.safe_load(yaml.safe_dump(plain_values(recipe)))) == recipe


@pytest.mark.parametrize("number", [0, -1])
def test_impossible_values_of_a_part_that_may_be_null(number):
    values = {"teacher": {}, "student": {}, "labelled": [{"dataset": "a"}], "unlabelled": [{"dataset": "b"}]}
    with pytest.raises(UserError, match=rf"^x\.yaml: fine_tune.learning_rate_factor is {number}\.0, expected above 0$"):
        parse_recipe({**values, "fine_tune": {"learning_rate_factor": number}}, SelftrainRecipe, "x.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fit": {"stepz": 3}}, "unknown name fit.stepz; did you mean fit.steps"),
        ({"train": [{"datset": "camvid"}]}, "train[0].datset; did you mean train[0].dataset"),
        ({"val": {"dataset": "camvid", "splt": "val"}}, "did you mean val.split"),
        ({"zebra": 1}, "unknown name zebra"),
        ({"fit": {"steps": "many"}}, "steps"),
        ({"fit": {"steps": 1.5}}, "1.5"),
        ({"fit": {"steps": 0}}, "steps is 0"),
        ({"crop": [64]}, "crop"),
        ({"train": []}, "no data to train on"),
        ({"train": [{"dataset": "camvid", "quota": 1.5}]}, "quota of camvid is 1.5"),
        ({"train": [{"dataset": "a", "quota": 0.7}, {"dataset": "b", "quota": 0.6}]}, "add up to 1.3"),
        ({"train": [{"dataset": "a"}, {"dataset": "a"}]}, "twice"),
        ({"balanced": 2}, "balanced is 2"),
        ({"epoch_size": 1}, "epoch_size is 1"),
        ({"tile": 1}, "tile is 1"),
        ({"kind": "panopticum"}, "kind"),
        ({"evaluation": {"scales": []}}, "scales"),
        ({"loss": {"name": "hinge"}}, "hinge"),
        ({"fit": None}, "fit is null, expected names with values"),
        ({"fit": {"steps": None}}, "fit.steps is null, expected a whole number"),
        ({"fit": {"optimizer": "lion"}}, "fit.optimizer is lion, expected one of adam, adamw, muon, sgd"),
        ({"train": "camvid"}, "train is camvid, expected a list"),
        ({"train": ["camvid"]}, "train[0] is camvid, expected names with values"),
        ({"train": [None]}, "train[0] is null, expected names with values"),
        ({"train": [{}]}, "train[0] lacks dataset"),
        ({"train": [{"dataset": "camvid", "split": 3}]}, "train[0].split is 3, expected text"),
        ({"train": [{"dataset": "camvid", "quota": "many"}]}, "train[0].quota is many, expected a number or null"),
        ({"val": "camvid"}, "val is camvid, expected names with values or null"),
        ({"val": {"dataset": "camvid"}}, "val lacks split"),
        ({"val": {"dataset": "camvid", "split": "val", "quota": 0.5}}, "unknown name val.quota"),
        ({"val": {"dataset": "camvid", "split": "val", "joins": "x"}}, "unknown name val.joins"),
        ({"test": {"dataset": "camvid", "split": "test", "until_epoch": 3}}, "unknown name test.until_epoch"),
        ({"test": {"dataset": "camvid", "split": "test", "centroid_classes": []}}, "test.centroid_classes"),
        ({"evaluation": {"short_side": "x"}}, "expected a whole number or one of model, image"),
        ({"network": "compact_unet"}, "network is compact_unet, expected names with values"),
        ({"batch": True}, "batch is true, expected a whole number"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line_that_names_file_and_value(change, said):
    with pytest.raises(UserError) as caught:
        parse({**LEAST, **change})
    text = str(caught.value)
    assert text.startswith("x.yaml: ")
    assert said in text
    assert "\n" not in text
    assert not any(word in text for word in ("class_path", "<class", "<function", "0x", "typing"))


def test_overrides_reach_into_nested_values_and_leave_the_original_alone():
    values = {"fit": {"steps": 1, "seed": 2}, "crop": [1, 2]}
    changed = with_overrides(values, parse_overrides(["fit.steps=9", "network.architecture=x", "crop=[3, 4]"]))
    assert changed == {"fit": {"steps": 9, "seed": 2}, "crop": [3, 4], "network": {"architecture": "x"}}
    assert values == {"fit": {"steps": 1, "seed": 2}, "crop": [1, 2]}


@pytest.mark.parametrize("word", ["fit.steps", "=3", "a=[1"])
def test_overrides_that_say_nothing_are_refused(word):
    with pytest.raises(UserError, match="--set"):
        parse_overrides([word])


def test_overrides_name_entries_of_lists_by_number():
    values = {"train": [{"dataset": "a"}, {"dataset": "b", "options": {"fold": 0}}]}
    changed = with_overrides(values, parse_overrides(["train.1.options.fold=3", "train.0.split=val"]))
    assert changed == {"train": [{"dataset": "a", "split": "val"}, {"dataset": "b", "options": {"fold": 3}}]}
    assert values["train"][1]["options"] == {"fold": 0}


@pytest.mark.parametrize("name", ["crop.height", "crop.2", "crop.-1", "crop.", "batch.size"])
def test_an_override_cannot_reach_into_what_is_not_there(name):
    with pytest.raises(UserError, match=f"{name.partition('.')[0]} as a whole"):
        with_overrides({"crop": [1, 2], "batch": 3}, {name: 3})


def test_numbers_that_yaml_takes_for_text_are_numbers():
    assert parse(yaml.safe_load("train: [{dataset: camvid}]\nfit: {learning_rate: 1e-3}")).fit.learning_rate == 1e-3


def test_roots_come_with_or_without_a_name():
    assert parse_roots(["a=/x", "/y=z"]) == {"a": Path("/x"), "/y": Path("z")}
    assert parse_roots(["/data/camvid"]) == {"": Path("/data/camvid")}
    with pytest.raises(UserError, match="twice"):
        parse_roots(["a=x", "a=y"])


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", "just words"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"r\.yaml"):
        read_yaml(path)


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        read_yaml(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recipe_that_ships_names_what_exists(path):
    recipe = parse_recipe(read_yaml(path), TrainRecipe, path.name)
    for source in (*recipe.train, recipe.val, recipe.test):
        if source is not None:
            assert source.dataset in DATASETS
            assert set(source.options) <= set(option_types(source.dataset))
    with torch.device("meta"):
        network = build(recipe.network.resolved(19))
    assert network.num_classes == 19
    recipe.loss.build(None)
    classes = {name for source in recipe.train for name in source.centroid_classes or ()}
    assert classes <= set(get_space("cityscapes").train_names)
    assert replace(recipe.fit, epochs=None).resolved(10).steps >= 1


PANOPTIC = [path for path, kind in KINDS.items() if kind == "panoptic"]


@pytest.mark.parametrize("path", PANOPTIC, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_panoptic_recipe_names_what_exists(path):
    recipe = parse_recipe(read_yaml(path), PanopticTrainRecipe, path.name)
    assert {source.dataset for source in recipe.sources} <= set(DATASETS)
    with torch.device("meta"):
        network = build_panoptic(recipe.network.resolved(19))
    assert network.num_classes == 19
    classes = {name for source in recipe.train for name in source.centroid_classes or ()}
    assert classes <= set(get_space("cityscapes").train_names)
    assert parse_recipe(yaml.safe_load(yaml.safe_dump(plain_values(recipe))), PanopticTrainRecipe, "x") == recipe


@pytest.mark.parametrize(("network", "rate"), [("xception71", 1e-3), ("wideresnet41", 1e-4)])
def test_naive_students_networks_have_its_values(network, rate):
    path = RECIPES / f"naive_student2020/cityscapes_panoptic_{network}.yaml"
    recipe = parse_recipe(read_yaml(path), PanopticTrainRecipe, path.name)
    assert recipe.loss == PanopticLossConfig()
    assert recipe.segments == PanopticSettings(stuff_area=4096)
    fit = recipe.fit
    assert (fit.optimizer, fit.learning_rate, fit.weight_decay, fit.schedule, fit.power) == (
        "adam",
        rate,
        0,
        "poly",
        0.9,
    )
    assert (fit.steps, recipe.batch, recipe.crop, fit.average) == (60_000, 32, (1025, 2049), None)
    assert recipe.evaluation.max_pixels == SEEN_WHOLE == PanopticTrainRecipe(train=recipe.train).evaluation.max_pixels


def test_settings_of_a_panoptic_loss_have_the_papers_defaults():
    least = {**LEAST, "kind": "panoptic", "loss": {"sigma": 4}, "evaluation": {"flip": True}}
    recipe = parse_recipe(least, PanopticTrainRecipe, "x.yaml")
    assert recipe.loss == PanopticLossConfig(sigma=4.0)
    assert recipe.evaluation.max_pixels == SEEN_WHOLE
    assert recipe.network.architecture == "compact_panoptic"


REFINERS = [path for path, kind in KINDS.items() if kind == "refiner"]


@pytest.mark.parametrize("path", REFINERS, ids=lambda path: path.stem)
def test_every_recipe_of_a_refiner_names_what_exists(path):
    recipe = parse_recipe(read_yaml(path), RefinerTrainRecipe, path.name)
    assert {source.dataset for source in recipe.sources} <= set(DATASETS)
    with torch.device("meta"):
        network = build_refiner(recipe.network.resolved(19, 512))
    assert network.num_classes == 19
    recipe.loss.build(None, 20)
    assert replace(recipe.fit, epochs=None).resolved(10).steps >= 1


def test_the_papers_refiner_has_its_values():
    recipe = parse_recipe(read_yaml(RECIPES / "refiner/cityscapes.yaml"), RefinerTrainRecipe, "x")
    assert recipe.pairs == ReturnConfig(lengths=(1, 2, 3, 4, 5, 6), keyframes=(), tau=40, resample="recursive")
    assert (recipe.network.architecture, recipe.loss.name) == ("refiner_paper", "rmi")
    assert (recipe.fit.optimizer, recipe.fit.learning_rate, recipe.fit.average) == ("sgd", 0.01, None)


PAPERS = [path for path in TRAININGS if path.parent.name in {"zhu2019", "warp_refine2021", "das2023"}]


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_papers_average_no_weights(path):
    assert parse_recipe(read_yaml(path), TrainRecipe, path.name).fit.average is None


@pytest.mark.parametrize(
    ("recipe", "layout"),
    [
        ("zhu2019/camvid_wideresnet38", "DeepWV3Plus"),
        ("zhu2019/cityscapes_wideresnet38", "DeepWV3Plus"),
        ("zhu2019/kitti_wideresnet38", "DeepWV3Plus"),
        ("zhu2019/cityscapes_seresnext50_released", "DeepSRNX50V3PlusD_m1"),
        ("warp_refine2021/cityscapes_hrnet_ocr_msa", "HRNet_Mscale"),
    ],
)
def test_recipes_that_go_on_from_released_files_have_their_network(recipe, layout):
    network = parse_recipe(read_yaml(RECIPES / f"{recipe}.yaml"), TrainRecipe, recipe).network
    check_same_network("the released file", LAYOUTS[layout].config(65), network.resolved(19))


@pytest.mark.parametrize("path", [path for path in TRAININGS if read_yaml(path).get("start") == "imagenet"], ids=str)
def test_recipes_that_start_from_imagenet_have_an_encoder_that_timm_knows(path, monkeypatch):
    recipe = parse_recipe(read_yaml(path), TrainRecipe, path.name)
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained, **more: create(name, pretrained=False, **more))
    config = recipe.network.resolved(19)
    with torch.device("meta"):
        network = build(config)
    assert pretrained_encoder(network, config).keys() == network.state_dict().keys()


def test_the_coarse_mixture_of_warp_refine_is_3_to_4_to_3_with_propagated_labels():
    recipe = parse_recipe(
        read_yaml(RECIPES / "warp_refine2021/cityscapes_coarse_hrnet_ocr_msa.yaml"), TrainRecipe, "coarse"
    )
    quotas = [*(source.quota for source in recipe.train), 0.3]
    shares = resolve_quotas(["fine", "coarse", "propagated"], quotas, [2975, 19998, 10000])
    assert shares == pytest.approx([0.3, 0.4, 0.3])
    baseline = read_yaml(RECIPES / "warp_refine2021/cityscapes_hrnet_ocr_msa.yaml")
    assert [source["split"] for source in baseline["train"]] == ["train"]


@pytest.mark.parametrize("path", sorted((RECIPES / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_that_ships_makes_recipes(path):
    study, policies = read_study(path, {})
    assert set(policies) == set(study.policies)


def test_the_folds_of_kitti_are_ten():
    _, policies = read_study(RECIPES / "studies/kitti_folds.yaml", {})
    folds = [
        (policy.values["train"][0]["options"]["fold"], policy.values["val"]["options"]["fold"])
        for policy in policies.values()
    ]
    assert folds == [(fold, fold) for fold in range(10)]


def test_recipes_ship():
    assert len(TRAININGS) >= 13
