// What is known of the chosen item, as text. Every text goes in as text, never as markup.
class Details {
  constructor(element, viewer) {
    this.element = element;
    this.viewer = viewer;
  }

  // Read when the first is looked at: there may be many.
  get weights() { return this.readWeights || (this.readWeights = JSON.parse(document.getElementById("weights").textContent)); }

  add(tag, text, className) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    this.element.append(element);
    return element;
  }

  rows(pairs) {
    if (!pairs.length) return;
    const table = this.add("table");
    for (const [name, value] of pairs) {
      const row = table.insertRow();
      row.insertCell().textContent = name;
      row.insertCell().textContent = value;
    }
  }

  list(title, texts) {
    if (!texts.length) return;
    this.add("h3", title);
    for (const text of texts) this.add("p", text);
  }

  show(panel, item) {
    this.element.replaceChildren();
    if (item < 0) return this.showStage(panel);
    if (panel.stage.isGroup(item)) this.showGroup(panel, item); else this.showNode(panel, item);
  }

  showStage(panel) {
    const {stage} = panel;
    this.add("h2", model.title);
    this.rows([["stage", stage.name], ["nodes", stage.kind.filter(kind => kind === 0).length], ["blocks", stage.groups - 1],
      ["times", model.timing || "not measured"]]);
    this.list("Sizes must fit", stage.requirements);
    this.showPass(panel);
  }

  showPass(panel) {
    const pass = this.viewer.pass;
    if (!pass) return;
    this.add("h3", "Pass " + pass.name);
    this.add("p", pass.summary);
    const [added, removed, changed] = pass.counts;
    this.rows([["nodes added", added], ["removed", removed], ["changed", changed], ["took", milliseconds(pass.milliseconds)]]);
    if (pass.rules.length) this.list("Rewrites", pass.rules.map(([rule, count]) => `${rule} × ${count}`));
  }

  showGroup(panel, item) {
    const {stage} = panel, group = item - stage.nodes, inside = this.nodesIn(stage, group);
    this.add("h2", stage.titleOf(item));
    const counts = new Map();
    for (const node of inside) counts.set(stage.titleOf(node), (counts.get(stage.titleOf(node)) || 0) + 1);
    const pairs = [["nodes", inside.length]];
    if (stage.repeats[group]) pairs.push(["repeated", stage.repeats[group] + " times"]);
    if (stage.cost) pairs.push(["time", this.time(stage, item)]);
    this.rows(pairs);
    this.list("Operators", [...counts].sort((a, b) => b[1] - a[1]).map(([name, count]) => `${name} × ${count}`));
  }

  nodesIn(stage, group) {
    const nodes = [];
    for (const row of stage.rows[group]) for (const {item} of row) {
      if (item < 0) continue;
      if (item < stage.nodes) nodes.push(item); else nodes.push(...this.nodesIn(stage, item - stage.nodes));
    }
    return nodes;
  }

  time(stage, item) {
    const total = stage.cost[stage.root];
    return `${milliseconds(stage.cost[item])} (${total ? (100 * stage.cost[item] / total).toFixed(1) : 0} %)`;
  }

  showNode(panel, node) {
    const {stage} = panel, texts = list => list.map(text => stage.text(text));
    this.add("h2", stage.titleOf(node) + (stage.kind[node] === 1 ? " (input)" : stage.kind[node] === 2 ? " (output)" : ""));
    const pairs = [];
    if (stage.text(stage.nodeName[node])) pairs.push(["name", stage.text(stage.nodeName[node])]);
    for (let i = 0; i < stage.attributes[node].length; i += 2) pairs.push(texts(stage.attributes[node].slice(i, i + 2)));
    texts(stage.results[node]).forEach((type, index) => pairs.push([stage.results[node].length > 1 ? "result " + index : "result", type]));
    if (stage.cost && stage.cost[node]) pairs.push(["time", this.time(stage, node)]);
    this.rows(pairs);
    this.links("Reads", panel, stage.entering.get(node) || [], stage.from);
    for (const weight of stage.weights[node]) this.showWeight(this.weights[weight]);
    this.links("Read by", panel, stage.leaving.get(node) || [], stage.to);
    this.list("Remarks", texts(stage.remarks[node]));
    this.list("Comes from", texts(stage.origins[node]));
  }

  links(title, panel, edges, ends) {
    if (!edges.length) return;
    const {stage} = panel;
    this.add("h3", title);
    for (const edge of edges.slice(0, 40)) {
      const line = this.add("p"), link = document.createElement("a"), other = ends[edge];
      link.textContent = stage.text(stage.nodeName[other]) || stage.titleOf(other);
      link.tabIndex = 0;
      const go = () => {
        panel.reveal(other);
        panel.choose(other);
      };
      link.addEventListener("click", go);
      link.addEventListener("keydown", event => { if (event.key === "Enter") go(); });
      line.append(link, " " + stage.text(stage.type[edge]));
      if (stage.text(stage.note[edge])) this.add("p", "not one kernel: " + stage.text(stage.note[edge]), "reason");
    }
    if (edges.length > 40) this.add("p", `and ${edges.length - 40} more`, "soft");
  }

  showWeight([name, type, elements, bytes, values, least, greatest, mean, deviation, zeros, notFinite, counts]) {
    this.add("h3", "Weight " + name);
    const short = value => Number(value.toPrecision(5)).toString(), pairs = [["type", type]];
    if (values) pairs.push(["values", values]); else pairs.push(["bytes", bytes.toLocaleString("en")]);
    if (least !== undefined && elements > 1) {
      pairs.push(["from, to", short(least) + ", " + short(greatest)], ["mean", short(mean)], ["deviation", short(deviation)],
        ["zeros", (100 * zeros).toFixed(zeros > 0 && zeros < 0.001 ? 4 : 1) + " %"]);
    }
    if (notFinite) pairs.push(["not finite", notFinite]);
    this.rows(pairs);
    if (counts && counts.length && elements > 16) this.histogram(counts);
  }

  histogram(counts) {
    const space = "http://www.w3.org/2000/svg", picture = document.createElementNS(space, "svg"), most = Math.max(...counts);
    picture.setAttribute("viewBox", `0 0 ${counts.length * 10} 100`);
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", "histogram");
    counts.forEach((count, place) => {
      const bar = document.createElementNS(space, "rect"), height = 100 * count / most;
      for (const [key, value] of Object.entries({x: place * 10, y: 100 - height, width: 9, height})) bar.setAttribute(key, value);
      picture.append(bar);
    });
    this.element.append(picture);
  }
}
