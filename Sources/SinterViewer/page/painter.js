// Draws what is in sight. Far away, boxes are blocks of colour; near by, they have texts.
const palettes = {
  light: {
    back: "#ffffff", text: "#1f2328", soft: "#59636e", line: "#8c959f", frame: "#d0d7de", block: "#f6f8fa", port: "#a5d8ff", accent: "#0969da",
    added: "#1a7f37", removed: "#d1242f", changed: "#bf8700", linked: "#8250df", reason: "#bf8700",
    family: {contraction: "#ffd8a8", normalization: "#d0bfff", pooling: "#99e9f2", elementwise: "#b2f2bb", reduction: "#eebefa", shape: "#e9ecef",
      indexing: "#ffec99", recurrent: "#ffc9c9", control: "#fcc2d7", other: "#dee2e6"}, cold: [255, 250, 240], hot: [240, 60, 40]},
  dark: {
    back: "#0d1117", text: "#e6edf3", soft: "#9198a1", line: "#6e7681", frame: "#30363d", block: "#161b22", port: "#1c4a72", accent: "#4493f8",
    added: "#3fb950", removed: "#f85149", changed: "#d29922", linked: "#ab7df8", reason: "#d29922",
    family: {contraction: "#6b4313", normalization: "#443a75", pooling: "#14565f", elementwise: "#1d5229", reduction: "#5c3269", shape: "#343a42",
      indexing: "#5f5410", recurrent: "#6e3030", control: "#6b3048", other: "#3b4148"}, cold: [40, 36, 32], hot: [200, 50, 30]},
};
const darkness = window.matchMedia("(prefers-color-scheme: dark)");
const palette = () => darkness.matches ? palettes.dark : palettes.light;

function heatColor(share) {
  const {cold, hot} = palette(), t = Math.sqrt(Math.min(Math.max(share, 0), 1));
  return `rgb(${cold.map((from, i) => Math.round(from + (hot[i] - from) * t)).join(",")})`;
}

function milliseconds(value) {
  return value >= 1 ? value.toFixed(2) + " ms" : (value * 1000).toFixed(1) + " µs";
}

function cut(text, width, letter) {
  const room = Math.floor(width / letter);
  return text.length <= room ? text : text.slice(0, Math.max(room - 1, 1)) + "…";
}

class Painter {
  constructor(panel) { this.panel = panel; }

  paint() {
    const {panel} = this, {canvas, view, stage, places} = panel;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d"), colors = palette();
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colors.back;
    pen.fillRect(0, 0, width, height);
    pen.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
    this.sight = {left: -view.x / view.scale, top: -view.y / view.scale,
      right: (width - view.x) / view.scale, bottom: (height - view.y) / view.scale};
    this.pen = pen;
    this.colors = colors;
    this.isNear = view.scale > 0.33;
    pen.font = "12px system-ui, sans-serif";
    const boxes = places.shown.filter(item => this.isInSight(item));
    for (const item of boxes) if (places.isOpen(item)) this.openGroup(item);
    this.arrows();
    const closed = boxes.filter(item => !places.isOpen(item));
    if (this.isNear) for (const item of closed) this.box(item); else this.blocks(closed);
    for (const item of boxes) this.outline(item);
  }

  isInSight(item) {
    const {places} = this.panel, {left, top, right, bottom} = this.sight;
    return places.x[item] < right && places.x[item] + places.w[item] > left
      && places.y[item] < bottom && places.y[item] + places.h[item] > top;
  }

  fill(item) {
    const {stage, hasHeat, most} = this.panel;
    if (hasHeat && stage.cost) return heatColor(stage.cost[item] / (most || 1));
    if (stage.isGroup(item)) return this.colors.block;
    return stage.kind[item] ? this.colors.port : this.colors.family[model.families[stage.family[item]]];
  }

  blocks(items) {
    const {places} = this.panel, byColor = new Map();
    for (const item of items) {
      const color = this.panel.stage.isGroup(item) && !this.panel.hasHeat ? this.colors.line : this.fill(item);
      if (!byColor.has(color)) byColor.set(color, []);
      byColor.get(color).push(item);
    }
    for (const [color, list] of byColor) {
      this.pen.fillStyle = color;
      for (const item of list) this.pen.fillRect(places.x[item], places.y[item], places.w[item], places.h[item]);
    }
  }

  shape(x, y, w, h, radius) {
    this.pen.beginPath();
    this.pen.roundRect(x, y, w, h, radius);
  }

  box(item) {
    const {pen, colors} = this, {places, stage} = this.panel;
    const [x, y, w, h] = [places.x[item], places.y[item], places.w[item], places.h[item]];
    const isGroup = stage.isGroup(item), repeats = isGroup ? stage.repeats[item - stage.nodes] : 0;
    pen.lineWidth = 1;
    pen.strokeStyle = isGroup ? colors.line : colors.frame;
    if (repeats) for (const shift of [6, 3]) {
      pen.fillStyle = colors.block;
      this.shape(x + shift, y + shift, w, h, 6);
      pen.fill();
      pen.stroke();
    }
    pen.fillStyle = this.fill(item);
    this.shape(x, y, w, h, isGroup ? 6 : stage.kind[item] ? h / 2 : 4);
    pen.fill();
    pen.stroke();
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = colors.text;
    let title = stage.titleOf(item), second;
    if (isGroup) {
      title = "▸ " + title + (repeats ? " × " + repeats : "");
      second = stage.size[item] + " nodes";
    } else {
      const result = stage.results[item].length ? stage.text(stage.results[item][0]) : "";
      second = [stage.text(stage.subtitle[item]), result].filter(Boolean);
      second = second.join("  ").length * 5.4 < w - 8 ? second.join("  ") : second[0] || "";
    }
    if (this.panel.hasHeat && stage.cost && stage.cost[item]) second = milliseconds(stage.cost[item]);
    pen.font = "600 12px system-ui, sans-serif";
    pen.fillText(cut(title, w - 8, 6.3), x + w / 2, y + (second ? 13 : h / 2));
    if (!second) return;
    pen.font = "10px system-ui, sans-serif";
    pen.fillStyle = colors.soft;
    pen.fillText(cut(second, w - 8, 5.2), x + w / 2, y + 28);
  }

  openGroup(item) {
    const {pen, colors} = this, {places, stage} = this.panel;
    const [x, y, w, h] = [places.x[item], places.y[item], places.w[item], places.h[item]];
    const repeats = stage.repeats[item - stage.nodes];
    pen.lineWidth = 1;
    pen.strokeStyle = colors.frame;
    pen.fillStyle = stage.depth[item] % 2 ? colors.block : colors.back;
    this.shape(x, y, w, h, 8);
    pen.fill();
    pen.stroke();
    if (!this.isNear) return;
    pen.font = "600 11px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillStyle = colors.soft;
    pen.fillText(cut("▾ " + stage.titleOf(item) + (repeats ? " × " + repeats : ""), w - 16, 6), x + 9, y + 13);
  }

  arrows() {
    const {pen, colors} = this, {arrows, view} = this.panel, {left, top, right, bottom} = this.sight;
    const {points, start} = arrows, heads = [], reasons = [];
    pen.lineWidth = Math.min(1.2, 0.8 / view.scale);
    pen.strokeStyle = colors.line;
    pen.beginPath();
    for (let i = 0; i < arrows.from.length; i++) {
      const begin = start[i], end = start[i + 1] - 2;
      if (points[end + 1] < top && points[begin + 1] < top) continue;
      if (points[end + 1] > bottom && points[begin + 1] > bottom) continue;
      let least = Infinity, most = -Infinity;
      for (let k = begin; k <= end; k += 2) {
        least = Math.min(least, points[k]);
        most = Math.max(most, points[k]);
      }
      if (most < left || least > right) continue;
      if (this.panel.isNeighbour(i)) continue;
      this.arrow(points, begin, end);
      if (this.isNear) heads.push(end);
      if (arrows.note[i] && this.panel.stage.text(arrows.note[i])) reasons.push(i);
    }
    pen.stroke();
    this.heads(heads, colors.line);
    this.chosenArrows();
    this.panel.reasons = [];
    if (view.scale > 0.5) for (const i of reasons.slice(0, 2000)) this.reason(i);
  }

  arrow(points, begin, end) {
    const pen = this.pen;
    pen.moveTo(points[begin], points[begin + 1]);
    for (let k = begin + 2; k <= end; k += 2) {
      const [x0, y0, x, y] = [points[k - 2], points[k - 1], points[k], points[k + 1]];
      if (!this.isNear || x0 === x) pen.lineTo(x, y);
      else {
        const bend = y > y0 ? (y - y0) / 2 : 40;
        pen.bezierCurveTo(x0, y0 + bend, x, y - bend, x, y);
      }
    }
  }

  heads(ends, color) {
    const {pen} = this, {points} = this.panel.arrows;
    pen.fillStyle = color;
    pen.beginPath();
    for (const end of ends) {
      const [x, y] = [points[end], points[end + 1]];
      pen.moveTo(x, y);
      pen.lineTo(x - 3.5, y - 7);
      pen.lineTo(x + 3.5, y - 7);
    }
    pen.fill();
  }

  chosenArrows() {
    const {pen, colors} = this, {arrows, neighbours, view} = this.panel;
    if (!neighbours.length) return;
    pen.strokeStyle = colors.accent;
    pen.lineWidth = Math.max(1.8, 1 / view.scale);
    pen.beginPath();
    for (const i of neighbours) this.arrow(arrows.points, arrows.start[i], arrows.start[i + 1] - 2);
    pen.stroke();
    this.heads(neighbours.map(i => arrows.start[i + 1] - 2), colors.accent);
  }

  // A mark on an arrow that something is told of: why its ends are two kernels.
  reason(i) {
    const {pen, colors} = this, {arrows, stage, view} = this.panel, end = arrows.start[i + 1] - 2;
    const x = arrows.points[end], y = arrows.points[end + 1] - 13;
    pen.fillStyle = colors.reason;
    pen.beginPath();
    pen.moveTo(x, y - 4);
    pen.lineTo(x + 4, y);
    pen.lineTo(x, y + 4);
    pen.lineTo(x - 4, y);
    pen.fill();
    this.panel.reasons.push({x, y, arrow: i});
    if (view.scale < 0.95) return;
    pen.font = "9px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillStyle = colors.soft;
    pen.fillText(cut(stage.text(arrows.note[i]), 150, 4.4), x + 7, y);
  }

  outline(item) {
    const {panel, pen, colors} = this, {places, stage, view} = panel;
    const mark = panel.marks.get(item);
    let color = null, width = 2;
    if (mark) color = colors[mark.kind];
    if (panel.linked.has(item)) color = colors.linked;
    if (panel.chosen === item) [color, width] = [colors.accent, 3];
    if (!color) return;
    pen.strokeStyle = color;
    pen.lineWidth = Math.max(width, width / view.scale / 1.5);
    this.shape(places.x[item] - 2, places.y[item] - 2, places.w[item] + 4, places.h[item] + 4, 6);
    pen.stroke();
    if (!mark || !stage.isGroup(item) || !this.isNear || places.isOpen(item)) return;
    pen.font = "600 10px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.fillStyle = color;
    pen.fillText(String(mark.count), places.x[item] + places.w[item] - 6, places.y[item] + 28);
  }
}
