// What the reader does: unfold, open and close, step, search, read. The state outlives each change of the picture.
const slider = byId("steps"), view = byId("view"), finder = byId("search");

function tell(text) { info.textContent = text; }

// Shows a picture, and keeps the step, what is selected, what is searched, and a place of the picture where it is.
function change(update, scope) {
  const order = listOrder(), before = state.at < 0 ? null : order.at[state.at];
  const spot = scope === undefined ? null : findSpot(scope);
  update();
  drawPicture();
  keepPlace(spot, scope === undefined ? null : findSpot(scope));
  writeControls();
  search(finder.value, false);
  hideTip();
  if (before === null) { clearStep(); return; }
  state.at = findAgain(before);
  showStep();
}

const findSpot = (scope) => {
  const inside = listShown().filter((entry) => isWithin(readKind(data.marks[entry.id]).scope, scope));
  const count = inside.length || 1;
  const sum = (i) => inside.reduce((total, entry) => total + data.marks[entry.id][i], 0) / count;
  return inside.length ? [sum(2), sum(3)] : null;
};
const isWithin = (scope, other) => scope === other || scope.startsWith(other + "/");

function showView(index) {
  const steps = theView().stops[state.stop], closed = theFold().closed;
  change(() => {
    state.view = index;
    state.stop = findNearest(theView().stops.map((stop) => Math.abs(stop - steps)));
    state.fold = findNearest(theView().states.map((one) => countDifferences(one.closed, closed)));
  });
  if (look.fitted) fit();
}

const findNearest = (distances) => distances.indexOf(Math.min(...distances));
const countDifferences = (some, others) =>
  some.filter((one) => !others.includes(one)).length + others.filter((one) => !some.includes(one)).length;

function unfold(stop) {
  const wanted = Math.min(Math.max(stop, 0), theView().stops.length - 1);
  if (wanted === state.stop) return;
  change(() => { state.stop = wanted; });
  if (look.fitted) fit();
}

// -- scopes -------------------------------------------------------------------------------------------------------------

const listScopes = () => theView().scopes;
const isClosed = (scope) => theFold().closed.some((other) => isWithin(scope, other));

// The stored way to fold that has this scope open or closed and differs least from what is shown otherwise.
function fold(scope, close) {
  const now = theFold().closed;
  const wanted = close ? [...now.filter((other) => !isWithin(other, scope)), scope]
    : now.flatMap((other) => (isWithin(scope, other) ? [] : [other]));
  const fits = (one) => one.closed.some((other) => isWithin(scope, other)) === close;
  const distances = theView().states.map((one) => (fits(one) ? countDifferences(one.closed, wanted) : Infinity));
  if (Math.min(...distances) === Infinity) { tell(`${scope} is no box: what leaves it comes back into it within one step`); return; }
  change(() => { state.fold = findNearest(distances); }, scope);
  tell(`${scope} is ${close ? "closed" : "open"}`);
  const handle = listShown().find((entry) => { const kind = readKind(data.marks[entry.id]); return kind.folds && kind.scope === scope; });
  if (handle && document.activeElement && document.activeElement.closest("#stage, body") && !document.activeElement.closest("nav")) {
    focusMark(handle);
    tell(`${scope} is ${close ? "closed" : "open"}`);
  }
}

function writeControls() {
  const stops = theView().stops, steps = stops[state.stop];
  slider.max = String(stops.length - 1);
  slider.value = String(state.stop);
  slider.disabled = stops.length < 2;
  slider.parentElement.hidden = slider.disabled;
  view.parentElement.hidden = data.views.length < 2;
  byId("count").textContent = steps === 0 ? "cycle" : `${steps} step${steps === 1 ? "" : "s"}`;
  slider.setAttribute("aria-valuetext", byId("count").textContent);
  view.value = String(state.view);
  const group = byId("scopes"), scopes = listScopes();
  byId("scopegroup").hidden = scopes.length === 0;
  const buttons = new Map([...group.children].map((button) => [button.dataset.scope, button]));
  for (const scope of scopes) {
    let button = buttons.get(scope);
    if (!button) {
      button = group.appendChild(document.createElement("button"));
      button.type = "button";
      button.dataset.scope = scope;
    }
    buttons.delete(scope);
    const closed = isClosed(scope), hidden = theFold().closed.some((other) => other !== scope && isWithin(scope, other));
    button.textContent = (closed ? "▸ " : "▾ ") + scope;
    button.setAttribute("aria-expanded", String(!closed));
    button.hidden = hidden;
  }
  for (const button of buttons.values()) button.remove();
}

// -- steps --------------------------------------------------------------------------------------------------------------

// Forward in the order in which values are computed, then backward in the order in which their derivatives are.
function listOrder() {
  const order = thePicture().order.filter((id) => readKind(data.marks[id]).role !== "ghost");
  return { order, at: [...order.map((id) => [id, false]), ...[...order].reverse().map((id) => [id, true])] };
}

// The same variable at the same step in another picture; else the box it is in; else where as large a part is done.
function findAgain([id, back]) {
  const { at } = listOrder(), mark = data.marks[id], kind = readKind(mark);
  const same = (name, step) => at.findIndex(([other, way]) => {
    const found = readKind(data.marks[other]);
    return way === back && found.name === name && (step === undefined || data.marks[other][4] === step);
  });
  const found = same(kind.name, mark[4]);
  if (found >= 0) return found;
  const box = at.findIndex(([other, way]) => {
    const one = readKind(data.marks[other]);
    return way === back && one.folds === "closed" && isWithin(kind.scope, one.scope) && data.marks[other][4] === mark[4];
  });
  if (box >= 0) return box;
  const inside = at.findIndex(([other, way]) => way === back && kind.folds === "closed"
    && isWithin(readKind(data.marks[other]).scope, kind.scope) && data.marks[other][4] === mark[4]);
  return inside >= 0 ? inside : Math.max(0, same(kind.name));
}

function goTo(by) {
  const count = listOrder().at.length;
  if (!count) return;
  state.at = Math.min(Math.max(state.at + by, -1), count - 1);
  if (state.at < 0) { clearStep(); tell(""); return; }
  showStep();
}

function clearStep() {
  state.at = -1;
  stage.classList.remove("stepping");
  clearHits();
  for (const element of [...drawn.ids.values(), ...drawn.lines.values()]) mark(element, false, false);
}

function showStep() {
  const { order, at } = listOrder(), [here, back] = at[state.at], count = order.length;
  clearHits();
  stage.classList.add("stepping");
  const places = new Map(order.map((id, i) => [id, i]));
  const isDone = (id) => back || !places.has(id) || places.get(id) <= state.at;
  const isBack = (id) => back && places.has(id) && 2 * count - 1 - places.get(id) <= state.at;
  for (const [id, element] of drawn.ids) mark(element, isDone(id), isBack(id));
  for (const [id, element] of drawn.lines) {
    const [, , , , tail, head] = data.lines[id];
    mark(element, isDone(head), isBack(head), back ? tail === here && isBack(head) : head === here);
  }
  drawn.ids.get(here).classList.add("hit");
  showMark(here);
  lightLines(readKind(data.marks[here]));
  const number = back ? state.at - count + 1 : state.at + 1;
  tell(`${back ? "backward" : "forward"} ${number} of ${count}: ${back ? "the derivative by " : ""}${describe(here)}`);
}

function mark(element, done, back, hit = false) {
  const now = `${done ? " done" : ""}${back ? " back" : ""}${hit ? " hit" : ""}`;
  if ((element.stepped || "") === now) return;
  element.classList.remove("done", "back", "hit");
  element.classList.add(...now.split(" ").filter(Boolean));
  element.stepped = hit ? "?" : now;  // what is hit is cleared by others as well
}

function clearHits() {
  stage.querySelectorAll(".hit").forEach((one) => one.classList.remove("hit"));
  document.querySelectorAll(".pane li.on").forEach((one) => one.classList.remove("on"));
}

// The line that defines a variable; where there is none, those that read it. Of a box, the lines within it.
function lightLines({ name, scope, folds }) {
  const means = (one) => (folds ? isWithin(one, scope) : one === name);
  for (const pane of document.querySelectorAll(".pane")) {
    const rows = [...pane.querySelectorAll("li[data-reads]")];
    const list = (key) => rows.filter((row) => row.dataset[key] && JSON.parse(row.dataset[key]).some(means));
    const lit = list("defines").length ? list("defines") : list("reads");
    for (const row of name || folds ? lit : []) row.classList.add("on");
    if (lit.length) { const box = lit[0].parentElement; box.scrollTop = lit[0].offsetTop - box.offsetTop - box.clientHeight / 3; }
  }
}

function select(id) {
  if (state.at >= 0) clearStep();
  clearHits();
  drawn.ids.get(id).classList.add("hit");
  for (const [key, element] of drawn.lines) if (data.lines[key][4] === id || data.lines[key][5] === id) element.classList.add("hit");
  lightLines(readKind(data.marks[id]));
  tell(describe(id));
}

// -- search, hover ------------------------------------------------------------------------------------------------------

let found = [], foundAt = -1;
function search(text, say = true) {
  const wanted = text.trim().toLowerCase();
  found = [];
  for (const entry of listShown()) {
    const kind = readKind(data.marks[entry.id]);
    const hit = wanted === "" || `${entry.element.textContent} ${kind.name} ${kind.text}`.toLowerCase().includes(wanted);
    entry.element.classList.toggle("dim", !hit);
    if (hit) found.push(entry);
  }
  for (const line of drawn.lines.values()) line.classList.toggle("dim", wanted !== "");
  foundAt = -1;
  if (say) tell(wanted === "" ? "" : `${found.length} found${found.length ? "; Enter goes to the first" : ""}`);
}

function showTip(event) {
  const element = event.target.closest && event.target.closest(".mark");
  const entry = element && listShown().find((one) => one.element === element);
  const text = entry && describe(entry.id);
  if (!text || held.size) { hideTip(); return; }
  const { folds } = readKind(data.marks[entry.id]), rect = stage.getBoundingClientRect();
  tip.textContent = folds ? `${text} · ${folds === "closed" ? "click opens it" : "click closes it"}` : text;
  tip.hidden = false;
  const left = Math.min(event.clientX - rect.left + 14, rect.width - tip.offsetWidth - 6);
  const top = event.clientY - rect.top + 18 + tip.offsetHeight > rect.height ? -tip.offsetHeight - 10 : 18;
  tip.style.left = `${Math.max(left, 6)}px`;
  tip.style.top = `${event.clientY - rect.top + top}px`;
}

function hideTip() { tip.hidden = true; }

function activate(entry) {
  const { folds, scope } = readKind(data.marks[entry.id]);
  if (folds) fold(scope, folds === "open");
  else select(entry.id);
}

const findEntry = (target) => {
  const element = target.closest(".mark");
  return element ? listShown().find((entry) => entry.element === element) : undefined;
};
stage.addEventListener("click", (event) => {
  const entry = moved > 4 ? undefined : findEntry(event.target);
  if (entry) { focusMark(entry); activate(entry); } else if (moved <= 4) { clearStep(); tell(""); }
});
stage.addEventListener("focusin", (event) => {
  const entry = findEntry(event.target);
  if (entry && state.at < 0) select(entry.id);
});
stage.addEventListener("pointermove", showTip);
stage.addEventListener("pointerleave", hideTip);

// -- controls -----------------------------------------------------------------------------------------------------------

const toggleDark = () => {
  const dark = document.documentElement.classList.toggle("dark");
  byId("theme").setAttribute("aria-pressed", String(dark));
};
const toggleKeys = () => {
  byId("keys").hidden = !byId("keys").hidden;
  byId("help").setAttribute("aria-expanded", String(!byId("keys").hidden));
};
const closeAround = () => {
  const entry = findFocused(), scope = entry && readKind(data.marks[entry.id]).scope;
  if (scope && !isClosed(scope)) fold(scope, true);
};
const openAll = () => {
  change(() => { state.fold = findNearest(theView().states.map((one) => one.closed.length)); });
  tell("all scopes are open");
};

slider.addEventListener("input", () => unfold(Number(slider.value)));
view.addEventListener("change", () => showView(Number(view.value)));
finder.addEventListener("input", () => search(finder.value));
finder.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && found.length) { foundAt = (foundAt + 1) % found.length; showMark(found[foundAt].id); select(found[foundAt].id); }
  if (event.key === "Escape") { finder.value = ""; search(""); stage.focus(); }
});
byId("scopes").addEventListener("click", (event) => {
  const scope = event.target.dataset.scope;
  if (scope !== undefined) fold(scope, !isClosed(scope));
});
for (const [id, act] of [["next", () => goTo(1)], ["back", () => goTo(-1)], ["fit", fit], ["theme", toggleDark], ["help", toggleKeys],
  ["in", () => zoom(1 / 1.25)], ["out", () => zoom(1.25)]]) byId(id).addEventListener("click", act);
byId("switches").addEventListener("click", (event) => {
  const pane = event.target.dataset.pane && byId("pane-" + event.target.dataset.pane);
  if (!pane) return;
  pane.hidden = !pane.hidden;
  event.target.setAttribute("aria-pressed", String(!pane.hidden));
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target, arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (["INPUT", "SELECT"].includes(target.tagName) && target.type !== "range") return;
  if (arrow) {
    if (!target.closest("#stage, body") || target.type === "range" || target.closest(".pane")) return;
    event.preventDefault();
    if (event.shiftKey || !target.closest("#stage")) pan(0.06 * arrow[0], 0.06 * arrow[1]);
    else goTowards(...arrow);
    return;
  }
  const entry = target.closest("#layer") && findEntry(target);
  const keys = {
    n: () => goTo(1), p: () => goTo(-1), "+": () => zoom(1 / 1.2), "=": () => zoom(1 / 1.2), "-": () => zoom(1.2), 0: fit,
    "[": () => unfold(state.stop - 1), "]": () => unfold(state.stop + 1), c: closeAround, o: openAll, d: toggleDark, "?": toggleKeys,
    "/": () => finder.focus(), Escape: () => { clearStep(); tell(""); },
    ...(entry ? { Enter: () => activate(entry), " ": () => activate(entry) } : {}),
  };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

// To begin with, at most four steps, fewer where they would be small; the program waits where there is little room for it.
const isSmall = () => { fit(); return stage.clientWidth / look.box[2] < 0.62; };
if (stage.clientWidth < 640 && window.innerWidth > 960) byId("switches").querySelector('[data-pane="program"]')?.click();
const ROLES = { input: "input", state: "state", inner: "value within a step", output: "output", loss: "loss", label: "target",
  param: "parameter", ghost: "row outside of the sequence", op: "operation", delay: "delay", static: "computed once" };
for (const role of Object.keys(ROLES)) {
  if (!data.kinds.some((kind) => kind[0] === role)) continue;
  const entry = byId("legend").appendChild(document.createElement("li")), swatch = entry.appendChild(document.createElement("span"));
  swatch.style.cssText = `background: var(--${role}-fill); border: 2px ${role === "ghost" ? "dashed" : "solid"} var(--${role}-line)`;
  entry.append(ROLES[role]);
}
state.stop = theView().stops.filter((stop) => stop <= 4).length - 1;
while (state.stop > 2 && isSmall()) state.stop -= 1;
byId("theme").setAttribute("aria-pressed", String(document.documentElement.classList.contains("dark")));
drawPicture();
writeControls();
fit();
tell("Point at a variable or click it; step ▶ computes forward, then backward"
  + (listScopes().length ? "; a click on a box opens it, on a frame's name closes it." : "."));
