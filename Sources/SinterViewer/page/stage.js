"use strict";
// A stage of the model: columns of its nodes, and the tree of groups that they fold into.
//
// An item is a node or a group: nodes are 0 ..< nodes, group k is nodes + k. Group 0 holds all.
class Stage {
  constructor(index) {
    const element = document.getElementById("stage" + index);
    const data = JSON.parse(element.textContent);
    element.remove();
    Object.assign(this, data);
    this.index = index;
    this.nodes = data.kind.length;
    this.groups = data.parent.length;
    const count = this.nodes + this.groups;
    this.root = this.nodes;
    this.outer = new Int32Array(count).fill(-1);
    this.depth = new Int32Array(count);
    this.row = new Int32Array(count);
    this.center = new Float64Array(count);
    this.width = new Float64Array(count);
    this.size = new Int32Array(count).fill(1);
    this.lanes = [];
    this.laneFrom = new Map();
    this.laneTo = new Map();
    this.rows = data.items.map((places, group) => this.readRows(places, data.routes[group], data.entries[group], group));
    for (let group = 0; group < this.groups; group++) {
      for (const row of this.rows[group]) for (const entry of row) {
        if (entry.item >= 0) this.outer[entry.item] = this.nodes + group;
      }
    }
    // Groups stand behind those that they are in.
    for (let group = 1; group < this.groups; group++) this.depth[this.nodes + group] = this.depth[this.nodes + this.parent[group]] + 1;
    for (let node = 0; node < this.nodes; node++) this.depth[node] = this.depth[this.outer[node]] + 1;
    for (let group = this.groups - 1; group >= 0; group--) {
      let size = 0;
      for (const row of this.rows[group]) for (const entry of row) if (entry.item >= 0) size += this.size[entry.item];
      this.size[this.nodes + group] = size;
    }
    this.cost = data.milliseconds ? this.sums(data.milliseconds) : null;
  }

  // The rows of a group, each from left to right: items, and lanes (negative) where arrows pass.
  readRows(places, routes, entries, group) {
    const rows = [];
    const at = row => rows[row] || (rows[row] = []);
    for (let i = 0; i < places.length; i += 4) {
      const item = places[i];
      this.row[item] = places[i + 1];
      this.center[item] = places[i + 2];
      this.width[item] = places[i + 3];
      at(places[i + 1]).push({item, center: places[i + 2], width: places[i + 3]});
    }
    const addLanes = (route, firstRow, known) => {
      known.set(route[0], {first: this.lanes.length, count: route.length - 1});
      for (let i = 1; i < route.length; i++) {
        at(firstRow + i - 1).push({item: -1 - this.lanes.length, center: route[i], width: 6});
        this.lanes.push(group);
      }
    };
    // From an item through the rows behind its own; and from the top through the rows before an item's own.
    for (const route of routes) addLanes(route, this.row[route[0]] + 1, this.laneFrom);
    for (const route of entries) addLanes(route, 0, this.laneTo);
    for (let i = 0; i < rows.length; i++) at(i).sort((a, b) => a.center - b.center);
    return rows;
  }

  sums(values) {
    const result = new Float64Array(this.nodes + this.groups);
    for (let node = 0; node < this.nodes; node++) {
      for (let item = node; item >= 0; item = this.outer[item]) result[item] += values[node];
    }
    return result;
  }

  isGroup(item) { return item >= this.nodes; }
  text(number) { return this.texts[number]; }
  titleOf(item) {
    if (!this.isGroup(item)) return this.text(this.title[item]);
    return this.text(this.groupName[item - this.nodes]) || model.title;
  }

  // Edges by the node that they come from and by the one that they lead to.
  get leaving() { return this.leavingEdges || (this.leavingEdges = this.edgesBy(this.from)); }
  get entering() { return this.enteringEdges || (this.enteringEdges = this.edgesBy(this.to)); }
  edgesBy(ends) {
    const lists = new Map();
    ends.forEach((node, edge) => { const list = lists.get(node); if (list) list.push(edge); else lists.set(node, [edge]); });
    return lists;
  }

  // Nodes by the names of what they come from, which stages share.
  get byLabel() {
    if (!this.labelIndex) {
      this.labelIndex = new Map();
      this.labels.forEach((labels, node) => {
        for (const label of labels) {
          const list = this.labelIndex.get(this.text(label));
          if (list) list.push(node); else this.labelIndex.set(this.text(label), [node]);
        }
      });
    }
    return this.labelIndex;
  }

  // Nodes whose texts hold all the words.
  find(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const hits = words.map(word => this.texts.map(text => text.toLowerCase().includes(word)));
    const result = [];
    for (let node = 0; node < this.nodes; node++) {
      const matches = hits.every(hit =>
        hit[this.title[node]] || hit[this.nodeName[node]] || hit[this.subtitle[node]]
        || this.results[node].some(text => hit[text]) || this.labels[node].some(text => hit[text]));
      if (matches) result.push(node);
    }
    return result;
  }
}
