// The neighbor explorer: the map of the embeddings.

const map = {
  pins: unpack(data.map.pins, Int32Array), x: unpack(data.map.x, Uint16Array), y: unpack(data.map.y, Uint16Array),
  degrees: unpack(data.map.degrees, Int32Array), found: unpack(data.map.found, Uint8Array),
};
const pointOf = new Int32Array(ids.length).fill(-1);
map.pins.forEach((pin, point) => { if (pin >= 0) pointOf[pin] = point; });
const canvas = byId("map"), whole = { zoom: 1, x: 0.5, y: 0.5 };
const GRAY = [154, 149, 142], RED = [214, 58, 70], GREEN = [38, 154, 98], BLUE = [74, 130, 186];
const mostSaves = Math.log2(1 + map.degrees.reduce((most, degree) => Math.max(most, degree), 1));
const shade = (share) => GRAY.map((from, i) => Math.round(from + share * (RED[i] - from)));
// Of each way to color: the words of the legend, and of a point its color and whether it lies above the others.
const COLORS = {
  hits: {
    label: "hit or miss", legend: [[GREEN, "a held-out positive found"], [RED, "missed"], [GRAY, "not asked"]],
    of: (i) => [[GRAY, RED, GREEN][map.found[i]], map.found[i] !== NOT_ASKED],
  },
  saves: {
    label: "saves", legend: [[GRAY, "few"], [shade(0.5), "some"], [RED, "many training saves"]],
    of: (i) => { const share = Math.log2(1 + map.degrees[i]) / mostSaves; return [shade(share), share > 0.5]; },
  },
  cold: {
    label: "cold", legend: [[BLUE, "no training save"], [GRAY, "others"]],
    of: (i) => [map.degrees[i] === 0 ? BLUE : GRAY, map.degrees[i] === 0],
  },
  ...(isCompared && { change: {
    label: "change", legend: [[GRAY, "the same list"], [shade(0.5), "half"], [RED, "nothing in common"]],
    of: (i) => {
      const row = map.pins[i] < 0 ? -1 : listOf[map.pins[i]], rbo = row < 0 || lists.kept[row] < 0 ? 1 : lists.rbo[row];
      return [shade(1 - rbo), rbo < 0.5];
    },
  } }),
};
let view = { ...whole }, coloring = isCompared ? "change" : "hits", isWaiting = false;

function draw() { // once a frame, however often it is asked for
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => { isWaiting = false; paint(); });
}

/** The size of the canvas in pixels of the screen, and the place of a point on it. */
function frame() {
  const ratio = devicePixelRatio || 1, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  const scale = 0.96 * Math.min(width, height) * view.zoom / 65535;
  const left = width / 2 - view.x * 65535 * scale, top = height / 2 - view.y * 65535 * scale;
  return { ratio, width, height, at: (i) => [left + map.x[i] * scale, top + map.y[i] * scale] };
}

function paint() {
  const { ratio, width, height, at } = frame(), context = canvas.getContext("2d");
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  // Into the pixels themselves: 100,000 calls of fillRect take ten times as long.
  const image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const size = Math.max(2, Math.round(ratio * (map.x.length > 30000 ? 1.5 : 2.5) * Math.sqrt(Math.min(view.zoom, 4))));
  const above = [];
  const dot = (i, [red, green, blue]) => {
    const [x, y] = at(i), left = Math.round(x - size / 2), top = Math.round(y - size / 2);
    if (left < 0 || top < 0 || left + size > width || top + size > height) return;
    const color = (255 << 24) | (blue << 16) | (green << 8) | red; // little-endian RGBA
    for (let row = top; row < top + size; row++) pixels.fill(color, row * width + left, row * width + left + size);
  };
  for (let i = 0; i < map.x.length; i++) {
    const [color, isAbove] = COLORS[coloring].of(i);
    if (isAbove) above.push([i, color]);
    else dot(i, color);
  }
  for (const [i, color] of above) dot(i, color);
  context.putImageData(image, 0, 0);
  paintOpenPin(context, ratio, at);
}

function paintOpenPin(context, ratio, at) {
  const row = openRow(), point = row < 0 ? -1 : pointOf[lists.pins[row]];
  if (point < 0) return;
  const [x, y] = at(point);
  for (const [own, color] of [[lists.theirs, BLUE], [lists.ours, RED]]) {
    context.strokeStyle = `rgb(${color})`;
    context.lineWidth = ratio;
    for (const other of own.subarray(row * DEPTH, row * DEPTH + DEPTH)) {
      if (other < 0 || pointOf[other] < 0) continue;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(...at(pointOf[other]));
      context.stroke();
    }
  }
  context.strokeStyle = getComputedStyle(document.body).color;
  context.lineWidth = 2 * ratio;
  context.beginPath();
  context.arc(x, y, 7 * ratio, 0, 2 * Math.PI);
  context.stroke();
}

/** The pin of the page that is nearest to the mouse, -1 where none is within ten pixels. */
function pinAt(event) {
  const { ratio, at } = frame(), x = event.offsetX * ratio, y = event.offsetY * ratio;
  let nearest = -1, least = (10 * ratio) ** 2;
  for (let i = 0; i < map.x.length; i++) {
    if (map.pins[i] < 0) continue;
    const [left, top] = at(i), distance = (left - x) ** 2 + (top - y) ** 2;
    if (distance < least) { least = distance; nearest = map.pins[i]; }
  }
  return nearest;
}

function zoom(by) {
  view.zoom = Math.min(200, Math.max(1, view.zoom * by));
  if (view.zoom === 1) view = { ...whole };
  draw();
}

function colorBy(name) {
  coloring = name;
  renderColors();
  draw();
}

function renderColors() {
  for (const button of byId("colors").children) button.setAttribute("aria-pressed", button.dataset.name === coloring);
  byId("legend").replaceChildren(...COLORS[coloring].legend.map(([color, words]) => {
    const entry = element("span", ""), spot = element("i", "");
    spot.style.background = `rgb(${color})`;
    entry.append(spot, words);
    return entry;
  }));
}

function listenToMap() {
  let last = null, isDragged = false;
  canvas.addEventListener("pointerdown", (event) => { last = event; isDragged = false; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", (event) => {
    const pin = last && !isDragged ? pinAt(event) : -1;
    last = null;
    if (pin >= 0 && listOf[pin] >= 0) go({ pin: ids[pin] });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last) {
      const size = 0.96 * Math.min(canvas.clientWidth, canvas.clientHeight) * view.zoom;
      isDragged ||= Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY) > 3;
      if (!isDragged) return;
      view.x -= (event.clientX - last.clientX) / size;
      view.y -= (event.clientY - last.clientY) / size;
      last = event;
      draw();
    } else {
      const pin = pinAt(event);
      byId("under").textContent = pin < 0 ? "" : `${titles[pin]} · ${ids[pin]} · ${saves(degrees[pin])}`;
    }
  });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the wheel alone scrolls the page
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
  }, { passive: false });
}
