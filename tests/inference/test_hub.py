from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from seglift.base.errors import UserError
from seglift.inference.hub import Preprocessing, load_hub_model, read_preprocessing, semantic_map
from seglift.inference.semantic_model import SemanticModel, load_model, preferred_short_side
from seglift.labels.space_file import get_space

transformers = pytest.importorskip("transformers")

SPACE = get_space("camvid11")
NAMES = ["road", "sidewalk", "building", "tree", "car", "unicorn"]
LABELS: dict[str, Any] = {
    "id2label": dict(enumerate(NAMES)),
    "label2id": {name: n for n, name in enumerate(NAMES)},
}
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]
IMAGES = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def save_processor(folder: Path, kind: str, **values: Any) -> None:
    settings = {
        "image_processor_type": kind,
        "image_mean": MEAN,
        "image_std": STD,
        "do_normalize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_resize": True,
        **values,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def swin() -> Any:
    return transformers.SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=2,
        image_size=32,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )


@pytest.fixture(scope="module")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segformer")
    config = transformers.SegformerConfig(
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=8,
        **LABELS,
    )
    torch.manual_seed(0)
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    save_processor(folder, "SegformerImageProcessor", size={"height": 48, "width": 64})
    return folder


@pytest.fixture(scope="module")
def mask2former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mask2former")
    config = transformers.Mask2FormerConfig(
        backbone_config=swin(),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=8,
        dim_feedforward=8,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=1,
        num_queries=5,
        **LABELS,
    )
    torch.manual_seed(0)
    transformers.Mask2FormerForUniversalSegmentation(config).save_pretrained(folder)
    save_processor(folder, "Mask2FormerImageProcessor", size={"shortest_edge": 384, "longest_edge": 2048})
    return folder


@pytest.fixture(scope="module")
def oneformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oneformer")
    config = transformers.OneFormerConfig(
        backbone_config=swin(),
        conv_dim=32,
        mask_dim=32,
        hidden_dim=32,
        encoder_feedforward_dim=8,
        dim_feedforward=8,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=1,
        num_queries=5,
        task_seq_len=10,
        text_encoder_width=8,
        text_encoder_context_length=10,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=40,
        **LABELS,
    )
    torch.manual_seed(0)
    transformers.OneFormerForUniversalSegmentation(config).save_pretrained(folder)
    save_processor(
        folder,
        "OneFormerImageProcessor",
        size={"shortest_edge": 64, "longest_edge": 256},
        class_info_file="info.json",
        num_text=3,
    )
    (folder / "info.json").write_text(
        json.dumps({str(n): {"name": name, "isthing": 0} for n, name in enumerate(NAMES)})
    )
    words = ["<|startoftext|>", "<|endoftext|>", *"abcdefghiklmnoprstuv", *(f"{c}</w>" for c in "ekcs")]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    return folder


def check(model: Any) -> None:
    assert isinstance(model, SemanticModel)
    logits = model.logits(IMAGES)
    assert logits.shape == (2, 11, 64, 96)
    assert torch.isfinite(logits).all()
    assert not logits.requires_grad
    assert model.mapping.unmapped_model == ("unicorn",)
    assert len(model.mapping.unmapped_space) == 6
    known = [n for n, channels in enumerate(model.mapping.channels) if channels]
    assert set(logits.argmax(1).unique().tolist()) <= set(known)
    assert model.features(IMAGES).shape[:2] == (2, 11)


def test_segformer_gives_the_logits_of_transformers(segformer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = load_model(f"hf:{segformer}", SPACE)
    check(model)
    assert capsys.readouterr().err.count("unicorn") == 1
    assert preferred_short_side(model) == 48
    network = transformers.SegformerForSemanticSegmentation.from_pretrained(segformer).eval()
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    with torch.no_grad():
        raw = network(pixel_values=(IMAGES - mean) / std).logits
    raw = torch.nn.functional.interpolate(raw, size=(64, 96), mode="bilinear", align_corners=False)
    names = [name.lower() for name in SPACE.train_names]
    assert torch.allclose(model.logits(IMAGES)[:, names.index("car")], raw[:, NAMES.index("car")], atol=1e-5)
    assert torch.allclose(model.logits(IMAGES)[:, names.index("tree")], raw[:, NAMES.index("tree")], atol=1e-5)


def test_mask2former_by_its_semantic_map(mask2former: Path, tmp_path: Path) -> None:
    model = load_hub_model(str(mask2former), SPACE)
    check(model)
    assert model.short_side == 384
    # The map that transformers' own post-processing argmaxes, at the resolution of the masks.
    processor = transformers.AutoImageProcessor.from_pretrained(mask2former)
    processor.save_pretrained(tmp_path)
    saved, _ = transformers.BaseImageProcessor.get_image_processor_dict(tmp_path)
    assert read_preprocessing(saved) == model.preprocessing
    with torch.no_grad():
        output = model.network(pixel_values=model.preprocessing.apply(IMAGES))
    expected = processor.post_process_semantic_segmentation(output, target_sizes=[(384, 384)] * 2)
    ours = semantic_map(
        output.class_queries_logits,
        torch.nn.functional.interpolate(
            output.masks_queries_logits, size=(384, 384), mode="bilinear", align_corners=False
        ),
    )
    assert torch.equal(torch.stack(expected), ours.argmax(1))


def test_oneformer_is_asked_for_semantics(oneformer: Path) -> None:
    model = load_hub_model(str(oneformer), SPACE)
    check(model)
    assert model.task_tokens is not None
    assert model.task_tokens.shape == (1, 10)
    with pytest.raises((TypeError, ValueError)):
        model.network(pixel_values=IMAGES)


def test_semantic_map_by_hand() -> None:
    classes = torch.tensor([[[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]]).log()
    masks = torch.logit(torch.tensor([[[[0.5]], [[0.25]]]]))
    expected = [0.2 * 0.5 + 0.6 * 0.25, 0.3 * 0.5 + 0.1 * 0.25]
    assert semantic_map(classes, masks).exp().flatten().tolist() == pytest.approx(expected)


def test_preprocessing_follows_the_image_processor() -> None:
    preprocessing = read_preprocessing(
        {"do_rescale": False, "do_normalize": False, "do_flip_channel_order": True, "size": {"longest_edge": 900}}
    )
    assert preprocessing == Preprocessing(255.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), True, None)
    image = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)
    assert preprocessing.apply(image).flatten().tolist() == [0.0, 127.5, 255.0]
    assert read_preprocessing({"size": 640}).short_side == 640
    assert read_preprocessing({"size": {"height": 512, "width": 1024}}).short_side == 512
    assert read_preprocessing({"size": {"height": 512, "width": 1024}, "do_resize": False}).short_side is None


def test_code_in_a_pickle_of_the_hub_never_runs(segformer: Path, tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((segformer / name).read_bytes())
    torch.save({"weight": Malicious()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot load hf:"):
        load_model(f"hf:{tmp_path}", SPACE)
    assert not (tmp_path / "ran").exists()


def test_what_cannot_be_had_is_the_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="cannot load hf:nobody/nothing"):
        load_model("hf:nobody/nothing", SPACE)
    transformers.BertConfig(num_hidden_layers=1).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="bert model, expected one for semantic segmentation"):
        load_model(f"hf:{tmp_path}", SPACE)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'seglift\[hf\]'"):
        load_model("hf:any", SPACE)


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "short"])
def test_damaged_weights_are_the_users_error(segformer: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(segformer, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "garbage": b"no weights" * 50}.get(damage, b"ab"))
    with pytest.raises(UserError, match="cannot load hf:") as caught:
        load_hub_model(str(tmp_path / "model"), SPACE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no weights" * 50, b"PK\x03\x04cut"])
def test_damaged_pickled_weights_are_the_users_error(segformer: Path, tmp_path: Path, content: bytes) -> None:
    shutil.copytree(segformer, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(UserError, match="cannot load hf:"):
        load_hub_model(str(tmp_path / "model"), SPACE)


@pytest.mark.parametrize("content", ["", "[1]", "not json", '{"model_type": 3}', '{"model_type": "segformer"'])
def test_damaged_config_is_the_users_error(segformer: Path, tmp_path: Path, content: str) -> None:
    shutil.copytree(segformer, tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(content)
    with pytest.raises(UserError, match="cannot load hf:"):
        load_hub_model(str(tmp_path / "model"), SPACE)
