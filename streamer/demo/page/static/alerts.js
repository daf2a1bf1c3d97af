// The list of alerts: the newest as they come, by their date, or a search through all of them.

import { count, element, shortDate } from "/static/format.js";
import { verdict } from "/static/verdicts.js";

const KEPT = 60;

export class AlertList {
  /** `onOpen(alertId)` is called for an alert that is chosen. */
  constructor(list, newer, filter, note, onOpen) {
    this.list = list;
    this.newer = newer;
    this.filter = filter;
    this.note = note;
    this.onOpen = onOpen;
    this.newest = []; // by date, descending
    this.waiting = [];
    this.held = false;
    this.selected = null;
    // Rows that move away under the pointer or the focus cannot be chosen: hold them.
    list.addEventListener("pointerenter", () => { this.held = true; });
    list.addEventListener("pointerleave", () => this.release());
    list.addEventListener("focusin", () => { this.held = true; });
    list.addEventListener("focusout", (event) => {
      if (!list.contains(event.relatedTarget)) this.release();
    });
    list.addEventListener("keydown", (event) => this.onKey(event));
    newer.addEventListener("click", () => this.release(true));
    filter.addEventListener("input", () => this.search());
    filter.addEventListener("submit", (event) => event.preventDefault());
  }

  get live() {
    const form = new FormData(this.filter);
    return form.get("show") === "newest" && !form.get("household").trim();
  }

  reset(lines) {
    this.waiting = [];
    this.newest = [];
    if (this.live) this.show(lines);
    else this.waiting.push(...lines);
  }

  add(lines) {
    if (!lines.length) return;
    this.waiting.push(...lines);
    if (this.waiting.length > KEPT) this.waiting.splice(0, this.waiting.length - KEPT);
    if (this.live && !this.held) this.release(true);
    else if (this.live) this.offerNewer();
  }

  offerNewer() {
    this.newer.hidden = !this.waiting.length;
    this.newer.textContent = `Show ${this.waiting.length} newer`;
  }

  release(always = false) {
    const busy = this.list.matches(":hover") || this.list.contains(document.activeElement);
    this.held = busy && !always;
    if (this.held || !this.live) return;
    this.newer.hidden = true;
    if (this.waiting.length) this.show(this.waiting.splice(0));
  }

  show(lines) {
    // Partitions are not equally far, so what comes last may be dated before what is there.
    this.newest = [...lines.toReversed(), ...this.newest].sort((one, other) => other.at_ms - one.at_ms).slice(0, KEPT);
    this.list.replaceChildren(...this.newest.map((line) => this.row(line)));
    if (this.newest.length) this.note.textContent = "";
  }

  async search() {
    if (this.live) {
      this.show(this.waiting.splice(0));
      return;
    }
    this.newer.hidden = true;
    const query = new URLSearchParams(new FormData(this.filter));
    const found = await this.fetch(query);
    if (!found || query.toString() !== new URLSearchParams(new FormData(this.filter)).toString()) return;
    // The verdict goes without saying where it was what was asked for.
    const any = query.get("show") === "newest";
    this.list.replaceChildren(...found.alerts.map((line) => this.row(any ? line : { ...line, verdict: null })));
    this.note.textContent = found.count > found.alerts.length
      ? `The newest ${found.alerts.length} of ${count(found.count)}.`
      : found.count ? `${count(found.count)} in all.` : "None.";
  }

  async fetch(query) {
    const response = await fetch(`/api/alerts?${query}`).catch(() => null);
    if (!response?.ok) this.note.textContent = "The demonstration has ended: alerts cannot be searched any more.";
    return response?.ok ? response.json() : null;
  }

  row(line) {
    // Household and band stand beside the sentence.
    const words = line.words.replace(/^household \S+: /, "").replace(/ \((watch|high|critical)\)/, "");
    const details = [shortDate(line.at_ms)];
    if (line.verdict) details.push(verdict(line.verdict));
    const button = element("button", { type: "button", "data-alert": line.alert_id },
      element("span", { class: `chip ${line.tone}` }, line.label),
      element("span", { class: "words" }, element("b", {}, `Household ${line.user_id}`), ` ${words}`),
      element("time", { datetime: new Date(line.at_ms).toISOString() }, details.join(" · ")));
    button.setAttribute("aria-current", line.alert_id === this.selected ? "true" : "false");
    button.addEventListener("click", () => this.onOpen(line.alert_id));
    return element("li", {}, button);
  }

  select(alertId) {
    this.selected = alertId;
    for (const button of this.list.querySelectorAll("button")) {
      button.setAttribute("aria-current", button.dataset.alert === alertId ? "true" : "false");
    }
  }

  focusSelected() {
    const button = this.list.querySelector('[aria-current="true"]') ?? this.list.querySelector("button");
    this.select(null);
    button?.focus();
  }

  onKey(event) {
    const row = event.target.closest("li");
    const next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[event.key];
    if (!next) return;
    event.preventDefault();
    next.querySelector("button").focus();
  }
}
