"use strict";
// The page of a picture: views, steps, search, pan and zoom. Names only ever reach the document as text or as data to compare.
const byId = (id) => document.getElementById(id);
const stage = byId("stage"), layer = byId("layer"), info = byId("info"), slider = byId("steps"), view = byId("view");
const views = [...stage.querySelectorAll("svg")];
const state = { view: 0, shown: 0, at: -1, backward: false, box: null, drawn: null, timer: 0 };

const svg = () => views[state.view];
const marks = () => [...svg().querySelectorAll(".mark")];
const lines = () => [...svg().querySelectorAll(".line")];

function showView(index) {
  state.view = index;
  views.forEach((one, i) => one.classList.toggle("hidden", i !== index));
  view.value = String(index);
  const last = Math.max(-1, ...marks().map((mark) => Number(mark.dataset.step ?? -1)));
  slider.max = String(last + 1);
  slider.value = slider.max;
  slider.disabled = last < 1;
  state.at = -1;
  showSteps();
  fit();
}

// Steps after the chosen number are hidden, and with them the lines that touch them.
function showSteps() {
  state.shown = Number(slider.value);
  byId("count").textContent = slider.disabled ? "" : slider.value;
  const gone = new Set();
  for (const mark of marks()) {
    const hide = mark.dataset.step !== undefined && Number(mark.dataset.step) >= state.shown && !mark.classList.contains("ghost");
    mark.classList.toggle("hidden", hide);
    if (hide) gone.add(mark.id);
  }
  for (const mark of marks().filter((one) => one.classList.contains("joint") || one.classList.contains("point"))) {
    const ends = lines().filter((line) => line.dataset.tail === mark.id || line.dataset.head === mark.id);
    const others = ends.map((line) => (line.dataset.tail === mark.id ? line.dataset.head : line.dataset.tail));
    const alone = others.length > 0 && others.filter((id) => !isJoint(id)).every((id) => gone.has(id)) && others.some((id) => gone.has(id));
    mark.classList.toggle("hidden", alone);
    if (alone) gone.add(mark.id);
  }
  for (const line of lines()) line.classList.toggle("hidden", gone.has(line.dataset.tail) || gone.has(line.dataset.head));
}

const isJoint = (id) => {
  const mark = svg().querySelector("#" + CSS.escape(id));
  return mark !== null && (mark.classList.contains("joint") || mark.classList.contains("point"));
};

// Forward in the order in which values are computed, then backward in the order in which cotangents are.
function listOrder() {
  const shown = marks().filter((mark) => mark.dataset.rank !== undefined && !mark.classList.contains("hidden"));
  shown.sort((a, b) => Number(a.dataset.rank) - Number(b.dataset.rank));
  return shown;
}

function goTo(change) {
  const order = listOrder(), count = order.length;
  if (!count) return;
  state.at = Math.min(Math.max(state.at + change, -1), 2 * count - 1);
  clearHits();
  if (state.at < 0) { info.textContent = ""; return; }
  const back = state.at >= count, here = order[back ? 2 * count - 1 - state.at : state.at];
  pick(here, back ? "backward: the derivative by " : "forward: ");
  const ends = back ? "tail" : "head";
  for (const line of lines()) line.classList.toggle("hit", line.dataset[ends] === here.id);
}

function clearHits() {
  stage.querySelectorAll(".hit").forEach((one) => one.classList.remove("hit"));
  document.querySelectorAll(".pane li.on").forEach((one) => one.classList.remove("on"));
}

function pick(mark, word) {
  mark.classList.add("hit");
  const title = mark.querySelector("title");
  const step = mark.dataset.step === undefined ? "" : " at step " + mark.dataset.step;
  info.textContent = (word || "") + (title ? title.textContent : "") + step;
  const name = mark.dataset.name;
  if (name) for (const line of document.querySelectorAll(".pane li")) {
    if ((line.dataset.names || "").split(" ").includes(name)) {
      line.classList.add("on");
      line.scrollIntoView({ block: "nearest" });
    }
  }
}

function search(text) {
  const wanted = text.trim().toLowerCase();
  for (const mark of marks()) {
    const words = (mark.textContent + " " + (mark.dataset.name || "")).toLowerCase();
    mark.classList.toggle("dim", wanted !== "" && !words.includes(wanted));
  }
  for (const line of lines()) line.classList.toggle("dim", wanted !== "");
}

function fit() {
  state.box = svg().dataset.box.split(" ").map(Number);
  settle();
}

// While it moves, the layer around it is transformed, which needs no drawing; once at rest the picture is drawn anew.
function place() {
  const [x, y, w, h] = state.box, [u, v, p, q] = state.drawn, rect = stage.getBoundingClientRect();
  const now = Math.min(rect.width / w, rect.height / h), before = Math.min(rect.width / p, rect.height / q);
  const dx = now * (u + p / 2 - x - w / 2), dy = now * (v + q / 2 - y - h / 2);
  layer.style.transform = `translate(${dx}px, ${dy}px) scale(${now / before})`;
  clearTimeout(state.timer);
  state.timer = setTimeout(settle, 160);
}

function settle() {
  clearTimeout(state.timer);
  state.drawn = [...state.box];
  layer.style.transform = "";
  svg().setAttribute("viewBox", state.box.join(" "));
}

function zoom(factor, px, py) {
  const [x, y, w, h] = state.box;
  state.box = [x + w * px * (1 - factor), y + h * py * (1 - factor), w * factor, h * factor];
  place();
}

function pan(dx, dy) { state.box[0] += dx * state.box[2]; state.box[1] += dy * state.box[3]; place(); }

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const rect = stage.getBoundingClientRect();
  zoom(event.deltaY > 0 ? 1.12 : 1 / 1.12, (event.clientX - rect.left) / rect.width, (event.clientY - rect.top) / rect.height);
}, { passive: false });

let held = null;
stage.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; });
window.addEventListener("pointermove", (event) => {
  if (held === null) return;
  const rect = stage.getBoundingClientRect();
  pan(-(event.clientX - held[0]) / rect.width, -(event.clientY - held[1]) / rect.height);
  held = [event.clientX, event.clientY];
});
window.addEventListener("pointerup", () => { held = null; });
stage.addEventListener("click", (event) => {
  const mark = event.target.closest(".mark");
  clearHits();
  if (mark) pick(mark);
});
stage.addEventListener("focusin", (event) => {
  const mark = event.target.closest(".mark");
  if (mark) { clearHits(); pick(mark); }
});
stage.addEventListener("pointerover", (event) => {
  const mark = event.target.closest(".mark");
  if (mark && state.at < 0) { clearHits(); pick(mark); }
});

slider.addEventListener("input", showSteps);
view.addEventListener("change", () => showView(Number(view.value)));
byId("search").addEventListener("input", (event) => search(event.target.value));
byId("next").addEventListener("click", () => goTo(1));
byId("back").addEventListener("click", () => goTo(-1));
byId("fit").addEventListener("click", fit);
byId("theme").addEventListener("click", () => document.documentElement.classList.toggle("dark"));
document.addEventListener("keydown", (event) => {
  if (["INPUT", "SELECT"].includes(event.target.tagName) && event.target.type !== "range") return;
  const keys = {
    n: () => goTo(1), p: () => goTo(-1), "+": () => zoom(1 / 1.2, 0.5, 0.5), "-": () => zoom(1.2, 0.5, 0.5), 0: fit,
    "/": () => byId("search").focus(), d: () => document.documentElement.classList.toggle("dark"),
    ArrowLeft: () => pan(-0.06, 0), ArrowRight: () => pan(0.06, 0), ArrowUp: () => pan(0, -0.06), ArrowDown: () => pan(0, 0.06),
    Escape: () => { clearHits(); state.at = -1; info.textContent = ""; },
  };
  if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
  const act = keys[event.key];
  if (act) { event.preventDefault(); act(); }
});

showView(Number(document.body.dataset.first));
