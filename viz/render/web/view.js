// Where the reader looks: the box of the picture that is shown, moved and scaled; and from variable to variable by keyboard.
const look = { box: null, drawn: null, timer: 0, fitted: true };
const LARGEST = 2.2;  // pixels a point: a single step does not fill the screen

function fit() {
  const [x, y, w, h] = thePicture().box, rect = stage.getBoundingClientRect();
  const scale = Math.min(rect.width / w, rect.height / h, LARGEST) || 1;
  const [p, q] = [rect.width / scale, rect.height / scale];
  look.box = [x + w / 2 - p / 2, y + h / 2 - q / 2, p, q];
  look.fitted = true;
  settle();
}

// While it moves, the layer around it is transformed, which needs no drawing; once at rest the picture is drawn anew.
function place() {
  const [x, y, w, h] = look.box, [u, v, p, q] = look.drawn, rect = stage.getBoundingClientRect();
  const now = Math.min(rect.width / w, rect.height / h), before = Math.min(rect.width / p, rect.height / q);
  const dx = now * (u + p / 2 - x - w / 2), dy = now * (v + q / 2 - y - h / 2);
  layer.style.transform = `translate(${dx}px, ${dy}px) scale(${now / before})`;
  clearTimeout(look.timer);
  look.timer = setTimeout(settle, 160);
}

function settle() {
  clearTimeout(look.timer);
  look.drawn = [...look.box];
  layer.style.transform = "";
  svg.setAttribute("viewBox", look.box.map((value) => value.toFixed(2)).join(" "));
}

function zoom(factor, px = 0.5, py = 0.5) {
  const [x, y, w, h] = look.box, most = Math.max(thePicture().box[2], thePicture().box[3], w);
  if (w * factor > 20 * most || w * factor < 20) return;
  look.box = [x + w * px * (1 - factor), y + h * py * (1 - factor), w * factor, h * factor];
  look.fitted = false;
  place();
}

function pan(dx, dy) {
  look.box[0] += dx * look.box[2];
  look.box[1] += dy * look.box[3];
  look.fitted = false;
  place();
}

// Keeps a place of the picture where it is on the screen while the picture around it changes.
function keepPlace(before, after) {
  if (look.fitted || !before || !after) { if (look.fitted) fit(); return; }
  look.box[0] += after[0] - before[0];
  look.box[1] += after[1] - before[1];
  settle();
}

function showMark(id) {
  const [x, y] = data.marks[id].slice(2), [u, v, w, h] = look.box;
  if (x > u && x < u + w && y > v && y < v + h) return;
  look.box = [x - w / 2, y - h / 2, w, h];
  look.fitted = false;
  settle();
}

function focusMark(entry) {
  if (!entry) return;
  for (const other of markLayer.querySelectorAll('[tabindex="0"]')) other.setAttribute("tabindex", "-1");
  entry.element.setAttribute("tabindex", "0");
  showMark(entry.id);
  entry.element.focus({ preventScroll: true });
}

const findFocused = () => {
  const element = document.activeElement && document.activeElement.closest("#layer .mark");
  return element ? listShown().find((entry) => entry.element === element) : undefined;
};

// The nearest variable in a direction: what lies straight ahead counts as nearer than what lies aside.
function goTowards(dx, dy) {
  const here = findFocused();
  if (!here) { focusMark(listShown()[0]); return; }
  const [x, y] = data.marks[here.id].slice(2);
  let best, least = Infinity;
  for (const entry of listShown()) {
    const [u, v] = data.marks[entry.id].slice(2), ahead = (u - x) * dx + (v - y) * dy;
    const aside = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
    if (ahead > 1 && ahead + 2.5 * aside < least) [best, least] = [entry, ahead + 2.5 * aside];
  }
  focusMark(best);
}

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const rect = stage.getBoundingClientRect();
  zoom(event.deltaY > 0 ? 1.12 : 1 / 1.12, (event.clientX - rect.left) / rect.width, (event.clientY - rect.top) / rect.height);
}, { passive: false });

// One pointer drags; two zoom about the point between them.
const held = new Map();
let moved = 0;
stage.addEventListener("pointerdown", (event) => { held.set(event.pointerId, [event.clientX, event.clientY]); moved = 0; });
window.addEventListener("pointermove", (event) => {
  const before = held.get(event.pointerId);
  if (!before) return;
  const rect = stage.getBoundingClientRect(), now = [event.clientX, event.clientY];
  const other = [...held].find(([id]) => id !== event.pointerId);
  if (other) {
    const far = (a) => Math.hypot(a[0] - other[1][0], a[1] - other[1][1]) || 1;
    const middle = [(now[0] + other[1][0]) / 2, (now[1] + other[1][1]) / 2];
    zoom(far(before) / far(now), (middle[0] - rect.left) / rect.width, (middle[1] - rect.top) / rect.height);
  } else {
    moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    if (moved > 4) { pan(-(now[0] - before[0]) / rect.width, -(now[1] - before[1]) / rect.height); hideTip(); }
  }
  held.set(event.pointerId, now);
});
for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, (event) => held.delete(event.pointerId));
new ResizeObserver(() => { if (look.box) { if (look.fitted) fit(); else settle(); } }).observe(stage);
