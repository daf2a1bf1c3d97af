// The live chart: active households by their open alerts, through the year.

import { count, date, element, monthName, monthStarts, roundStep, scale, svg } from "/static/format.js";

const LAYERS = ["critical", "high", "watch", "calm"]; // from the bottom up
const NAMES = { critical: "critical", high: "high", watch: "watch", calm: "no open alert" };
const MARGIN = { top: 10, right: 8, bottom: 24, left: 44 };
const HEIGHT = 260;

export class PopulationChart {
  /** `points`: [at_ms, calm, watch, high, critical], ascending. */
  constructor(container, legend) {
    this.container = container;
    this.legend = legend;
    this.points = [];
    this.chosen = null;
    this.span = null;
    this.marks = [];
    new ResizeObserver(() => this.draw()).observe(container);
    container.addEventListener("pointermove", (event) => this.choose(this.indexAt(event.offsetX)));
    container.addEventListener("pointerleave", () => this.choose(null));
    container.addEventListener("blur", () => this.choose(null));
    container.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** The span of time that the x axis shows, epoch milliseconds. */
  setSpan(from, to) {
    this.span = [from, to];
    this.draw();
  }

  /** A point at the moment of the last one takes its place. */
  add(points) {
    for (const point of points) {
      if (this.points.at(-1)?.[0] === point[0]) this.points.pop();
      this.points.push(point);
    }
    this.draw();
  }

  /** A vertical mark with a label at a moment. */
  mark(ms, label) {
    this.marks = [[ms, label]];
    this.draw();
  }

  choose(index) {
    this.chosen = index;
    this.draw();
  }

  onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.points.length) return;
    event.preventDefault();
    const last = this.points.length - 1;
    const start = this.chosen ?? last + (step < 0 ? 1 : 0);
    this.choose(Math.min(Math.max(start + step, 0), last));
  }

  indexAt(x) {
    if (!this.points.length || !this.toX) return null;
    let best = 0;
    this.points.forEach(([ms], index) => {
      if (Math.abs(this.toX(ms) - x) < Math.abs(this.toX(this.points[best][0]) - x)) best = index;
    });
    return best;
  }

  draw() {
    const width = this.container.clientWidth;
    this.drawLegend();
    if (!width || !this.span || this.span[0] === this.span[1]) return;
    const highest = Math.max(100, ...this.points.map((point) => point[1] + point[2] + point[3] + point[4]));
    const toX = scale(...this.span, MARGIN.left, width - MARGIN.right);
    const toY = scale(0, highest * 1.02, HEIGHT - MARGIN.bottom, MARGIN.top);
    this.toX = toX;
    const root = svg("svg", { width, height: HEIGHT, "aria-hidden": "true" });
    this.drawAreas(root, toX, toY);
    this.drawAxes(root, toX, toY, highest, width);
    for (const [ms, label] of this.marks) {
      const x = toX(ms);
      root.append(
        svg("line", { class: "mark", x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
        svg("text", { class: "mark-label", x: x - 5, y: MARGIN.top + 30, "text-anchor": "end" }, label),
      );
    }
    if (this.chosen !== null && this.points[this.chosen]) {
      const x = toX(this.points[this.chosen][0]);
      root.append(svg("line", { class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }));
    }
    this.container.replaceChildren(root);
  }

  drawAreas(root, toX, toY) {
    if (!this.points.length) return;
    let floor = this.points.map(() => 0);
    for (const layer of LAYERS) {
      const column = { calm: 1, watch: 2, high: 3, critical: 4 }[layer];
      const top = this.points.map((point, index) => floor[index] + point[column]);
      const upper = this.points.map(([ms], index) => `${toX(ms).toFixed(1)},${toY(top[index]).toFixed(1)}`);
      const lower = this.points.map(([ms], index) => `${toX(ms).toFixed(1)},${toY(floor[index]).toFixed(1)}`);
      root.append(svg("path", { class: `area ${layer}`, d: `M${upper.join("L")}L${lower.reverse().join("L")}Z` }));
      floor = top;
    }
  }

  drawAxes(root, toX, toY, highest, width) {
    const step = roundStep(highest, 4);
    for (let value = 0; value <= highest; value += step) {
      const y = toY(value);
      root.append(
        svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }),
        svg("text", { class: "tick", x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, count(value)),
      );
    }
    const starts = monthStarts(...this.span);
    const every = Math.ceil(starts.length / Math.max(1, Math.floor(width / 64)));
    starts.forEach((ms, index) => {
      const x = toX(ms);
      if (index % every || x > width - 40) return;
      root.append(svg("text", { class: "tick", x, y: HEIGHT - 6, "text-anchor": "start" }, monthName(ms)));
    });
  }

  drawLegend() {
    const point = this.points[this.chosen ?? this.points.length - 1];
    const values = point && { calm: point[1], watch: point[2], high: point[3], critical: point[4] };
    const entries = LAYERS.map((layer) =>
      element("li", {}, element("i", { class: `swatch ${layer}` }), `${NAMES[layer]} `,
        element("b", {}, values ? count(values[layer]) : "–")));
    entries.unshift(element("li", { class: "at" }, point ? date(point[0]) : ""));
    this.legend.replaceChildren(...entries);
  }
}
