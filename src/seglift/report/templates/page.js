"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const meta = JSON.parse(byId("meta").textContent);
  const scripts = new Map([...document.querySelectorAll("script.frame")].map((node) => [Number(node.dataset.index), node]));
  const shown = meta.frames;
  const base = byId("base"), layer = byId("layer"), slider = byId("frame"), opacity = byId("opacity");

  const MODES = [
    { name: "image", title: "Image" },
    { name: "labels", title: "Labels", layer: "labels", legend: "classes", opacity: 100, gray: true },
    { name: "overlay", title: "Overlay", layer: "labels", legend: "classes", opacity: 60 },
    { name: "confidence", title: "Confidence", layer: "confidence", legend: "confidence", opacity: 65, gray: true },
    { name: "provenance", title: "Provenance", layer: "provenance", opacity: 60, gray: true },
    { name: "objects", title: "Objects", layer: "objects", legend: "objects", opacity: 75, gray: true },
    { name: "truth", title: "Ground truth", layer: "truth", legend: "classes", opacity: 60 },
    { name: "errors", title: "Errors", layer: "errors", legend: "errors", opacity: 100, gray: true },
  ];
  const state = { at: 0, mode: "overlay", method: 0, only: null, playing: false };

  /* ---------- pictures: parsed and decoded when needed, the latest kept ---------- */
  const remember = (limit, make) => {
    const kept = new Map();
    return (key, ...rest) => {
      const value = kept.get(key) ?? make(key, ...rest);
      kept.delete(key);
      kept.set(key, value);
      if (kept.size > limit) kept.delete(kept.keys().next().value);
      return value;
    };
  };
  const parse = remember(12, (index) => JSON.parse(scripts.get(index).textContent));
  const decode = remember(60, (key, uri) => {
    const picture = new Image();
    picture.src = uri;
    return picture.decode().then(() => picture);
  });
  const nameOf = (kind) => (kind === "image" || kind === "truth" ? kind : `${kind}.${state.method}`);
  const load = (index, kind) => {
    const name = nameOf(kind), uri = parse(index)[name];
    return uri ? decode(`${index}/${name}`, uri) : Promise.resolve(null);
  };
  const kinds = new Set();
  for (const node of scripts.values()) for (const name of node.dataset.names.split(" ")) kinds.add(name.split(".")[0]);
  const modes = MODES.filter((mode) => !mode.layer || kinds.has(mode.layer));
  const modeNow = () => modes.find((mode) => mode.name === state.mode);

  const paint = (canvas, picture) => {
    const context = canvas.getContext("2d", { willReadFrequently: canvas !== base });
    if (!picture) return context.clearRect(0, 0, canvas.width, canvas.height);
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    context.drawImage(picture, 0, 0);
  };
  const keepOnly = (canvas, color) => {
    const context = canvas.getContext("2d"), pixels = context.getImageData(0, 0, canvas.width, canvas.height), data = pixels.data;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] !== color[0] || data[at + 1] !== color[1] || data[at + 2] !== color[2]) data[at + 3] = 0;
    }
    context.putImageData(pixels, 0, 0);
  };

  /* ---------- one frame ---------- */
  const numberOf = (frame) => frame.index + meta.first;
  const percent = (value) => `${(100 * value).toFixed(1)}\u00a0%`;
  let drawing = 0;
  const draw = async () => {
    const ticket = ++drawing, frame = shown[state.at], mode = modeNow();
    describe(frame, mode);
    const [picture, over] = await Promise.all([load(frame.index, "image"), mode.layer ? load(frame.index, mode.layer) : null]);
    if (ticket !== drawing) return;
    paint(base, picture);
    paint(layer, over);
    if (over && mode.legend === "classes" && state.only !== null) keepOnly(layer, meta.classes[state.only].slice(1));
    layer.style.opacity = (mode.opacity ?? 0) / 100;
    base.classList.toggle("gray", Boolean(mode.gray));
    byId("missing").hidden = !mode.layer || Boolean(over);
    byId("missing").textContent = `No ${mode.title.toLowerCase()} for this frame.`;
    probes = null;
    document.body.dataset.drawn = `${frame.index} ${mode.name} ${meta.methods[state.method]}`;
    const next = shown[(state.at + 1) % shown.length].index;
    load(next, "image");
    if (mode.layer) load(next, mode.layer);
  };
  const describe = (frame, mode) => {
    const numbers = frame.numbers[state.method];
    slider.value = frame.index;
    const words = `frame ${numberOf(frame)} of ${meta.first} to ${meta.first + meta.total - 1}, ${frame.stem}${frame.keyframe ? ", keyframe" : ""}`;
    slider.setAttribute("aria-valuetext", words);
    byId("stage").setAttribute("aria-label", `${mode.title}, ${meta.methods[state.method]}, ${words}`);
    byId("number").textContent = `Frame ${numberOf(frame)}`;
    byId("badge").hidden = !frame.keyframe;
    byId("stem").textContent = frame.stem;
    const facts = [
      ["To the nearest keyframe", numbers.distance === null ? null : `${numbers.distance} frame${numbers.distance === 1 ? "" : "s"}`],
      ["Mean confidence", numbers.confidence === null ? null : percent(numbers.confidence)],
      ["Estimated mIoU", numbers.estimated === null ? null : percent(numbers.estimated)],
      ["mIoU", numbers.miou === null ? null : percent(numbers.miou)],
    ].filter(([, value]) => value !== null);
    byId("facts").replaceChildren(...facts.flatMap(([name, value]) => {
      const term = document.createElement("dt"), text = document.createElement("dd");
      term.textContent = name;
      text.textContent = value;
      return [term, text];
    }));
    byId("sources").querySelectorAll(".amount").forEach((node, source) => {
      node.textContent = numbers.provenance ? percent(numbers.provenance[source]) : "";
    });
    for (const plot of document.querySelectorAll(".over-time .plot")) {
      plot.querySelector(".cursor").setAttribute("d", `M${place(plot, frame.index).toFixed(1)} 0V100`);
    }
  };
  const place = (plot, index) => {
    const first = Number(plot.dataset.first), last = Number(plot.dataset.last);
    return last > first ? (1000 * (index - first)) / (last - first) : 500;
  };

  /* ---------- moving ---------- */
  const nearest = (index) => {
    let best = 0;
    shown.forEach((frame, at) => { if (Math.abs(frame.index - index) < Math.abs(shown[best].index - index)) best = at; });
    return best;
  };
  const go = (at) => {
    state.at = Math.min(Math.max(at, 0), shown.length - 1);
    return draw();
  };
  const goKeyframe = (step) => {
    let at = state.at + step;
    while (at > 0 && at < shown.length - 1 && !shown[at].keyframe) at += step;
    return go(at);
  };
  const play = async (on) => {
    if (on === state.playing) return;
    state.playing = on;
    byId("play").setAttribute("aria-pressed", String(on));
    byId("play").textContent = on ? "Stop" : "Play";
    while (state.playing) {
      const pause = new Promise((resolve) => setTimeout(resolve, 110));
      await go((state.at + 1) % shown.length);
      await pause;
    }
  };

  /* ---------- modes, methods, legend ---------- */
  const press = (buttons, chosen) => buttons.forEach((button) => button.setAttribute("aria-pressed", String(chosen(button))));
  const setMode = (name) => {
    state.mode = name;
    const mode = modeNow();
    press([...byId("modes").children], (button) => button.dataset.mode === name);
    for (const kind of ["classes", "confidence", "objects", "errors"]) byId(`legend-${kind}`).hidden = mode.legend !== kind;
    byId("legend-title").hidden = !mode.legend;
    byId("legend-title").textContent = { classes: "Classes, press one to see it alone", errors: "Errors" }[mode.legend] ?? mode.title;
    opacity.disabled = !mode.layer;
    opacity.value = mode.opacity ?? 0;
    return draw();
  };
  const setMethod = (number) => {
    state.method = number;
    if (byId("methods")) press([...byId("methods").children], (button) => Number(button.dataset.number) === number);
    for (const node of document.querySelectorAll("[data-method]")) node.hidden = Number(node.dataset.method) !== number;
    return draw();
  };
  modes.forEach((mode, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.mode = mode.name;
    button.textContent = mode.title;
    button.title = `${mode.title} (${number + 1})`;
    button.addEventListener("click", () => setMode(mode.name));
    byId("modes").append(button);
  });
  byId("methods")?.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => setMethod(Number(button.dataset.number))));
  byId("legend-classes").querySelectorAll("button").forEach((button) => button.addEventListener("click", () => {
    const index = Number(button.dataset.index);
    state.only = state.only === index ? null : index;
    press([...byId("legend-classes").children], (other) => Number(other.dataset.index) === state.only);
    setMode(state.mode);
  }));

  /* ---------- reading a pixel ---------- */
  let probes = null;
  const closest = (colors, offset, [red, green, blue]) => {
    let best = 0, least = Infinity;
    colors.forEach((color, index) => {
      const far = Math.abs(color[offset] - red) + Math.abs(color[offset + 1] - green) + Math.abs(color[offset + 2] - blue);
      if (far < least) [best, least] = [index, far];
    });
    return best;
  };
  const openProbes = () => {
    const index = shown[state.at].index;
    return Promise.all(["labels", "confidence", "provenance", "truth"].map(async (kind) => {
      const picture = await load(index, kind);
      if (!picture) return [kind, null];
      const canvas = document.createElement("canvas");
      paint(canvas, picture);
      return [kind, canvas];
    })).then(Object.fromEntries);
  };
  const read = async (event) => {
    const box = byId("stage").getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width, down = (event.clientY - box.top) / box.height;
    if (across < 0 || across >= 1 || down < 0 || down >= 1) return;
    const mine = (probes ??= openProbes()), canvases = await mine;
    if (mine !== probes) return;
    const color = (kind) => {
      const canvas = canvases[kind];
      return canvas && canvas.getContext("2d").getImageData(Math.floor(across * canvas.width), Math.floor(down * canvas.height), 1, 1).data;
    };
    const label = color("labels"), sure = color("confidence"), source = color("provenance"), truth = color("truth");
    const strong = document.createElement("b");
    strong.textContent = meta.classes[closest(meta.classes, 1, label)][0];
    const parts = [];
    if (sure) {
      const step = closest(meta.ramp, 0, sure), steps = meta.ramp.length;
      parts.push(`confidence ${Math.round((100 * step) / steps)} to ${Math.round((100 * (step + 1)) / steps)}\u00a0%`);
    }
    if (source) parts.push(`source: ${meta.sources[closest(meta.sources, 1, source)][0]}`);
    if (truth) parts.push(`ground truth: ${meta.classes[closest(meta.classes, 1, truth)][0]}`);
    parts.push(`x ${Math.floor(across * meta.size[1])}, y ${Math.floor(down * meta.size[0])}`);
    byId("probe").replaceChildren(strong, ` · ${parts.join(" · ")}`);
  };
  byId("stage").addEventListener("pointermove", read);
  byId("stage").addEventListener("pointerdown", read);

  /* ---------- charts ---------- */
  for (const plot of document.querySelectorAll(".over-time .plot")) {
    const hover = document.createElement("span");
    hover.className = "hover";
    hover.hidden = true;
    plot.append(hover);
    const at = (event) => {
      const box = plot.getBoundingClientRect(), share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      const first = Number(plot.dataset.first), last = Number(plot.dataset.last);
      return nearest(first + share * (last - first));
    };
    plot.addEventListener("click", (event) => go(at(event)));
    plot.addEventListener("pointerleave", () => { hover.hidden = true; });
    plot.addEventListener("pointermove", (event) => {
      const frame = shown[at(event)], numbers = frame.numbers[state.method];
      const parts = [`frame ${numberOf(frame)}`];
      if (frame.keyframe) parts.push("keyframe");
      if (numbers.confidence !== null) parts.push(`confidence ${percent(numbers.confidence)}`);
      if (numbers.estimated !== null) parts.push(`estimated mIoU ${percent(numbers.estimated)}`);
      if (numbers.miou !== null) parts.push(`mIoU ${percent(numbers.miou)}`);
      hover.textContent = parts.join(" · ");
      hover.hidden = false;
      const half = hover.offsetWidth / 2, wide = plot.clientWidth;
      hover.style.left = `${Math.min(Math.max((place(plot, frame.index) / 1000) * wide, half - 40), wide - half)}px`;
    });
  }

  /* ---------- controls ---------- */
  slider.addEventListener("input", () => { play(false); go(nearest(Number(slider.value))); });
  opacity.addEventListener("input", () => { modeNow().opacity = Number(opacity.value); draw(); });
  byId("play").addEventListener("click", () => play(!state.playing));
  for (const [id, act] of [["back", () => go(state.at - 1)], ["forth", () => go(state.at + 1)], ["before", () => goKeyframe(-1)], ["after", () => goKeyframe(1)]]) {
    byId(id).addEventListener("click", () => { play(false); act(); });
  }
  for (const button of document.querySelectorAll(".jump")) {
    button.addEventListener("click", () => {
      play(false);
      go(nearest(Number(button.dataset.frame)));
      byId("viewer").scrollIntoView({ block: "start" });
      slider.focus({ preventScroll: true });
    });
    const box = button.querySelector(".thumbnail"), frame = parse(Number(button.dataset.frame));
    for (const uri of [frame.image, frame[`confidence.${box.dataset.number}`]]) {
      if (!uri) continue;
      const picture = new Image();
      picture.alt = "";
      picture.src = uri;
      box.append(picture);
    }
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.target.closest?.("button, a, summary"), elsewhere = event.target.closest?.("#opacity, .scroll");
    const moves = {
      ArrowLeft: () => (event.shiftKey ? goKeyframe(-1) : go(state.at - 1)),
      ArrowRight: () => (event.shiftKey ? goKeyframe(1) : go(state.at + 1)),
      Home: () => go(0),
      End: () => go(shown.length - 1),
    };
    if (moves[event.key] && !elsewhere) {
      play(false);
      moves[event.key]();
    } else if (event.key === " " && !onButton) {
      play(!state.playing);
    } else if (event.key >= "1" && event.key <= String(modes.length)) {
      setMode(modes[Number(event.key) - 1].name);
    } else if (event.key.toLowerCase() === "m" && meta.methods.length > 1) {
      setMethod((state.method + 1) % meta.methods.length);
    } else {
      return;
    }
    event.preventDefault();
  });

  const marks = shown.filter((frame) => frame.keyframe).map((frame) => (meta.total > 1 ? (1000 * frame.index) / (meta.total - 1) : 500));
  byId("ticks").setAttribute("d", marks.map((x) => `M${x.toFixed(1)} 0V10`).join(""));
  byId("sources").hidden = byId("sources-title").hidden = !kinds.has("provenance");
  setMode("overlay");
})();
