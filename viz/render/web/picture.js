// What is drawn: the picture of a view, of a way to fold it, and of a number of steps. Names reach the document as text only.
const byId = (id) => document.getElementById(id);
const stage = byId("stage"), layer = byId("layer"), info = byId("info"), tip = byId("tip");
const data = JSON.parse(byId("data").textContent);
const NS = "http://www.w3.org/2000/svg";
const svg = layer.appendChild(document.createElementNS(NS, "svg"));
const [groundLayer, lineLayer, markLayer] = ["grounds", "lines", "marks"].map((name) => {
  const group = svg.appendChild(document.createElementNS(NS, "g"));
  group.setAttribute("class", name);
  return group;
});
svg.setAttribute("text-anchor", "middle");
const state = { view: 0, stop: 0, fold: 0, at: -1, current: null };

const theView = () => data.views[state.view];
const theFold = () => theView().states[state.fold];
const thePicture = () => theFold().pictures[state.stop];
const kinds = data.kinds.map(([role, name, text, scope, folds]) => ({ role, name, text, scope, folds }));
const readKind = (mark) => kinds[mark[1]];

const listRuns = (runs) => {
  const out = [];
  for (let i = 0; i < runs.length; i += 2) for (let k = 0; k < runs[i + 1]; k++) out.push(runs[i] + k);
  return out;
};

const pieces = [];
function makePiece(shape) {
  if (!pieces[shape]) {
    pieces[shape] = document.createElementNS(NS, "g");
    pieces[shape].innerHTML = data.shapes[shape];
  }
  return pieces[shape].cloneNode(true);
}

// A variable at a step is one element as long as it is shown, whatever is unfolded or opened around it: it moves there.
const drawn = { marks: new Map(), lines: new Map() };
const findKey = (id, seen) => {
  const mark = data.marks[id], { role, name, folds } = readKind(mark);
  const own = name ? JSON.stringify([name, mark[4], role, folds]) : "#" + id;
  const count = seen.get(own) || 0;
  seen.set(own, count + 1);
  return count ? own + count : own;
};

function placeElement(element, x, y) { element.style.transform = `translate(${x}px, ${y}px)`; }

function makeMark(id) {
  const mark = data.marks[id], kind = readKind(mark), element = makePiece(mark[0]);
  element.id = "n" + id;
  element.setAttribute("class", `mark ${kind.role}${kind.folds ? " folds " + kind.folds : ""}`);
  for (const [key, value] of [["name", kind.name], ["scope", kind.scope], ["step", mark[4]]]) {
    if (value !== null && value !== "") element.dataset[key] = value;
  }
  if (kind.text) element.setAttribute("aria-label", describe(id));
  if (kind.folds) {
    element.setAttribute("role", "button");
    element.setAttribute("aria-expanded", String(kind.folds === "open"));
    element.setAttribute("tabindex", "-1");
  } else if (!isSilent(kind)) {
    element.setAttribute("role", "img");
    element.setAttribute("tabindex", "-1");
  }
  return element;
}

const isSilent = (kind) => ["text", "words", "slice", "joint", "point", "sharedpoint"].includes(kind.role) && !kind.folds;

function describe(id) {
  const mark = data.marks[id], { name, text } = readKind(mark), step = mark[4];
  const found = (data.values[name] || [])[step === null ? 0 : step];
  const parts = [text];
  if (step !== null) parts.push("step " + step);
  if (found && found[0]) parts.push("value " + found[0]);
  if (found && found[1]) parts.push("gradient " + found[1]);
  return parts.join(" · ");
}

// Elements that stay keep their identity and move; the others go or come. Nothing is built anew that is there already.
function drawPicture() {
  const picture = thePicture(), focused = document.activeElement, seen = new Map(), marks = new Map(), lines = new Map();
  const ids = new Map();
  for (const [group, runs] of [[groundLayer, picture.grounds], [markLayer, picture.marks]]) {
    let next = group.firstChild;
    for (const id of listRuns(runs)) {
      const key = findKey(id, seen), mark = data.marks[id];
      let entry = drawn.marks.get(key);
      if (!entry || entry.shape !== mark[0] || entry.kind !== mark[1]) {
        if (entry) { if (next === entry.element) next = next.nextSibling; entry.element.remove(); }
        entry = { element: makeMark(id), shape: mark[0], kind: mark[1] };
        entry.element.classList.add("comes");
      }
      entry.id = id;
      entry.element.id = "n" + id;
      placeElement(entry.element, mark[2], mark[3]);
      marks.set(key, entry);
      ids.set(id, entry.element);
      if (entry.element === next) next = next.nextSibling;
      else group.insertBefore(entry.element, next);
    }
  }
  for (const [key, entry] of drawn.marks) if (marks.get(key) !== entry) entry.element.remove();
  for (const id of listRuns(picture.lines)) {
    let element = drawn.lines.get(id);
    if (!element) {
      const line = data.lines[id];
      element = makePiece(line[0]);
      element.setAttribute("class", `line ${line[1]} comes`);
      [element.dataset.tail, element.dataset.head] = ["n" + line[4], "n" + line[5]];
      placeElement(element, line[2], line[3]);
      lineLayer.append(element);
    }
    lines.set(id, element);
  }
  for (const [id, element] of drawn.lines) if (!lines.has(id)) element.remove();
  Object.assign(drawn, { marks, lines, ids });
  stage.classList.toggle("many", marks.size > 250);  // these do not glide to their places
  if (focused && focused.closest && focused.closest("#layer") && focused.isConnected) focused.focus({ preventScroll: true });
}

const listShown = () => [...drawn.marks.values()].filter((entry) => !isSilent(readKind(data.marks[entry.id])));
