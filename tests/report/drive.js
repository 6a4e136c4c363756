// Drives a report page inside an iframe as a user would, and posts what it found to the page around it.
(async () => {
  const found = {};
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  // Pictures are decoded in real time, timers run in virtual time: messages let the first go on without the second.
  const channel = new MessageChannel();
  const turn = () => new Promise((resolve) => { channel.port1.onmessage = resolve; channel.port2.postMessage(0); });
  const when = async (ready) => {
    for (let round = 0; round < 400 && !ready(); round++) {
      for (let count = 0; count < 300 && !ready(); count++) await turn();
      await wait(10);
    }
  };
  const until = async (text) => {
    await when(() => document.body.dataset.drawn === text);
    return document.body.dataset.drawn;
  };
  const press = (key, options = {}) => (document.activeElement ?? document.body).dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options }));
  const pixel = (id) => [...document.getElementById(id).getContext("2d").getImageData(2, 10, 1, 1).data];
  found.start = await until("0 overlay first");
  press("ArrowRight"); press("ArrowRight");
  found.right = await until("2 overlay first");
  press("ArrowLeft");
  found.left = await until("1 overlay first");
  press("ArrowRight", { shiftKey: true });
  found.keyframe = await until("8 overlay first");
  found.badge = !document.getElementById("badge").hidden;
  press("End");
  found.end = await until("11 overlay first");
  found.value = document.getElementById("frame").value;
  found.spoken = document.getElementById("frame").getAttribute("aria-valuetext");
  press("Home");
  found.home = await until("0 overlay first");
  press(" ");
  found.playing = await until("1 overlay first");
  press(" ");
  found.pressed = document.getElementById("play").getAttribute("aria-pressed");
  press("Home");
  await until("0 overlay first");
  found.labels = pixel("layer");
  const modes = [...document.querySelectorAll("#modes button")];
  found.modes = [];
  for (const button of modes) {
    button.click();
    found.modes.push([button.textContent, await until("0 " + button.dataset.mode + " first")]);
  }
  press("2");
  await until("0 labels first");
  document.querySelector('#legend-classes button[data-index="5"]').click();
  await when(() => pixel("layer")[3] === 0);
  found.only = pixel("layer")[3];
  press("m");
  found.method = await until("0 labels second");
  found.tables = [...document.querySelectorAll(".tiles")].map((node) => node.hidden);
  const plot = document.querySelector(".over-time:not([hidden]) .plot"), box = plot.getBoundingClientRect();
  const click = { clientX: box.left + box.width * 0.46, clientY: box.top + 5, bubbles: true };
  plot.dispatchEvent(new MouseEvent("click", click));
  found.chart = await until("5 labels second");
  document.querySelector("section:not([hidden]) .jump").click();
  found.jump = await until("4 labels second");
  const stage = document.getElementById("stage"), area = stage.getBoundingClientRect();
  const middle = { clientX: area.left + area.width * 0.5, clientY: area.top + area.height * 0.5 };
  stage.dispatchEvent(new PointerEvent("pointermove", middle));
  await when(() => document.getElementById("probe").childElementCount > 0);
  found.probe = document.getElementById("probe").textContent;
  document.getElementById("opacity").focus();
  press("ArrowRight");
  for (let count = 0; count < 1000; count++) await turn();
  found.kept = document.body.dataset.drawn;
  found.width = [document.documentElement.scrollWidth, document.documentElement.clientWidth];
  found.faults = faults;
  parent.postMessage(found, "*");
})().catch((error) => parent.postMessage({ faults: ["driver " + error.stack] }, "*"));
