"""The page in a real browser: keyboard, errors, width. Scripts that drive it are added to a copy of the page."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seglift.report.page import write_report

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=60000",
    "--dump-dom",
]

WATCH = """<script>
window.faults = [];
addEventListener("error", (event) => faults.push("error " + event.message));
addEventListener("unhandledrejection", (event) => faults.push("rejection " + event.reason));
addEventListener("securitypolicyviolation", (event) => faults.push("blocked " + event.blockedURI));
</script>"""

DRIVE = "<script>" + (Path(__file__).parent / "drive.js").read_text() + "</script></body>"

FRAME = """<!doctype html><body><pre id="found"></pre>
<iframe src="driven.html" style="border:0;width:{}px;height:800px"></iframe>
<script>
const found = document.getElementById("found");
addEventListener("message", (event) => {{ found.textContent = JSON.stringify(event.data); }});
</script>"""


@pytest.fixture(scope="module", params=[1280, 400])
def found(request, tmp_path_factory, summary, fetch):
    folder = tmp_path_factory.mktemp("page")
    write_report(folder / "page.html", summary(methods=("first", "second")), fetch(methods=2))
    text = (folder / "page.html").read_text()
    driven = text.replace("<head>", "<head>" + WATCH, 1)
    (folder / "driven.html").write_text(driven[: driven.rindex("</body>")] + DRIVE)
    (folder / "frame.html").write_text(FRAME.format(request.param))
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={max(600, request.param)},900",
    ]
    done = subprocess.run(
        [*command, (folder / "frame.html").as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    match = re.search(r'<pre id="found">(.+?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stderr[-2000:]
    result = json.loads(html.unescape(match[1]))
    return {
        **result,
        "console": [line for line in done.stderr.splitlines() if "CONSOLE" in line],
        "wanted": request.param,
    }


def test_no_errors_no_blocked_requests_no_console_messages(found):
    assert found["faults"] == []
    assert found["console"] == []


def test_no_horizontal_overflow(found):
    scroll, client = found["width"]
    assert scroll == client
    assert found["wanted"] - 20 <= client <= found["wanted"]


def test_keys_move_between_frames(found):
    assert found["start"] == "0 overlay first"
    assert found["right"] == "2 overlay first"
    assert found["left"] == "1 overlay first"
    assert found["keyframe"] == "8 overlay first"
    assert found["badge"]
    assert found["end"] == "11 overlay first"
    assert found["value"] == "11"
    assert found["spoken"] == "frame 11 of 0 to 11, frame_0011"
    assert found["home"] == "0 overlay first"
    assert found["playing"] == "1 overlay first"
    assert found["pressed"] == "false"


def test_every_picture_is_drawn(found):
    names = ["image", "labels", "overlay", "confidence", "provenance", "truth", "errors"]
    titles = ["Image", "Labels", "Overlay", "Confidence", "Provenance", "Ground truth", "Errors"]
    assert found["modes"] == [[title, f"0 {name} first"] for title, name in zip(titles, names, strict=True)]
    assert found["labels"] == [128, 128, 128, 255]
    assert found["only"] == 0


def test_methods_switch_with_their_tables(found):
    assert found["method"] == "0 labels second"
    assert found["tables"] == [True, False]


def test_chart_and_first_frames_jump(found):
    assert found["chart"] == "5 labels second"
    assert found["jump"] == "4 labels second"


def test_probe_reads_the_pixel(found):
    assert found["probe"] == ("fence · confidence 44 to 50\u00a0% · source: refiner · ground truth: car · x 16, y 12")


def test_arrows_belong_to_a_focused_opacity_slider(found):
    assert found["kept"] == "4 labels second"
