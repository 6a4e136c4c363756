from __future__ import annotations

import json

import pytest

from seglift.base.errors import UserError
from seglift.workflows.suggest.budget import Budget
from seglift.workflows.suggest.clips import read_clip, suggest_frames


def write_clip(folder, values, space="cityscapes", name="estimated_miou"):
    """What label's contract says an OUT holds, without what it keeps for itself."""
    folder.mkdir()
    lines = [
        {"index": index, "stem": f"{folder.name}_{index}", "distance": 0 if value == 1 else 1, "mean_confidence": 0.5}
        | ({name: value} if value is not None else {})
        for index, value in enumerate(values)
    ]
    (folder / "frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "run.json").write_text(json.dumps({"options": {"space": space}}))
    return folder


@pytest.fixture
def clips(tmp_path):
    """Two gaps of one clip, one of another."""
    first = write_clip(tmp_path / "a", [1, 0.9, 0.7, 0.9, 1, 0.9, 0.5, 0.9, 1])
    return [first, write_clip(tmp_path / "b", [1, 0.9, 0.6, 0.8, 1])]


def stems(found):
    return [item.about["stem"] for item in found.items]


def test_the_worst_frame_of_all_clips_comes_first_and_more_is_appended(clips):
    assert stems(suggest_frames(clips, Budget())) == ["a_6", "b_2", "a_2"]
    everything = stems(suggest_frames(clips, Budget(count=9)))
    assert everything[:3] == ["a_6", "b_2", "a_2"] and everything[3] == "b_3"
    assert len(set(everything)) == 9 and not {"a_0", "a_4", "a_8", "b_0", "b_4"} & set(everything)
    for count in range(1, 9):
        assert stems(suggest_frames(clips, Budget(count=count))) == everything[:count]
    assert stems(suggest_frames(clips[:1], Budget(hours=3))) == ["a_6", "a_2"]


def test_frames_without_an_estimate_go_by_confidence(tmp_path):
    clip = write_clip(tmp_path / "a", [1, 0.9, None, 0.9, 1])
    (item,) = suggest_frames([clip], Budget(count=1)).items
    assert item.why == "mean confidence 50.0, 1 frame from a keyframe"
    assert item.file == str(clip / "labels/a_2.png")


def test_clips_that_do_not_go_together(clips, tmp_path):
    with pytest.raises(UserError, match="given twice"):
        suggest_frames([clips[0], clips[0]], Budget())
    other = write_clip(tmp_path / "c", [1, 0.5, 1], space="camvid11")
    with pytest.raises(UserError, match=r"a in cityscapes, .*c in camvid11"):
        suggest_frames([clips[0], other], Budget())


@pytest.mark.parametrize("text", ["{", "[1]\n", '{"index": 0}\n'])
def test_damaged_files(clips, text):
    (clips[0] / "frames.jsonl").write_text(text)
    with pytest.raises(UserError, match="is not what seglift label writes"):
        read_clip(clips[0])
