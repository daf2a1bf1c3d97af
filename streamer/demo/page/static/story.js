// The story of one alert: purchases and silence, spending or the risk curve, what was sent and what came of it.

import { BANDS, DAY_MS, date, element, monthName, monthStarts, percent, scale, shortDate, spread, svg } from "/static/format.js";
import { spendingBars, spendingNote } from "/static/spending.js";
import { verdictLabel } from "/static/verdicts.js";

const TIMELINE = { height: 118, top: 26, bottom: 92, side: 8 };
const CURVE = { height: 210, top: 12, right: 62, bottom: 30, left: 44 };

/** The elements of a story; `edges` are the lowest risks of the bands, `width` is in pixels. */
export function storyElements(story, edges, width) {
  const opening = story.revisions[0];
  const parts = [
    element("p", { class: "sentence" }, story.words.replace(/^household \S+: /, "")),
    element("p", { class: `verdict ${story.verdict}` }, element("b", {}, verdictLabel(story.verdict)), " ", story.outcome),
    element("h3", {}, "Purchases and silence"),
    timeline(story, width),
  ];
  if (story.spending) {
    parts.push(element("h3", {}, "Spending before and after"), spendingBars(story, width), spendingNote(story.spending));
  } else {
    parts.push(element("h3", {}, "Risk while silent"), riskCurve(story, edges, width));
  }
  if (!story.spending && !story.curve.length) {
    parts.push(element("p", { class: "note" },
      "The household was back before its whole curve was published; the dots are what the alert itself says."));
  }
  parts.push(element("h3", {}, "What a CRM received"), history(story));
  parts.push(element("p", { class: "note" },
    `Alert ${story.alert_id.slice(0, 12)}… · opened ${date(opening.at_ms)} · model ${story.model}`));
  return parts;
}

function timeline(story, width) {
  const { height, top, bottom, side } = TIMELINE;
  const toX = scale(story.from_ms, story.to_ms, side, width - side);
  const clip = (ms) => Math.min(Math.max(ms, story.from_ms), story.to_ms);
  const label = `${story.purchases.length} purchases shown; silent from ${date(story.last_purchase_ms)} ` +
    `to ${date(story.silence_until_ms)}`;
  const root = svg("svg", { width, height, role: "img", "aria-label": label });
  const [quiet, until] = [toX(clip(story.last_purchase_ms)), toX(clip(story.silence_until_ms))];
  root.append(svg("rect", { class: "silence", x: quiet, y: top, width: Math.max(until - quiet, 1), height: bottom - top, rx: 3 }));
  if (story.clock_ms < story.to_ms) {
    const x = toX(clip(story.clock_ms));
    root.append(svg("rect", { class: "unknown", x, y: top, width: Math.max(width - side - x, 0), height: bottom - top, rx: 3 }));
  }
  root.append(svg("line", { class: "axis", x1: side, x2: width - side, y1: bottom, y2: bottom }));
  for (const ms of story.purchases) {
    root.append(svg("line", { class: "purchase", x1: toX(ms), x2: toX(ms), y1: bottom - 26, y2: bottom - 2 }));
  }
  if (story.due_ms) {
    const due = toX(clip(story.due_ms));
    root.append(
      svg("line", { class: "due", x1: due, x2: due, y1: top, y2: bottom }),
      svg("text", { class: "tick", x: due, y: top - 8, "text-anchor": "middle" }, "due"),
    );
  }
  const end = toX(clip(story.horizon_until_ms));
  root.append(
    svg("line", { class: "mark", x1: end, x2: end, y1: top, y2: bottom }),
    svg("text", { class: "tick", x: Math.min(end, width - side), y: top - 8, "text-anchor": "end" },
      `${Math.round((story.horizon_until_ms - story.revisions[0].at_ms) / DAY_MS)} days after the alert`),
  );
  for (const revision of story.revisions) {
    if (revision.at_ms > story.to_ms) continue;
    const x = toX(revision.at_ms);
    const r = revision.kind === "resolved" ? 5 : 6;
    const shape = svg("circle", { class: `dot ${revision.tone}`, cx: x, cy: top + 12, r });
    shape.append(svg("title", {}, `${date(revision.at_ms)}: ${revision.words}`));
    root.append(shape);
  }
  for (const ms of monthStarts(story.from_ms, story.to_ms)) {
    if (toX(ms) > width - side - 28) continue;
    root.append(
      svg("line", { class: "axis", x1: toX(ms), x2: toX(ms), y1: bottom, y2: bottom + 5 }),
      svg("text", { class: "tick", x: toX(ms) + 4, y: bottom + 17 }, monthName(ms)),
    );
  }
  return root;
}

function riskCurve(story, edges, width) {
  const { height, top, right, bottom, left } = CURVE;
  const sent = story.revisions.filter((revision) => revision.kind !== "resolved");
  const silences = sent.map((revision) => revision.silent_for_s);
  const longest = Math.max(28 * 86_400, 1.6 * Math.max(...silences));
  const toX = scale(0, longest, left, width - right);
  const toY = scale(0, 1, height - bottom, top);
  const label = sent.map((revision) =>
    `${percent(revision.probability)} after ${Math.floor(revision.silent_for_s / 86_400)} days`).join(", ");
  const root = svg("svg", { width, height, role: "img", "aria-label": `Risk while silent: ${label}` });
  for (const share of [0, 0.5, 1]) {
    root.append(
      svg("line", { class: "grid", x1: left, x2: width - right, y1: toY(share), y2: toY(share) }),
      svg("text", { class: "tick", x: left - 8, y: toY(share) + 4, "text-anchor": "end" }, percent(share)),
    );
  }
  const lines = BANDS.map((band) => toY(edges[band]));
  const labels = spread(lines, 15, top, height - bottom);
  BANDS.forEach((band, index) => root.append(
    svg("line", { class: `edge ${band}`, x1: left, x2: width - right, y1: lines[index], y2: lines[index] }),
    svg("text", { class: `edge-label ${band}`, x: width - right + 6, y: labels[index] + 4 }, band),
  ));
  const days = longest / 86_400;
  const step = [1, 2, 5, 7, 14, 28, 56, 91].find((size) => days / size <= Math.max(3, width / 80)) ?? 182;
  for (let at = 0; at <= days; at += step) {
    root.append(svg("text", { class: "tick", x: toX(at * 86_400), y: height - 10, "text-anchor": "middle" },
      at ? `${at} d` : "0"));
  }
  root.append(...curveLine(story.curve, longest, toX, toY));
  for (const revision of sent) {
    const dot = svg("circle", { class: `dot ${revision.tone}`, cx: toX(revision.silent_for_s), cy: toY(revision.probability), r: 5 });
    dot.append(svg("title", {}, `${shortDate(revision.at_ms)}: ${revision.words}`));
    root.append(dot);
  }
  return root;
}

function curveLine(curve, longest, toX, toY) {
  const shown = curve.filter((point, index) =>
    point.silent_for_s <= longest || (index && curve[index - 1].silent_for_s < longest));
  if (shown.length < 2) return [];
  const last = shown.at(-1);
  if (last.silent_for_s > longest) {
    // Cut at the edge of the picture.
    const before = shown.at(-2);
    const share = (longest - before.silent_for_s) / (last.silent_for_s - before.silent_for_s);
    const probability = before.probability + share * (last.probability - before.probability);
    shown.splice(-1, 1, { silent_for_s: longest, probability });
  }
  const points = shown.map((point) => `${toX(point.silent_for_s).toFixed(1)},${toY(point.probability).toFixed(1)}`);
  return [svg("polyline", { class: "curve", points: points.join(" ") })];
}

function history(story) {
  return element("ol", { class: "history" }, ...story.revisions.map((revision) =>
    element("li", {},
      element("span", { class: `chip ${revision.tone}` }, revision.kind),
      element("span", {}, revision.words),
      element("time", { datetime: new Date(revision.at_ms).toISOString() },
        `${shortDate(revision.at_ms)}, ${silence(revision)}`))));
}

function silence(revision) {
  const days = Math.floor(revision.silent_for_s * 1000 / DAY_MS);
  if (revision.kind === "resolved" && days === 0) return "silence over";
  return days === 1 ? "1 day silent" : `${days} days silent`;
}
