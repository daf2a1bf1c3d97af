// The page: one stream of frames from the demonstration, drawn as they come.

import { PopulationChart } from "/static/chart.js";
import { AlertList } from "/static/alerts.js";
import { BANDS, count, date, element } from "/static/format.js";
import { storyElements } from "/static/story.js";
import { useVerdictsOf, verdictLabel } from "/static/verdicts.js";

const byId = (id) => document.getElementById(id);
const chart = new PopulationChart(byId("chart"), byId("legend"));
const list = new AlertList(byId("alerts"), byId("newer"), byId("filter"), byId("alerts-note"), openStory);
let setting = null;
let shown = null;

const stream = new EventSource("/events");
stream.addEventListener("setting", (event) => onSetting(JSON.parse(event.data)));
stream.addEventListener("frame", (event) => onFrame(JSON.parse(event.data)));
stream.addEventListener("closing", (event) => onClosing(JSON.parse(event.data)));
stream.addEventListener("error", () => {
  byId("doing").textContent = "The demonstration has ended. What you see stays; stories cannot be fetched any more.";
});
window.addEventListener("hashchange", openFromAddress);
new ResizeObserver(() => shown && drawStory(shown)).observe(byId("story"));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && shown) closeStory();
});

/** What stays the same, and all that was missed: sent once, at the start of a connection. */
function onSetting(message) {
  setting = message;
  byId("chart-note").textContent =
    `Households seen in the last ${message.active_days} days, by the band of their open alert. ` +
    `An alert is for ${message.risk_days} days.`;
  useVerdictsOf(message.definition);
  for (const choice of document.querySelectorAll("[data-verdict]")) {
    choice.textContent = verdictLabel(choice.dataset.verdict);
  }
  chart.points = [];
  chart.setSpan(message.from_ms, message.to_ms);
  if (message.judged_ms) chart.mark(message.judged_ms, `${date(message.judged_ms)}: the scores that are judged`);
  chart.add(message.chart);
  list.reset(message.alerts);
  openFromAddress();
}

function onFrame(frame) {
  byId("date").textContent = frame.clock_ms === null ? "" : date(frame.clock_ms);
  if (byId("doing").textContent !== frame.doing) byId("doing").textContent = frame.doing;
  byId("progress").max = frame.total || 1;
  byId("progress").value = frame.committed;
  byId("committed").textContent = count(frame.committed);
  byId("rate").textContent = frame.phase === "done" ? "all of them" : `${count(frame.events_per_s)} a second`;
  byId("users").textContent = count(frame.users);
  byId("scores").textContent = `${count(frame.scores)} scores published`;
  byId("open").textContent = count(BANDS.reduce((sum, band) => sum + frame.open[band], 0));
  byId("open-bands").textContent = BANDS.map((band) => `${count(frame.open[band])} ${band}`).join(" · ");
  byId("raised").textContent = count(frame.raised);
  byId("changes").textContent = `${count(frame.escalated)} escalated · ${count(frame.resolved)} resolved`;
  if (frame.point) chart.add([frame.point]);
  list.add(frame.alerts);
  document.body.dataset.phase = frame.phase;
}

function onClosing(closing) {
  byId("closing").hidden = false;
  byId("closing-figures").replaceChildren(...closing.figures.map(([name, value, note]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value), element("dd", { class: "note" }, note))));
  byId("closing-lines").replaceChildren(...closing.lines.map((line) => element("li", {}, line)));
}

function openFromAddress() {
  const alertId = new URLSearchParams(location.hash.slice(1)).get("alert");
  if (alertId && alertId !== shown?.alert_id) openStory(alertId);
}

async function openStory(alertId) {
  const response = await fetch(`/api/stories/${encodeURIComponent(alertId)}`).catch(() => null);
  if (!response?.ok) {
    byId("story-body").replaceChildren(element("p", { class: "note" }, response
      ? "There is no such alert in this run."
      : "The demonstration has ended: stories cannot be fetched any more."));
    return;
  }
  shown = await response.json();
  history.replaceState(null, "", `#alert=${encodeURIComponent(alertId)}`);
  list.select(alertId);
  byId("story-title").textContent = `Household ${shown.user_id}`;
  document.body.classList.add("reading");
  drawStory(shown);
  // On a small screen the story covers the list; beside it, the focus stays there for the next alert.
  if (getComputedStyle(byId("story")).position === "fixed") byId("story-title").focus();
}

function drawStory(story) {
  const body = byId("story-body");
  const close = element("button", { class: "close", type: "button" }, "Close");
  close.addEventListener("click", closeStory);
  const width = Math.max(body.clientWidth, 240);
  body.replaceChildren(...storyElements(story, setting.edges, width), close);
}

function closeStory() {
  shown = null;
  history.replaceState(null, "", location.pathname);
  document.body.classList.remove("reading");
  byId("story-title").textContent = "Story";
  byId("story-body").replaceChildren(
    element("p", { class: "note" }, "Choose an alert to see what the household did before and after."));
  list.focusSelected();
}
