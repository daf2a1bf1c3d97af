// Numbers, dates and SVG elements, as all parts of the page write them.

export const DAY_MS = 86_400_000;
export const BANDS = ["critical", "high", "watch"];

const number = new Intl.NumberFormat("en");
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const month = new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" });

export const count = (value) => number.format(Math.round(value));
export const percent = (share) => `${Math.round(share * 100)} %`;
export const date = (ms) => day.format(ms);
export const shortDate = (ms) => shortDay.format(ms);
export const monthName = (ms) => month.format(ms);

/** An element with attributes and children; strings become text, never markup. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** A linear scale from [from0, from1] to [to0, to1]. */
export function scale(from0, from1, to0, to1) {
  const factor = (to1 - to0) / (from1 - from0 || 1);
  return (value) => to0 + (value - from0) * factor;
}

/** Midnights of the first day of each month within [from, to], epoch milliseconds. */
export function monthStarts(from, to) {
  const start = new Date(from);
  const starts = [];
  for (let index = start.getUTCMonth(); ; index += 1) {
    const ms = Date.UTC(start.getUTCFullYear(), index, 1);
    if (ms > to) return starts;
    if (ms >= from) starts.push(ms);
  }
}

/** Ascending positions, moved apart as little as keeps `gap` between neighbours and all within [low, high]. */
export function spread(positions, gap, low, high) {
  const apart = [...positions];
  for (let index = 0; index < apart.length; index += 1) {
    apart[index] = Math.max(apart[index], index ? apart[index - 1] + gap : low);
  }
  for (let index = apart.length - 1; index >= 0; index -= 1) {
    apart[index] = Math.min(apart[index], index + 1 < apart.length ? apart[index + 1] - gap : high);
  }
  return apart;
}

/** A step for a value axis that gives about `ticks` round ticks up to `highest`. */
export function roundStep(highest, ticks) {
  const rough = highest / ticks;
  const magnitude = 10 ** Math.floor(Math.log10(rough || 1));
  return [1, 2, 5, 10].map((factor) => factor * magnitude).find((step) => step >= rough);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  // A number and its per cent sign stay on one line.
  node.append(...children.map((child) =>
    typeof child === "string" ? child.replace(/(\d) %/g, "$1\u00a0%") : child));
  return node;
}
