// What a household spent before and after its alert, in bars beside what is usual for it.

import { count, element, roundStep, scale, shortDate, svg } from "/static/format.js";

const BARS = { height: 170, top: 22, right: 8, bottom: 26, left: 44 };
const GAP = 6;

/** Bars of one width, those after the alert in another colour; what the replay has not reached is not in them. */
export function spendingBars(story, width) {
  const { height, top, right, bottom, left } = BARS;
  const { usual, stretches } = story.spending;
  const alertMs = story.revisions[0].at_ms;
  const currency = story.spending.currency ?? "";
  const highest = Math.max(usual, ...stretches.map((stretch) => stretch.amount), 1) * 1.05;
  const first = stretches[0]?.from_ms ?? alertMs;
  const toX = scale(first, Math.max(story.horizon_until_ms, stretches.at(-1)?.to_ms ?? 0), left, width - right);
  const toY = scale(0, highest, height - bottom, top);
  const told = stretches.map((stretch) => `${count(stretch.amount)} ${currency} from ${shortDate(stretch.from_ms)}`);
  const label = `Spent in four weeks each, usually ${count(usual)} ${currency}: ${told.join(", ")}`;
  const root = svg("svg", { width, height, role: "img", "aria-label": label });
  const step = roundStep(highest, 3);
  for (let value = 0; value <= highest; value += step) {
    root.append(
      svg("line", { class: "grid", x1: left, x2: width - right, y1: toY(value), y2: toY(value) }),
      svg("text", { class: "tick", x: left - 8, y: toY(value) + 4, "text-anchor": "end" }, count(value)),
    );
  }
  for (const stretch of stretches) {
    const x = toX(stretch.from_ms) + GAP / 2;
    const bar = svg("rect", {
      class: stretch.from_ms < alertMs ? "spent" : "spent after", x, rx: 2,
      y: toY(stretch.amount), width: Math.max(toX(stretch.to_ms) - x - GAP / 2, 1), height: toY(0) - toY(stretch.amount),
    });
    const unfinished = stretch.to_ms > story.clock_ms ? ", so far" : "";
    bar.append(svg("title", {}, `from ${shortDate(stretch.from_ms)}: ${count(stretch.amount)} ${currency}${unfinished}`));
    root.append(bar, svg("text", { class: "tick", x, y: height - 8 }, shortDate(stretch.from_ms)));
  }
  root.append(
    svg("line", { class: "usual", x1: left, x2: width - right, y1: toY(usual), y2: toY(usual) }),
    svg("line", { class: "mark", x1: toX(alertMs), x2: toX(alertMs), y1: top - 4, y2: height - bottom }),
    svg("text", { class: "mark-label", x: toX(alertMs), y: top - 10, "text-anchor": "middle" }, "alert"),
  );
  return root;
}

/** What the dashed line is. */
export function spendingNote(spending) {
  return element("p", { class: "note" },
    `Four weeks to a bar, in ${spending.currency ?? "money"}; the dashed line is what is usual: ${count(spending.usual)}.`);
}
