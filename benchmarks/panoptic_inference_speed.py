"""Time of panoptic post-processing at 2048x1024, and of its stages; grouping against a k-d tree and against all pairs.

    python benchmarks/panoptic_inference_speed.py [--centres 20 200] [--repeats 7] [--device cpu]

From a network's three maps on the device (19 classes, drawn objects of 10..100 pixels a side, noisy offsets and logits)
to class and instance maps in numpy with the instances' scores. Medians over ``--repeats`` turns; the ways of grouping
take turns in one run and must find centres equally near. scipy's k-d tree works on the CPU, and its time has the
transfers in it. Grouping is to be no slower than the tree.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import scipy
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from seglift.inference.panoptic.centres import find_centres
from seglift.inference.panoptic.classes import look_up, most_likely, void_small_stuff
from seglift.inference.panoptic.grouping import join_centres, nearest_in_grid, nearest_of_all
from seglift.inference.panoptic.segments import decode_panoptic
from seglift.inference.panoptic.settings import PanopticSettings
from seglift.inference.panoptic.voting import mean_probability, vote
from seglift.labels.space_file import get_space
from seglift.models.panoptic_output import PanopticOutput

HEIGHT, WIDTH = 1024, 2048
SPACE = get_space("cityscapes")
SETTINGS = PanopticSettings()
BUDGET = 1.0


def draw_output(count: int, device: torch.device) -> PanopticOutput:
    """What a good network says of ``count`` objects before bands of stuff."""
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    classes = (torch.arange(HEIGHT) * 4 // HEIGHT)[:, None].expand(HEIGHT, WIDTH).clone()
    heat, offset = torch.zeros(HEIGHT, WIDTH), torch.randn(2, HEIGHT, WIDTH, generator=generator) * 3
    rows, columns = torch.arange(HEIGHT)[:, None].float(), torch.arange(WIDTH).float()
    for _ in range(count):
        y, x = rng.integers((0, 0), (HEIGHT, WIDTH)).tolist()
        tall, wide = rng.integers(5, 50, 2).tolist()
        area = np.s_[max(0, y - tall) : y + tall, max(0, x - wide) : x + wide]
        classes[area] = int(rng.integers(11, 19))
        offset[0][area] = (y - rows).expand(HEIGHT, WIDTH)[area]
        offset[1][area] = (x - columns).expand(HEIGHT, WIDTH)[area]
        heat = torch.maximum(heat, torch.exp(-((rows - y).square() + (columns - x).square()) / 128))
    offset += torch.randn(offset.shape, generator=generator) * 3
    semantic = torch.randn(SPACE.num_train, HEIGHT, WIDTH, generator=generator)
    semantic.scatter_add_(0, classes[None], torch.full((1, HEIGHT, WIDTH), 6.0))
    return PanopticOutput(*(maps[None].to(device) for maps in (semantic, heat[None], offset)))


def stages(output: PanopticOutput) -> dict[str, Callable[[], object]]:
    """Each stage of the post-processing alone, from what those before it give."""
    logits, heatmap, offset = output.semantic[0], output.centre[0, 0], output.offset[0]
    classes = most_likely(logits)
    is_thing = torch.zeros(SPACE.num_train, dtype=torch.bool, device=logits.device)
    is_thing[list(SPACE.thing_train_ids)] = True
    things = look_up(is_thing, classes).view(-1).nonzero()[:, 0]
    centres = find_centres(heatmap, SETTINGS)
    member = join_centres(offset, things, centres.positions)
    own = classes.view(-1)[things]
    voted, _ = vote(own, member, len(centres.heat), SPACE.num_train)
    return {
        "most likely class": lambda: most_likely(logits),
        "small stuff": lambda: void_small_stuff(classes, is_thing, SETTINGS.stuff_limit(HEIGHT, WIDTH)),
        "centres": lambda: find_centres(heatmap, SETTINGS),
        "grouping": lambda: join_centres(offset, things, centres.positions),
        "vote": lambda: vote(own, member, len(centres.heat), SPACE.num_train),
        "scores": lambda: mean_probability(logits, things, voted, member),
    }


def ways_of_grouping(output: PanopticOutput) -> dict[str, Callable[[], Tensor]]:
    """Nearest centre of where each thing pixel leads: ours, by scipy, by all distances."""
    classes = most_likely(output.semantic[0])
    things = (classes >= min(SPACE.thing_train_ids)).view(-1).nonzero()[:, 0]
    at = torch.stack([things // WIDTH, things % WIDTH]) + output.offset[0].flatten(1)[:, things]
    points, centres = at.T.contiguous(), find_centres(output.centre[0, 0], SETTINGS).positions

    def tree() -> Tensor:
        found = cKDTree(centres.cpu().numpy()).query(points.cpu().numpy())[1]
        return torch.from_numpy(found).to(points.device)

    near = centres.to(points.dtype)
    ways = {
        "grid": lambda: nearest_in_grid(points, near, (HEIGHT, WIDTH)),
        "tree": tree,
        "all pairs": lambda: nearest_of_all(points, near),
    }
    distances = [(points - centres[way()]).square().sum(1).sqrt() for way in ways.values()]
    if not all(torch.allclose(found, distances[0], atol=1e-3) for found in distances):
        raise ValueError("the ways of grouping find centres that are not equally near")
    return ways


def take_turns(works: dict[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each work, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            begin = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> int:
    """Prints the times for each number of centres; status 1 where grouping is slower than the tree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--centres", type=int, nargs="+", default=[20, 200])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    options = parser.parse_args()
    device, where = options.device, f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    if device.type == "cuda":
        where = torch.cuda.get_device_name(device)
    print(f"torch {torch.__version__}, scipy {scipy.__version__}, {where}, {WIDTH}x{HEIGHT}, {options.repeats} turns")
    worst = 0.0
    for count in options.centres:
        output = draw_output(count, device)
        (found,) = decode_panoptic(output, SPACE, SETTINGS)
        whole = {"whole": lambda o=output: decode_panoptic(o, SPACE, SETTINGS)}
        times = take_turns({**whole, **stages(output)}, options.repeats, device)
        total = times.pop("whole")
        share = np.count_nonzero(found.number) / found.number.size
        print(
            f"{len(found.scores)} instances on {share:.0%} of the image: {1 / total:.1f} frames/s, {1e3 * total:.1f} ms"
        )
        for name, value in times.items():
            print(f"  {name}: {1e3 * value:.1f} ms, {value / total:.0%}")
        print(f"  files' ids, checks and the rest: {1e3 * (total - sum(times.values())):.1f} ms")
        ways = take_turns(ways_of_grouping(output), options.repeats, device)
        ours = "grid" if device.type == "cpu" else "all pairs"
        worst = max(worst, ways[ours] / ways["tree"])
        print("  grouping: " + ", ".join(f"{name} {1e3 * value:.1f} ms" for name, value in ways.items()))
    print(f"grouping takes at most {worst:.2f} of the tree's time (budget {BUDGET:.0f})")
    return int(worst > BUDGET)


if __name__ == "__main__":
    sys.exit(main())
