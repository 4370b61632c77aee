// The neighbor explorer: what listens, and how the page begins.

function listen() {
  addEventListener("hashchange", follow);
  addEventListener("resize", draw);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-pin]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ pin: link.dataset.pin });
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === byId("find")) {
      if (event.key === "Enter" && found.length) go({ find: state.find, pin: ids[lists.pins[found[0]]] });
      if (event.key === "Escape") byId("find").blur();
    } else if (event.key === "/") { event.preventDefault(); byId("find").focus(); }
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
  });
  // Not into the hash at every letter: one step back should not take one letter away. The next pin takes it along.
  byId("find").addEventListener("input", (event) => { state.find = event.target.value; search(); });
  byId("more").addEventListener("click", () => { numShown += ROWS; renderList(); });
  byId("in").addEventListener("click", () => zoom(1.6));
  byId("out").addEventListener("click", () => zoom(1 / 1.6));
  byId("whole").addEventListener("click", () => { view = { ...whole }; draw(); });
  listenToMap();
}

/** A row of buttons of which one is pressed, by name: each says its label and calls `choose` with its name. */
function addButtons(place, names, choose) {
  for (const [name, label] of names) {
    const button = element("button", "", label);
    button.type = "button";
    button.dataset.name = name;
    button.addEventListener("click", () => choose(name));
    place.append(button);
  }
}

const filterLabels = Object.entries(FILTERS).map(([show, { label, rows }]) => [show, `${label} ${rows.length.toLocaleString("en")}`]);
addButtons(byId("filters"), filterLabels, (show) => go({ show }));
addButtons(byId("colors"), Object.entries(COLORS).map(([name, { label }]) => [name, label]), colorBy);
listen();
renderColors();
state = readHash();
render();
document.body.dataset.readyMs = performance.now().toFixed(0);
