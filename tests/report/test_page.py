from __future__ import annotations

import dataclasses
import json
import re
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from seglift.base.errors import UserError
from seglift.report.contents import FrameRecord, MethodLayers, ReportFrame
from seglift.report.page import MAX_SHOWN, write_report


class Reader(HTMLParser):
    """Collects attributes, checks that tags close in order, and keeps the words."""

    VOID = frozenset({"meta", "link", "input", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"script", "style"}:
            self.words += data


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text())
    reader.close()
    assert reader.open == []
    return reader


def meta_of(path: Path) -> dict:
    return json.loads(re.search(r'id="meta">(.+?)</script>', path.read_text())[1])


@pytest.fixture
def page(tmp_path, summary, fetch):
    write_report(tmp_path / "report.html", summary(), fetch())
    return tmp_path / "report.html"


def test_nothing_is_fetched_from_outside(page):
    text = re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]*", "data:", page.read_text())
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    links = [value for _, name, value in read(page).attributes if name in {"src", "href", "action", "srcset", "poster"}]
    assert set(links) == {"data:,", "#viewer"}
    assert "default-src 'none'" in text


def test_equal_input_gives_equal_bytes(tmp_path, summary, fetch):
    for name in ("a", "b"):
        write_report(tmp_path / f"{name}.html", summary(methods=("x", "y")), fetch(methods=2))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_page_says_what_it_shows(page, summary):
    words = " ".join(read(page).words.split())
    assert "a drive 12 frames 2 keyframes 32 × 24 method motion space camvid11, 11 classes" in words
    assert "81.2 % against ground truth" in words
    assert "All 12 frames shown." in words
    assert "10 frames, keyframes left out." in words
    assert "Label these next" in words
    for entry in summary().space.classes:
        assert entry.name in words
    for title in ("human", "warped from the earlier keyframe", "segmentation model", "refiner", "none"):
        assert title in words


def test_frames_to_label_next_are_those_of_lowest_estimate(tmp_path, summary, fetch):
    made = summary(frames=40, keyframes=(0, 39))
    records = list(made.methods[0].records)
    records[10] = dataclasses.replace(records[10], estimated_miou=0.1, mean_confidence=1.0)
    records[30] = FrameRecord(mean_confidence=0.0)  # nobody says anything about it
    made = dataclasses.replace(made, methods=[dataclasses.replace(made.methods[0], records=records)])
    write_report(tmp_path / "page.html", made, fetch())
    text = (tmp_path / "page.html").read_text()
    assert [int(index) for index in re.findall(r'data-frame="(\d+)"', text)][:2] == [30, 10]
    assert "Lowest estimated mIoU" in text


def test_a_part_of_a_video_has_the_frame_numbers_of_the_video(tmp_path, summary, fetch):
    write_report(tmp_path / "page.html", dataclasses.replace(summary(), first=100), fetch())
    reader = read(tmp_path / "page.html")
    words = " ".join(reader.words.split())
    assert "Frame 104 frame_0004" in words and "Frame 4 " not in words
    assert any(name == "aria-label" and "at frame 104." in value for _, name, value in reader.attributes)
    assert meta_of(tmp_path / "page.html")["first"] == 100


def test_remark_on_the_clip(tmp_path, summary, fetch):
    write_report(tmp_path / "page.html", dataclasses.replace(summary(), cuts=(3,), remark="1 <cut> & more"), fetch())
    page = (tmp_path / "page.html").read_text()
    assert '<p class="note">1 &lt;cut&gt; &amp; more.</p>' in page
    assert "scene cut</span>" in page


def test_controls_have_names(page):
    reader = read(page)
    identifiers = [value for _, name, value in reader.attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    labelled = {value for tag, name, value in reader.attributes if (tag, name) == ("label", "for")}
    assert {"frame", "opacity"} <= labelled
    assert sum(name == "role" and value == "img" for _, name, value in reader.attributes) == 4


def test_pictures_of_every_frame(page):
    found = re.findall(r'class="frame" data-index="(\d+)" data-names="([^"]+)">(.+?)</script>', page.read_text())
    assert [int(index) for index, _, _ in found] == list(range(12))
    for _, names, data in found:
        pictures = json.loads(data)
        assert names.split() == ["image", "truth", "labels.0", "confidence.0", "provenance.0", "errors.0"]
        assert set(names.split()) == set(pictures)
        assert all(uri.startswith("data:image/") for uri in pictures.values())


def test_what_is_not_known_is_absent(tmp_path, summary):
    made = summary(truth=False)
    method = dataclasses.replace(made.methods[0], records=[FrameRecord()] * 12, class_pixels=None)
    bare = dataclasses.replace(made, methods=[method], settings={})

    def fetch(index: int) -> ReportFrame:
        return ReportFrame(np.zeros((6, 8, 3), np.uint8), [MethodLayers(np.full((6, 8), index % 12, np.uint8))])

    write_report(tmp_path / "report.html", bare, fetch)
    words = read(tmp_path / "report.html").words
    for absent in ("Label these next", "over time", "Scores", "mIoU", "Settings"):
        assert absent not in words
    assert 'data-names="image labels.0"' in (tmp_path / "report.html").read_text()


def test_names_from_outside_are_escaped(tmp_path, summary, fetch):
    nasty = '</script><script>alert("x")</script>&amp;\udcff'
    made = dataclasses.replace(summary(title=nasty), stems=[f"{nasty}{index}" for index in range(12)])
    write_report(tmp_path / "report.html", made, fetch())
    text = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in text
    assert text.count("</script>") == 12 + 2
    assert meta_of(tmp_path / "report.html")["frames"][3]["stem"] == f"{nasty}3"
    assert nasty.replace("\udcff", "?") in read(tmp_path / "report.html").words


def test_long_clip_shows_few_frames_in_order(tmp_path, summary, fetch):
    asked: list[int] = []
    made = summary(frames=3000, keyframes=tuple(range(0, 3000, 250)))
    write_report(tmp_path / "report.html", made, fetch(asked=asked))
    assert asked == sorted(set(asked))
    assert len(asked) <= MAX_SHOWN
    assert set(range(0, 3000, 250)) <= set(asked)
    assert {125, 2999} <= set(asked)
    assert "of 3000 frames shown" in read(tmp_path / "report.html").words
    assert [frame["index"] for frame in meta_of(tmp_path / "report.html")["frames"]] == asked


def test_memory_does_not_grow_with_the_frames_shown(tmp_path, summary):
    def fetch(index: int) -> ReportFrame:
        noise = np.random.default_rng(index).integers(0, 255, (200, 300, 3), np.uint8)
        return ReportFrame(noise, [MethodLayers(noise[..., 0] % 12, noise[..., 1])])

    peaks = []
    for frames in (8, 8, 64):
        made = summary(frames=frames, keyframes=(0,), truth=False)
        tracemalloc.start()
        write_report(tmp_path / "report.html", made, fetch)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 1_000_000
    assert (tmp_path / "report.html").stat().st_size > 8_000_000


def test_one_frame(tmp_path, summary, fetch):
    write_report(tmp_path / "report.html", summary(frames=1, keyframes=(0,)), fetch())
    assert "1 frame " in " ".join(read(tmp_path / "report.html").words.split())


def test_frame_without_all_methods(tmp_path, summary, fetch):
    with pytest.raises(ValueError, match="layers of 1 methods, expected 2"):
        write_report(tmp_path / "report.html", summary(methods=("x", "y")), fetch(methods=1))
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(tmp_path, summary, fetch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_report(tmp_path / "file" / "report.html", summary(), fetch())
