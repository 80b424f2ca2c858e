// Classifies in the browser: examples and query become tensors, the exported ONNX file answers.
import * as ort from "./runtime/ort.wasm.min.mjs";

const SIDE = 224; // pixels of a canvas, a multiple of what networks see: 28 or 32
const MOST = 5; // examples of a class
const COLOURS = ["#1a1a1a", "#d62728", "#ff9f1c", "#f4d35e", "#2ca02c", "#1f77b4", "#8c564b", "#ffffff"];
const PEN = { ink: 7, colour: 14 }; // pixels; characters were drawn with a thin pen

ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send
ort.env.logLevel = "error";

const byId = (name) => document.getElementById(name);
const state = { model: null, session: null, colour: COLOURS[0], asked: 0, task: null, answer: null };

// --- a pad to draw on or to drop a picture on ----------------------------------------------------

function makePad(onChange) {
  const element = byId("pad").content.firstElementChild.cloneNode(true);
  const canvas = element.querySelector("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const pad = { element, canvas, used: false };
  let last = null;

  pad.clear = () => {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, SIDE, SIDE);
    pad.used = false;
    onChange();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = place(event);
    Object.assign(pen, { lineCap: "round", lineWidth: state.model.ink ? PEN.ink : PEN.colour });
    pen.strokeStyle = state.model.ink ? "#000" : state.colour;
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...next);
    pen.stroke();
    [last, pad.used] = [next, true];
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (last && pad.used) onChange();
      last = null;
    });
  }
  canvas.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("drop");
  });
  canvas.addEventListener("dragleave", () => element.classList.remove("drop"));
  canvas.addEventListener("drop", async (event) => {
    event.preventDefault();
    element.classList.remove("drop");
    const file = event.dataTransfer.files[0];
    if (file) await pad.show(file);
  });
  pad.show = async (file) => {
    let picture;
    try {
      picture = await createImageBitmap(file);
    } catch {
      byId("status").textContent = `${file.name} is no picture that this browser can read.`;
      return;
    }
    // The whole picture, with white beside it: nothing is stretched or cut off.
    const scale = SIDE / Math.max(picture.width, picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, SIDE, SIDE);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
    pad.used = true;
    onChange();
  };
  element.querySelector(".clear").addEventListener("click", pad.clear);
  pad.clear();
  return pad;
}

// What the network sees of a pad: means of blocks of pixels, 0 to 1, in the order
// [height, width, channel]; grey as 0.299 R + 0.587 G + 0.114 B, ink bright.
function pixels(pad) {
  const { height, width, channels, ink } = state.model;
  const data = pad.canvas.getContext("2d").getImageData(0, 0, SIDE, SIDE).data;
  const [down, across] = [SIDE / height, SIDE / width];
  const out = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sum = [0, 0, 0];
      for (let i = y * down; i < (y + 1) * down; i++) {
        for (let j = x * across; j < (x + 1) * across; j++) {
          for (let c = 0; c < 3; c++) sum[c] += data[4 * (i * SIDE + j) + c];
        }
      }
      const mean = sum.map((value) => value / (255 * down * across));
      const grey = 0.299 * mean[0] + 0.587 * mean[1] + 0.114 * mean[2];
      const values = channels === 1 ? [grey] : mean;
      values.forEach((value, c) => (out[(y * width + x) * channels + c] = ink ? 1 - value : value));
    }
  }
  return out;
}

// --- classes -------------------------------------------------------------------------------------

const classes = [];
const query = makePad(() => ask());
byId("query").append(query.element);

function addClass() {
  const row = document.createElement("div");
  row.className = "class";
  const name = document.createElement("input");
  name.value = `class ${classes.length + 1}`;
  name.setAttribute("aria-label", "name of the class");
  name.addEventListener("input", () => ask());
  const more = document.createElement("button");
  more.textContent = "One more example";
  const one = { row, name, pads: [] };
  const addPad = () => {
    const pad = makePad(() => ask());
    one.pads.push(pad);
    more.before(pad.element);
    more.hidden = one.pads.length === MOST;
  };
  more.addEventListener("click", addPad);
  row.append(name, more);
  addPad();
  classes.push(one);
  byId("classes").append(row);
  byId("add-class").hidden = state.model !== null && classes.length === state.model.way;
}

// --- asking --------------------------------------------------------------------------------------

function task() {
  const known = classes
    .map(({ name, pads }) => ({ name: name.value, pads: pads.filter((pad) => pad.used) }))
    .filter(({ pads }) => pads.length > 0);
  const examples = known.flatMap(({ pads }, label) => pads.map((pad) => [pad, label]));
  return { known, examples };
}

function missing({ known }) {
  const { way } = state.model;
  if (way && known.length < way) return `This model tells ${way} classes apart: draw an example of each.`;
  if (known.length < 2) return "Draw an example of two classes or more.";
  return query.used ? "" : "Draw something new on the right.";
}

async function ask() {
  const number = ++state.asked;
  [state.task, state.answer] = [null, null];
  if (!state.session) return;
  const found = task();
  const what = missing(found);
  byId("status").textContent = what;
  byId("answers").replaceChildren();
  if (what) return;
  const { height, width, channels } = state.model;
  const joined = (pads) => {
    const parts = pads.map(pixels);
    const all = new Float32Array(parts.length * height * width * channels);
    parts.forEach((part, i) => all.set(part, i * part.length));
    return all;
  };
  const count = found.examples.length;
  const supportX = joined(found.examples.map(([pad]) => pad));
  const supportY = Int32Array.from(found.examples, ([, label]) => label);
  const queryX = joined([query]);
  const output = await state.session.run({
    support_x: new ort.Tensor("float32", supportX, [count, height, width, channels]), // [item, ...]
    support_y: new ort.Tensor("int32", supportY, [count]),
    query_x: new ort.Tensor("float32", queryX, [1, height, width, channels]),
  });
  if (number !== state.asked) return; // something was drawn meanwhile
  const probabilities = Array.from(output.probabilities.data).slice(0, found.known.length);
  show(found.known.map(({ name }) => name), probabilities);
  state.task = { support_x: Array.from(supportX), support_y: Array.from(supportY), query_x: Array.from(queryX) };
  state.answer = Array.from(output.probabilities.data);
}

function show(names, probabilities) {
  const order = names.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
  byId("answers").replaceChildren(
    ...order.map((i) => {
      const percent = Math.round(100 * probabilities[i]);
      const line = document.createElement("li");
      const [name, bar, value] = ["span", "div", "span"].map((tag) => document.createElement(tag));
      const fill = document.createElement("i");
      name.textContent = names[i];
      bar.className = "bar";
      fill.style.width = `${percent}%`;
      bar.append(fill);
      value.textContent = `${percent} %`;
      line.append(name, bar, value);
      return line;
    }),
  );
}

// --- models --------------------------------------------------------------------------------------

async function choose(model) {
  Object.assign(state, { model, session: null });
  byId("about").textContent = model.about;
  byId("colours").hidden = model.ink;
  byId("status").textContent = "Loading.";
  classes.splice(0).forEach(({ row }) => row.remove());
  for (let i = 0; i < (model.way ?? 3); i++) addClass();
  query.clear();
  const session = await ort.InferenceSession.create(model.file);
  if (state.model !== model) return; // another one was chosen meanwhile
  state.session = session;
  ask();
}

function addColours() {
  byId("colours").replaceChildren(
    ...COLOURS.map((colour) => {
      const button = document.createElement("button");
      Object.assign(button.style, { background: colour, borderColor: "#999" });
      button.setAttribute("aria-label", `pen ${colour}`);
      button.setAttribute("aria-pressed", colour === state.colour);
      button.addEventListener("click", () => {
        state.colour = colour;
        addColours();
      });
      return button;
    }),
  );
}

function tell(error) {
  byId("status").textContent = `The model cannot be loaded: ${error.message}`;
}

async function start() {
  const models = await (await fetch("models.json")).json();
  const select = byId("model");
  select.append(...models.map(({ name }) => new Option(name, name)));
  select.addEventListener("change", () => choose(models[select.selectedIndex]).catch(tell));
  byId("add-class").addEventListener("click", addClass);
  addColours();
  await choose(models[0]);
}

// For tests: the last task and answer, and the pads.
window.demo = { state, classes, query };
start().catch(tell);
