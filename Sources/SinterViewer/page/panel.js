// One stage on the screen: what is unfolded, what is chosen, where it is looked at from.
class Panel {
  constructor(index, viewer) {
    this.index = index;
    this.viewer = viewer;
    this.element = document.createElement("div");
    this.element.className = "panel";
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", model.stages[index].name + ": " + model.stages[index].nodes + " nodes");
    const name = document.createElement("div");
    name.className = "name";
    name.textContent = `${model.stages[index].name} · ${model.stages[index].nodes} nodes`;
    this.element.append(this.canvas, name);
    this.stage = new Stage(index);
    this.open = new Set(this.stage.open);
    this.view = {x: 0, y: 0, scale: 1};
    this.chosen = -1;
    this.linked = new Set();
    this.marked = {};
    this.reasons = [];
    this.hasHeat = false;
    this.painter = new Painter(this);
    this.listen();
    this.arrange();
  }

  // Places everything anew: after folding, or when other nodes are marked.
  arrange() {
    this.places = new Places(this.stage, this.open);
    this.arrows = new Arrows(this.stage, this.places);
    this.most = 0;
    if (this.stage.cost) {
      for (const item of this.places.shown) if (!this.places.isOpen(item)) this.most = Math.max(this.most, this.stage.cost[item]);
    }
    this.remark();
    this.noteNeighbours();
    this.redraw();
  }

  // Marks of nodes become marks of what is drawn in their place.
  remark() {
    this.marks = new Map();
    for (const kind of ["changed", "removed", "added"]) for (const node of this.marked[kind] || []) {
      const item = this.places.standIn[node], mark = this.marks.get(item) || {count: 0};
      mark.kind = kind;
      mark.count++;
      this.marks.set(item, mark);
    }
    this.linked = new Set((this.linkedNodes || []).map(node => this.places.standIn[node]));
  }

  noteNeighbours() {
    this.neighbours = [];
    this.neighbourSet = new Set();
    if (this.chosen < 0) return;
    this.arrows.from.forEach((from, i) => {
      if (from !== this.chosen && this.arrows.to[i] !== this.chosen) return;
      this.neighbours.push(i);
      this.neighbourSet.add(i);
    });
  }
  isNeighbour(arrow) { return this.neighbourSet.has(arrow); }

  redraw() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      if (!this.canvas.isConnected) return;
      if (!this.isPlaced) {
        this.fit(true);
        this.isPlaced = true;
      }
      this.painter.paint();
      this.viewer.painted();
    });
  }

  // MARK: Folding

  setOpen(item, isOpen) {
    const group = item - this.stage.nodes;
    if (group <= 0 || this.open.has(group) === isOpen) return;
    const [x, y] = this.corner(item);
    if (isOpen) this.open.add(group); else this.open.delete(group);
    this.arrange();
    const [newX, newY] = this.corner(item);
    this.view.x += x - newX;
    this.view.y += y - newY;
  }

  corner(item) {
    const {view, places} = this;
    return [places.x[item] * view.scale + view.x, places.y[item] * view.scale + view.y];
  }

  openAll(isOpen) {
    this.open = isOpen ? new Set(this.stage.parent.keys()) : new Set([0]);
    if (this.chosen >= 0) this.chosen = this.places.drawn(this.chosen);
    this.arrange();
    this.fit(true);
  }

  // Unfolds all around a node, so that it is seen itself.
  reveal(item) {
    let isNew = false;
    for (let outer = this.stage.outer[item]; outer >= 0; outer = this.stage.outer[outer]) {
      if (this.open.has(outer - this.stage.nodes)) continue;
      this.open.add(outer - this.stage.nodes);
      isNew = true;
    }
    if (isNew) this.arrange();
  }

  // MARK: Looking

  // - Parameter readable: rather the beginning in letters that can be read than all of it.
  fit(readable) {
    const {places, stage, canvas} = this, root = stage.root;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    let scale = Math.min(w / (places.w[root] + 20), h / (places.h[root] + 20), 1.2);
    if (readable && scale < 0.4) scale = Math.min(Math.max(w / (places.w[root] + 20), 0.4), 0.8);
    this.view = {scale, x: (w - places.w[root] * scale) / 2, y: Math.max((h - places.h[root] * scale) / 2, readable ? 14 : -Infinity)};
    if (places.h[root] * scale > h && readable) this.view.y = 14;
    // A picture wider than the panel begins where its first box is.
    if (places.w[root] * scale > w && places.shown.length) {
      const first = places.shown[0];
      this.view.x = w / 2 - (places.x[first] + places.w[first] / 2) * scale;
    }
    this.redraw();
  }

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const scale = Math.min(Math.max(this.view.scale * factor, 0.002), 4), ratio = scale / this.view.scale;
    this.view = {scale, x: x - (x - this.view.x) * ratio, y: y - (y - this.view.y) * ratio};
    this.redraw();
  }

  pan(x, y) {
    this.view.x += x;
    this.view.y += y;
    this.redraw();
  }

  center(item) {
    const {places, view, canvas} = this;
    if (view.scale < 0.5) view.scale = 0.8;
    view.x = canvas.clientWidth / 2 - (places.x[item] + places.w[item] / 2) * view.scale;
    view.y = canvas.clientHeight / 2 - (places.y[item] + Math.min(places.h[item], 200) / 2) * view.scale;
    this.redraw();
  }

  isVisible(item) {
    const [x, y] = this.corner(item), {scale} = this.view;
    return x > 0 && y > 0 && x + this.places.w[item] * scale < this.canvas.clientWidth
      && y + Math.min(this.places.h[item], 40) * scale < this.canvas.clientHeight;
  }

  // MARK: Choosing

  choose(item, {centers = false} = {}) {
    this.chosen = item;
    this.noteNeighbours();
    if (item >= 0 && (centers || !this.isVisible(item))) this.center(item);
    this.viewer.chosen(this, item);
    this.redraw();
  }

  // The nodes of other stages that a chosen one comes from or becomes.
  link(nodes) {
    this.linkedNodes = nodes;
    this.remark();
    const first = [...this.linked][0];
    if (first !== undefined && !this.isVisible(first)) this.center(first);
    this.redraw();
  }

  itemAt(x, y) {
    const {places, view} = this;
    const [px, py] = [(x - view.x) / view.scale, (y - view.y) / view.scale];
    for (let i = places.shown.length - 1; i >= 0; i--) {
      const item = places.shown[i];
      if (px < places.x[item] || px > places.x[item] + places.w[item]) continue;
      if (py < places.y[item] || py > places.y[item] + places.h[item]) continue;
      if (places.isOpen(item) && py > places.y[item] + headHeight) continue;
      return item;
    }
    return -1;
  }

  reasonAt(x, y) {
    const {view} = this;
    const [px, py] = [(x - view.x) / view.scale, (y - view.y) / view.scale];
    return this.reasons.find(mark => Math.abs(mark.x - px) < 7 && Math.abs(mark.y - py) < 7);
  }

  listen() {
    const canvas = this.canvas;
    let from = null, isDrag = false;
    canvas.addEventListener("pointerdown", event => {
      if (event.button !== 0) return;
      canvas.focus();
      canvas.setPointerCapture(event.pointerId);
      from = [event.offsetX, event.offsetY];
      isDrag = false;
    });
    canvas.addEventListener("pointermove", event => {
      if (!from) return this.hover(event.offsetX, event.offsetY);
      const [x, y] = [event.offsetX - from[0], event.offsetY - from[1]];
      if (!isDrag && Math.hypot(x, y) < 4) return;
      isDrag = true;
      this.pan(x, y);
      from = [event.offsetX, event.offsetY];
    });
    canvas.addEventListener("pointerup", event => {
      if (from && !isDrag) this.click(event.offsetX, event.offsetY);
      from = null;
    });
    canvas.addEventListener("wheel", event => {
      event.preventDefault();
      if (event.shiftKey) this.pan(-event.deltaY, 0);
      else this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.03 : 0.0015)), event.offsetX, event.offsetY);
    }, {passive: false});
    canvas.addEventListener("focus", () => this.viewer.focus(this));
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  click(x, y) {
    const item = this.itemAt(x, y);
    if (item >= this.stage.nodes) this.setOpen(item, !this.places.isOpen(item));
    this.choose(item);
  }

  hover(x, y) {
    const mark = this.reasonAt(x, y), item = mark ? -1 : this.itemAt(x, y);
    this.viewer.tell(mark ? `not one kernel: ${this.stage.text(this.arrows.note[mark.arrow])}` : item < 0 ? "" : this.line(item));
  }

  // An item in one line.
  line(item) {
    const {stage} = this;
    if (stage.isGroup(item)) return `${stage.titleOf(item)}: ${stage.size[item]} nodes`;
    const results = stage.results[item].map(text => stage.text(text)).join(", ");
    return [stage.text(stage.nodeName[item]), stage.titleOf(item) + " " + stage.text(stage.subtitle[item]), results].filter(Boolean).join(" · ");
  }

  // MARK: Steps by keys

  // The next box along an arrow, or beside.
  step(direction) {
    const {arrows, places} = this;
    if (this.chosen < 0) return this.choose(places.shown[0] ?? -1);
    const middle = item => places.x[item] + places.w[item] / 2;
    let candidates;
    if (direction === "up" || direction === "down") {
      const [near, far] = direction === "down" ? [arrows.from, arrows.to] : [arrows.to, arrows.from];
      candidates = this.neighbours.filter(i => near[i] === this.chosen).map(i => far[i]);
    } else {
      const own = middle(this.chosen), top = places.y[this.chosen], height = places.h[this.chosen];
      candidates = places.shown.filter(item => item !== this.chosen && !places.isOpen(item)
        && places.y[item] < top + height && places.y[item] + places.h[item] > top
        && (direction === "left" ? middle(item) < own : middle(item) > own));
    }
    if (!candidates.length) return;
    const own = middle(this.chosen);
    candidates.sort((a, b) => Math.abs(middle(a) - own) - Math.abs(middle(b) - own));
    this.choose(candidates[0]);
  }
}
