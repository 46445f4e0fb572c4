// The page: panels side by side, what is common to them, and the keyboard.
const model = JSON.parse(document.getElementById("model").textContent);

class Viewer {
  constructor() {
    const byID = id => document.getElementById(id);
    this.panels = model.stages.map(() => null);
    this.details = new Details(byID("details"), this);
    this.wish = new URLSearchParams(location.hash.slice(1));
    this.buttons = model.stages.map((stage, index) => {
      const button = document.createElement("button");
      button.textContent = stage.name;
      button.title = String(index + 1);
      button.addEventListener("click", () => this.toggle(index));
      byID("stages").append(button, " ");
      return button;
    });
    byID("passes").hidden = !model.passes.length;
    byID("times").hidden = !model.timing;
    const choice = byID("pass");
    choice.append(new Option("none", ""));
    model.passes.forEach((pass, index) => {
      const [added, removed, changed] = pass.counts;
      choice.append(new Option(`${pass.name}  +${added} −${removed} ~${changed}`, index));
    });
    choice.addEventListener("change", () => this.setPass(choice.value));
    byID("heat").addEventListener("change", event => this.setHeat(event.target.checked));
    byID("fold").addEventListener("click", () => this.current.openAll(false));
    byID("unfold").addEventListener("click", () => this.current.openAll(true));
    byID("fit").addEventListener("click", () => this.current.fit(false));
    byID("help").addEventListener("click", () => byID("keys").showModal());
    this.search = byID("find");
    this.search.addEventListener("input", () => this.find());
    this.search.addEventListener("keydown", event => {
      if (event.key === "Enter") this.next(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") this.current.canvas.focus();
      event.stopPropagation();
    });
    document.addEventListener("keydown", event => this.key(event));
    darkness.addEventListener("change", () => this.each(panel => panel.redraw()));
    this.begin();
  }

  begin() {
    const shown = (this.wish.get("stages") || "0").split(",").map(Number).filter(index => model.stages[index]);
    for (const index of shown.length ? shown : [0]) this.toggle(index);
    this.focus(this.panels.find(panel => panel));
    if (this.wish.has("pass")) this.setPass(this.wish.get("pass"));
    if (this.wish.has("heat")) this.setHeat(this.wish.get("heat") !== "0");
    if (this.wish.get("open") === "all") this.each(panel => panel.openAll(true));
    if (this.wish.get("open") === "none") this.each(panel => panel.openAll(false));
    if (this.wish.has("find")) {
      this.search.value = this.wish.get("find");
      this.find();
      this.next(1);
    }
  }

  each(body) { this.panels.forEach(panel => { if (panel && panel.element.isConnected) body(panel); }); }

  toggle(index) {
    const host = document.getElementById("panels");
    let panel = this.panels[index];
    if (panel && panel.element.isConnected) {
      if (host.children.length === 1) return;
      panel.element.remove();
    } else {
      if (!panel) panel = this.panels[index] = new Panel(index, this);
      panel.hasHeat = this.hasHeat;
      const behind = this.panels.slice(index + 1).find(other => other && other.element.isConnected);
      host.insertBefore(panel.element, behind ? behind.element : null);
      this.applyPass(panel);
    }
    this.buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(Boolean(this.panels[at] && this.panels[at].element.isConnected))));
    this.each(other => {
      other.isPlaced = other.isPlaced && other.chosen >= 0;
      other.redraw();
    });
    this.focus(this.panels.find(other => other && other.element.isConnected && (other === panel || !panel.element.isConnected)));
  }

  focus(panel) {
    if (this.current === panel) return;
    this.current = panel;
    this.details.show(panel, panel.chosen);
  }

  chosen(panel, item) {
    this.current = panel;
    this.details.show(panel, item);
    this.tell(item < 0 ? "" : panel.line(item));
    const labels = item < 0 || panel.stage.isGroup(item) ? [] : panel.stage.labels[item].map(text => panel.stage.text(text));
    this.each(other => {
      if (other !== panel) other.link([...new Set(labels.flatMap(label => other.stage.byLabel.get(label) || []))]);
      else other.link([]);
    });
  }

  tell(text) { document.getElementById("status").textContent = text; }

  // The time from the beginning of the page to its first picture, for those who measure.
  painted() {
    const root = document.documentElement;
    if (root.dataset.picture) return;
    root.dataset.picture = String(Math.round(performance.now()));
  }

  // MARK: Passes and times

  setPass(value) {
    this.pass = value === "" ? null : model.passes[Number(value)] || null;
    document.getElementById("pass").value = this.pass ? value : "";
    this.each(panel => this.applyPass(panel));
    if (this.current) this.details.show(this.current, this.current.chosen);
  }

  applyPass(panel) {
    panel.marked = this.pass && this.pass["marks" + panel.index] || {};
    panel.remark();
    panel.redraw();
  }

  setHeat(isOn) {
    this.hasHeat = isOn;
    document.getElementById("heat").checked = isOn;
    this.each(panel => {
      panel.hasHeat = isOn;
      panel.redraw();
    });
  }

  // MARK: Finding

  find() {
    this.hits = this.current.stage.find(this.search.value);
    this.hitPanel = this.current;
    this.place = -1;
    document.getElementById("found").textContent = this.search.value.trim() ? `${this.hits.length} found` : "";
  }

  next(step) {
    if (this.hitPanel !== this.current) this.find();
    if (!this.hits || !this.hits.length) return;
    this.place = (this.place + step + this.hits.length) % this.hits.length;
    const node = this.hits[this.place];
    this.current.reveal(node);
    this.current.choose(node, {centers: true});
    document.getElementById("found").textContent = `${this.place + 1} of ${this.hits.length}`;
  }

  // MARK: Keys

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|BUTTON|A)$/.test(event.target.tagName) || document.getElementById("keys").open) return;
    const panel = this.current;
    const actions = {
      "/": () => { this.search.focus(); this.search.select(); },
      "?": () => document.getElementById("keys").showModal(),
      "+": () => panel.zoom(1.25), "=": () => panel.zoom(1.25), "-": () => panel.zoom(0.8), "0": () => panel.fit(false),
      e: () => panel.openAll(true), c: () => panel.openAll(false),
      w: () => panel.pan(0, 80), s: () => panel.pan(0, -80), a: () => panel.pan(80, 0), d: () => panel.pan(-80, 0),
      ArrowUp: () => panel.step("up"), ArrowDown: () => panel.step("down"),
      ArrowLeft: () => panel.step("left"), ArrowRight: () => panel.step("right"),
      Enter: () => { if (panel.chosen >= 0) { panel.setOpen(panel.chosen, !panel.places.isOpen(panel.chosen)); panel.choose(panel.chosen); } },
      Backspace: () => {
        const outer = panel.chosen < 0 ? -1 : panel.stage.outer[panel.chosen];
        panel.choose(outer === panel.stage.root ? -1 : outer);
      },
      Escape: () => panel.choose(-1),
    };
    const number = Number(event.key);
    const action = actions[event.key] || (model.stages[number - 1] ? () => this.toggle(number - 1) : null);
    if (!action) return;
    event.preventDefault();
    action();
  }
}

window.addEventListener("error", event => { document.documentElement.dataset.error = event.message; });
const viewer = new Viewer();
