// Where boxes stand, given which groups are unfolded. The compiler has placed each group with all in it folded; a group that is
// unfolded takes more room, and pushes its row apart and the rows below it down.
const boxHeight = 40, headHeight = 26, padding = 14, rowGap = 34, columnGap = 16;

class Places {
  constructor(stage, open) {
    const count = stage.nodes + stage.groups;
    this.stage = stage;
    this.open = open;
    // The left upper corner and the size of each item; of items that are not shown, nothing sensible.
    this.x = new Float64Array(count);
    this.y = new Float64Array(count);
    this.w = new Float64Array(count);
    this.h = new Float64Array(count);
    this.laneX = new Float64Array(stage.lanes.length);
    this.tops = new Array(stage.groups);
    this.shown = [];
    this.standIn = new Int32Array(stage.nodes).fill(-1);
    this.measure(0);
    this.move(0, 0, 0);
  }

  isOpen(item) { return item >= this.stage.nodes && this.open.has(item - this.stage.nodes); }

  // The size of a group, with places relative to it.
  measure(group) {
    const stage = this.stage, rows = stage.rows[group];
    const tops = new Float64Array(rows.length + 1);
    let y = headHeight, left = Infinity, right = -Infinity;
    rows.forEach((row, number) => {
      let height = 0, isWider = false;
      const widths = row.map(entry => {
        if (entry.item < 0) return entry.width;
        if (this.isOpen(entry.item)) {
          this.measure(entry.item - stage.nodes);
          isWider = true;
        } else {
          this.w[entry.item] = entry.width;
          this.h[entry.item] = boxHeight;
        }
        height = Math.max(height, this.h[entry.item]);
        return this.w[entry.item];
      });
      const centers = isWider ? apart(row.map(entry => entry.center), widths) : row.map(entry => entry.center);
      tops[number] = y;
      row.forEach((entry, place) => {
        left = Math.min(left, centers[place] - widths[place] / 2);
        right = Math.max(right, centers[place] + widths[place] / 2);
        if (entry.item < 0) {
          this.laneX[-1 - entry.item] = centers[place];
        } else {
          this.x[entry.item] = centers[place] - widths[place] / 2;
          this.y[entry.item] = y + (height - this.h[entry.item]) / 2;
        }
      });
      y += height + rowGap;
    });
    tops[rows.length] = y;
    this.tops[group] = tops;
    if (left > right) left = right = 0;
    const item = stage.nodes + group;
    const head = stage.width[item] || 110;
    const inner = right - left;
    this.w[item] = Math.max(inner + 2 * padding, head + 10);
    this.h[item] = y - rowGap + padding;
    const shift = (this.w[item] - inner) / 2 - left;
    for (const row of rows) for (const entry of row) {
      if (entry.item < 0) this.laneX[-1 - entry.item] += shift; else this.x[entry.item] += shift;
    }
  }

  // Makes places absolute, and notes what is shown, groups before what is in them.
  move(group, x, y) {
    const stage = this.stage, tops = this.tops[group];
    for (let row = 0; row < tops.length; row++) tops[row] += y;
    for (const row of stage.rows[group]) for (const entry of row) {
      if (entry.item < 0) {
        this.laneX[-1 - entry.item] += x;
        continue;
      }
      const item = entry.item;
      this.x[item] += x;
      this.y[item] += y;
      this.shown.push(item);
      if (item < stage.nodes) this.standIn[item] = item;
      else if (this.isOpen(item)) this.move(item - stage.nodes, this.x[item], this.y[item]);
      else this.hide(item - stage.nodes, item);
    }
  }

  // All nodes of a folded group are drawn as the group.
  hide(group, item) {
    for (const row of this.stage.rows[group]) for (const entry of row) {
      if (entry.item < 0) continue;
      if (entry.item < this.stage.nodes) this.standIn[entry.item] = item;
      else this.hide(entry.item - this.stage.nodes, item);
    }
  }

  // What is drawn for an item: itself, or the folded group around it.
  drawn(item) {
    if (item < this.stage.nodes) return this.standIn[item];
    let result = item;
    for (let outer = this.stage.outer[item]; outer >= 0; outer = this.stage.outer[outer]) {
      if (!this.isOpen(outer) && outer !== this.stage.root) result = outer;
    }
    return result;
  }
}

// The places nearest to those wanted in which boxes keep their order and stand apart: those that would overlap share the mean of what they want.
function apart(wanted, widths) {
  const offsets = [0], pools = [];
  for (let i = 1; i < wanted.length; i++) offsets.push(offsets[i - 1] + (widths[i - 1] + widths[i]) / 2 + columnGap);
  for (let i = 0; i < wanted.length; i++) {
    let pool = {sum: wanted[i] - offsets[i], count: 1};
    while (pools.length && pools[pools.length - 1].sum / pools[pools.length - 1].count >= pool.sum / pool.count) {
      const last = pools.pop();
      pool = {sum: last.sum + pool.sum, count: last.count + pool.count};
    }
    pools.push(pool);
  }
  const result = [];
  for (const pool of pools) for (let k = 0; k < pool.count; k++) result.push(pool.sum / pool.count + offsets[result.length]);
  return result;
}
