// The arrows between what is shown: one for each pair of boxes, with the points that it passes.
class Arrows {
  constructor(stage, places) {
    const size = stage.nodes + stage.groups, known = new Map();
    this.from = [];
    this.to = [];
    // The edges that each arrow stands for: the first, and how many.
    this.edge = [];
    this.count = [];
    this.note = [];
    for (let i = 0; i < stage.from.length; i++) {
      const a = places.standIn[stage.from[i]], b = places.standIn[stage.to[i]];
      if (a === b) continue;
      const key = a * size + b, found = known.get(key);
      if (found !== undefined) {
        this.count[found]++;
        if (!stage.text(this.note[found])) this.note[found] = stage.note[i];
        continue;
      }
      known.set(key, this.from.length);
      this.from.push(a);
      this.to.push(b);
      this.edge.push(i);
      this.count.push(1);
      this.note.push(stage.note[i]);
    }
    const points = [];
    this.start = new Int32Array(this.from.length + 1);
    for (let i = 0; i < this.from.length; i++) {
      this.start[i] = points.length;
      route(stage, places, this.from[i], this.to[i], points);
    }
    this.start[this.from.length] = points.length;
    this.points = new Float64Array(points);
  }
}

// From the bottom of a box to the top of another, through the lanes of the rows between, and of the groups around both.
function route(stage, places, a, b, points) {
  points.push(places.x[a] + places.w[a] / 2, places.y[a] + places.h[a]);
  let above = a, below = b;
  const into = [];
  while (stage.outer[above] !== stage.outer[below]) {
    if (stage.depth[above] >= stage.depth[below]) {
      const rest = places.tops[stage.outer[above] - stage.nodes].length - 2 - stage.row[above];
      addLanes(stage, places, above, stage.laneFrom.get(above), stage.row[above] + 1, rest, points);
      above = stage.outer[above];
    } else {
      into.unshift(below);
      below = stage.outer[below];
    }
  }
  addLanes(stage, places, above, stage.laneFrom.get(above), stage.row[above] + 1, stage.row[below] - stage.row[above] - 1, points);
  for (const item of into) addLanes(stage, places, item, stage.laneTo.get(item), 0, stage.row[item], points);
  points.push(places.x[b] + places.w[b] / 2, places.y[b]);
}

// The lanes of so many rows, where there are as many.
function addLanes(stage, places, item, lanes, row, count, points) {
  if (!lanes || count <= 0 || lanes.count < count) return;
  const tops = places.tops[stage.outer[item] - stage.nodes];
  for (let k = 0; k < count; k++) {
    const x = places.laneX[lanes.first + k];
    points.push(x, tops[row + k] - 4, x, tops[row + k + 1] - rowGap + 4);
  }
}
