"use strict";
// The neighbor explorer: the lists. map.js and start.js follow in the same script. They read the JSON of their own page
// and fetch nothing. Titles and ids come from strangers: they reach the page as textContent alone. What is open stands in
// the URL's hash, so that the back button and a copied address work: #pin=ID&show=FILTER&find=WORDS.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const DEPTH = data.depth, ROWS = 60;
const NOT_ASKED = 0, MISS = 1, HIT = 2, REMOVED = -1;

function unpack(text, Numbers) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return new Numbers(bytes.buffer);
}

const { ids, titles } = data.pins;
const degrees = unpack(data.pins.degrees, Int32Array);
const Places = ids.length < 2 ** 15 ? Int16Array : Int32Array;
const lists = {
  pins: unpack(data.lists.pins, Places),
  ours: unpack(data.lists.ours, Places), ourScores: unpack(data.lists.ourScores, Int16Array), // scores in thousandths
  theirs: unpack(data.lists.theirs, Places), theirScores: unpack(data.lists.theirScores, Int16Array),
  kept: unpack(data.lists.kept, Int8Array), rbo: unpack(data.lists.rbo, Float32Array),
};
const listOf = new Int32Array(ids.length).fill(-1); // of a pin, the row of its lists
lists.pins.forEach((pin, row) => { listOf[pin] = row; });
const pinOf = new Map(ids.map((id, pin) => [id, pin]));
const texts = ids.map((id, pin) => `${titles[pin]}\n${id}`.toLowerCase());
const isCompared = lists.kept.some((kept) => kept >= 0);
const allRows = Array.from(lists.pins.keys());

const FILTERS = {
  all: { label: "all", has: () => true },
  cold: { label: "cold", has: (row) => degrees[lists.pins[row]] === 0 },
  popular: { label: "popular", has: (row) => degrees[lists.pins[row]] >= data.popularFrom },
  ...(isCompared && { new: { label: "new", has: (row) => lists.kept[row] < 0 } }),
};
for (const filter of Object.values(FILTERS)) filter.rows = allRows.filter(filter.has);

// ---- What is open

let state = { pin: "", show: "all", find: "" };
let found = [], numShown = ROWS;

function readHash() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const show = asked.get("show") ?? "all";
  return { pin: asked.get("pin") ?? "", show: Object.hasOwn(FILTERS, show) ? show : "all", find: asked.get("find") ?? "" };
}

function hashOf(changes) {
  const { pin, show, find } = { ...state, ...changes };
  const asked = new URLSearchParams();
  if (pin) asked.set("pin", pin);
  if (show !== "all") asked.set("show", show);
  if (find) asked.set("find", find);
  return asked.toString();
}

function go(changes) {
  state = { ...state, ...changes };
  render();
  // Afterwards, and never as a link's own jump: MLflow shows the page in a sandbox whose address may not change.
  if (hashOf({}) !== location.hash.slice(1)) location.hash = hashOf({});
}

function follow() {
  if (location.hash.slice(1) === hashOf({})) return; // we set it ourselves
  state = readHash();
  render();
}

function render() {
  if (byId("find").value !== state.find) byId("find").value = state.find;
  search();
  renderDetail();
  draw();
}

// ---- The list on the left

function search() {
  const words = state.find.toLowerCase().split(/\s+/).filter(Boolean);
  const exact = pinOf.has(state.find.trim()) ? listOf[pinOf.get(state.find.trim())] : -1;
  found = FILTERS[state.show].rows.filter((row) => row !== exact && words.every((word) => texts[lists.pins[row]].includes(word)));
  if (exact >= 0 && FILTERS[state.show].has(exact)) found.unshift(exact);
  numShown = ROWS;
  const open = found.indexOf(openRow());
  if (open >= numShown && open < 20 * ROWS) numShown = open + 1; // the open pin stays in sight while one steps through
  renderList();
}

/** The row of the pin that is open: the asked one, else the first one found; -1 where there is none. */
function openRow() {
  if (!state.pin) return found[0] ?? -1;
  const pin = pinOf.get(state.pin);
  return pin === undefined ? -1 : listOf[pin];
}

function renderList() {
  byId("count").textContent = found.length ? `${found.length.toLocaleString("en")} pins` : "No pin has these words in its title or pin_id.";
  byId("list").replaceChildren(...found.slice(0, numShown).map(listItem));
  byId("more").hidden = found.length <= numShown;
  for (const button of byId("filters").children) button.setAttribute("aria-pressed", button.dataset.name === state.show);
  const list = byId("list"), current = list.querySelector("[aria-current]");
  if (!current) return;
  const { top, bottom } = current.getBoundingClientRect(), seen = list.getBoundingClientRect();
  if (top < seen.top || bottom > seen.bottom) list.scrollTop += top - seen.top - 80; // the list alone, never the page
}

function listItem(row) {
  const pin = lists.pins[row], kept = lists.kept[row];
  const figure = kept >= 0 ? `${kept} of ${DEPTH}` : isCompared ? "new" : saves(degrees[pin]);
  const item = document.createElement("li");
  const link = pinLink(pin, "", tile(pin), element("span", "title", titles[pin]), element("small", "", figure));
  if (row === openRow()) link.setAttribute("aria-current", "true");
  item.append(link);
  return item;
}

function step(by) {
  const place = found.indexOf(openRow()) + by;
  if (place >= 0 && place < found.length) go({ pin: ids[lists.pins[found[place]]] });
}

// ---- The lists of a pin

function renderDetail() {
  const place = byId("detail"), row = openRow();
  if (row < 0) {
    place.replaceChildren(element("p", "", state.pin ? `The pin ${state.pin} has no list on this page.` : ""));
    return;
  }
  const both = element("div", "pair");
  if (lists.kept[row] >= 0) both.append(column(row, "The release before", lists.theirs, lists.theirScores, lists.ours, false));
  both.append(column(row, "This model", lists.ours, lists.ourScores, lists.theirs, true));
  place.replaceChildren(heading(row), both);
}

function heading(row) {
  const pin = lists.pins[row], words = element("div", "");
  const agreement = lists.kept[row] >= 0
    ? `${lists.kept[row]} of ${DEPTH} related pins stay · rank-biased overlap ${lists.rbo[row].toFixed(3)}`
    : isCompared ? "The release before does not know this pin." : "";
  words.append(element("h3", "", titles[pin]), element("p", "", `${ids[pin]} · ${saves(degrees[pin])}`), element("p", "agreement", agreement));
  const head = element("div", "pin");
  head.append(tile(pin), words);
  return head;
}

function column(row, name, own, scores, others, isOurs) {
  const from = row * DEPTH, rest = others.subarray(from, from + DEPTH);
  const box = element("div", isOurs ? "ours" : "theirs"), rows = document.createElement("ol");
  for (let rank = 0; rank < DEPTH; rank++) {
    const pin = own[from + rank];
    if (pin < 0) continue;
    const title = element("span", "", ""), item = document.createElement("li");
    title.append(element("span", "title", titles[pin]), element("small", "", `${(scores[from + rank] / 1000).toFixed(3)} · ${saves(degrees[pin])}`));
    const change = lists.kept[row] >= 0 ? moved(rank, rest.indexOf(pin), isOurs) : element("span", "mark", "");
    item.append(pinLink(pin, "row", element("b", "", rank + 1), tile(pin), title, change));
    rows.append(item);
  }
  box.append(element("h4", "", name), rows.children.length ? rows : element("p", "", "No pin is related."));
  return box;
}

function moved(rank, before, isOurs) {
  if (before < 0) return isOurs ? element("span", "mark in", "new here") : element("span", "mark out", "gone");
  if (before === rank) return element("span", "mark", "same rank");
  if (!isOurs) return element("span", "mark", `now ${before + 1}`);
  return before > rank ? element("span", "mark up", `▲ ${before - rank}`) : element("span", "mark down", `▼ ${rank - before}`);
}

function saves(degree) {
  if (degree === REMOVED) return "not in this catalog";
  return degree === 0 ? "cold" : degree === 1 ? "1 save" : `${degree.toLocaleString("en")} saves`;
}

// ---- Elements

function element(tag, style, text) {
  const made = document.createElement(tag);
  if (style) made.className = style;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A link to a pin's lists; where the page has none, the same without a link. */
function pinLink(pin, style, ...children) {
  const hasLists = listOf[pin] >= 0, made = element(hasLists ? "a" : "div", style);
  if (hasLists) { made.href = `#${hashOf({ pin: ids[pin] })}`; made.dataset.pin = ids[pin]; }
  made.title = titles[pin];
  made.append(...children);
  return made;
}

function tile(pin) {
  const box = element("div", "tile"), picture = data.pictures[pin];
  const inner = picture ? element("img", "") : element("div", "words");
  if (picture) { inner.src = picture; inner.alt = ""; }
  else { inner.style.setProperty("--hue", hue(ids[pin])); inner.append(element("span", "", titles[pin])); }
  box.append(inner);
  return box;
}

function hue(text) {
  let sum = 7;
  for (const letter of text) sum = (31 * sum + letter.codePointAt(0)) % 360;
  return sum;
}
