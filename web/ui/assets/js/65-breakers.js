/* The circuit of the selected edge: since when it is as it is, a strip of the last 15 minutes for each caller instance,
   and what changed last. The panel (web/ui/panel/edge.py) has an empty part for it. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { escape } = meshui.format;

  const SPAN = 900; // s
  const SLOTS = 90;
  const PERIOD = 5000; // ms between two looks
  const LANES = 4;
  const LISTED = 6;
  const RANK = ["unknown", "closed", "half_open", "open"];
  const REASONS = {
    requests: "at its limit of requests", pending: "at its limit of pending requests", overflow: "calls found no room",
    all_ejected: "every host is ejected", ejection: "hosts are ejected", panic: "ejected hosts are routed to all the same",
  };
  const words = (state) => state.replace("_", "-");
  const seconds = (text) => Date.parse(text) / 1000;
  const clock = (text) => new Date(text).toLocaleTimeString([], { hourCycle: "h23" });

  /** Per caller instance the worst state in each slot of the last 15 minutes. A slot holds what began in it too. */
  function lanes(items, changes, now) {
    const found = new Map();
    const clusters = new Map();
    const cluster = (each) => `${each.instance}\n${each.version || ""}`;
    for (const item of items) clusters.set(cluster(item), { instance: item.instance, state: item.state, changes: [] });
    for (const change of changes) {
      if (change.host) continue;
      const key = cluster(change);
      if (!clusters.has(key)) clusters.set(key, { instance: change.instance, state: change.state, changes: [] });
      clusters.get(key).changes.push(change);
    }
    for (const { instance, state, changes: own } of clusters.values()) {
      const lane = found.get(instance) || new Array(SLOTS).fill(0);
      const told = own.slice().sort((a, b) => seconds(a.time) - seconds(b.time));
      let from = 0;
      const hold = (rank, upto) => {
        for (let slot = from; slot <= Math.min(upto, SLOTS - 1); slot += 1) lane[slot] = Math.max(lane[slot], rank);
      };
      for (const change of told) {
        const slot = Math.floor(((seconds(change.time) - now) / SPAN + 1) * SLOTS);
        hold(RANK.indexOf(change.before), slot);
        from = Math.max(0, slot);
      }
      hold(RANK.indexOf(told.length ? told[told.length - 1].state : state), SLOTS - 1);
      found.set(instance, lane);
    }
    return [...found].sort((a, b) => a[0].localeCompare(b[0]));
  }

  function strip([instance, lane]) {
    const parts = [];
    lane.forEach((rank, slot) => {
      const last = parts[parts.length - 1];
      if (last && last.rank === rank) last.length += 1;
      else parts.push({ rank, slot, length: 1 });
    });
    const bars = parts.map(({ rank, slot, length }) => `<rect class="${RANK[rank]}" x="${slot}" width="${length}" height="10"/>`).join("");
    const said = `${instance}: ${words(RANK[lane[SLOTS - 1]])} now; open in ${lane.filter((rank) => rank === 3).length * (SPAN / SLOTS)} of the last ${SPAN} seconds`;
    return `<div class="lane"><span class="mono" title="${escape(instance)}">${escape(instance)}</span>
      <svg viewBox="0 0 ${SLOTS} 10" preserveAspectRatio="none" role="img" aria-label="${escape(said)}">${bars}</svg></div>`;
  }

  function present(items) {
    const shown = items.filter(({ state }) => state !== "closed");
    const worst = shown.sort((a, b) => RANK.indexOf(b.state) - RANK.indexOf(a.state))[0];
    if (!worst) {
      const last = items.map(({ since }) => since).filter(Boolean).sort().pop();
      return last ? `<div>Closed since <time>${clock(last)}</time></div>` : "";
    }
    const why = Object.keys(worst.reasons).map((reason) => REASONS[reason]);
    if (worst.forced) why.push(`forced ${worst.forced.state} by ${worst.forced.policy}`);
    const since = worst.since ? ` since <time>${clock(worst.since)}</time>` : "";
    const state = words(worst.state);
    return `<div><b>${state[0].toUpperCase()}${state.slice(1)}</b> at <span class="mono">${escape(worst.instance)}</span>${since}${why.length ? `: ${escape(why.join(", "))}` : ""}</div>`;
  }

  function hosts(items) {
    const out = new Map();
    for (const { ejected_hosts: ejected } of items) for (const each of ejected) out.set(each.host, each);
    return [...out.values()].map(({ host, since, reason }) =>
      `<div>Ejected <span class="mono">${escape(host)}</span> since <time>${clock(since)}</time>: ${escape(words(reason).replace(/_/g, " "))}</div>`).join("");
  }

  function change({ time, instance, host, before, state, reasons }) {
    const what = host ? `${host} ${state === "ejected" ? "ejected" : "back in"}` : `${words(before)} → ${words(state)}`;
    const why = reasons.map((reason) => REASONS[reason] || reason.replace(/_/g, " ")).join(", ");
    return `<li><div class="grow"><b>${escape(what)}</b><div class="faint">${escape([instance, why].filter(Boolean).join(" · "))}</div></div><time datetime="${escape(time)}">${clock(time)}</time></li>`;
  }

  /** The part, from items of /api/v1/breakers and its transitions; `now` in unix seconds. */
  function markup(items, changes, now) {
    const found = lanes(items, changes, now);
    if (!found.length) return '<div class="faint">No proxy reports on it.</div>';
    const more = found.length > LANES ? `<div class="faint">and ${found.length - LANES} more callers</div>` : "";
    const told = changes.filter(({ before }) => before !== "unknown").slice(0, LISTED);
    const list = told.length ? `<h4>Last changes</h4><ul class="changes">${told.map(change).join("")}</ul>` : "";
    return `${present(items)}${hosts(items)}<h4>Last 15 minutes</h4>${found.slice(0, LANES).map(strip).join("")}${more}${list}`;
  }

  let shown = { key: null, at: -Infinity };

  /** Draws the circuit of the selection, and asks again when it is old. Cheap to call often. */
  function update() {
    const element = document.getElementById("edge-breaker-past");
    const selection = meshui.graph && meshui.graph.selection;
    if (!element || !selection || selection.kind !== "edge" || document.hidden) return;
    if (element.dataset.of !== selection.id) {
      element.dataset.of = selection.id;
      element.innerHTML = shown.key === selection.id && shown.markup ? shown.markup : "";
      if (shown.key !== selection.id) shown = { key: selection.id, at: -Infinity };
    }
    const edge = meshui.graph.edges.get(selection.id);
    if (!edge || performance.now() - shown.at < PERIOD) return;
    shown.at = performance.now();
    fill(edge, selection.id).catch(() => {}); // said in the header: no connection
  }

  async function ask(path, pairs) {
    const answer = await fetch(`${path}?${new URLSearchParams(pairs)}`, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return (await answer.json()).items;
  }

  async function fill({ source, target }, key) {
    const ends = { source, target, limit: "1000" };
    const asked = [ask("/api/v1/breakers", ends), ask("/api/v1/breakers/transitions", { ...ends, start: `now-${SPAN}s` })];
    const [items, changes] = await Promise.all(asked);
    const element = document.getElementById("edge-breaker-past");
    if (!element || element.dataset.of !== key || shown.key !== key) return;
    shown.markup = markup(items, changes, Date.now() / 1000);
    element.innerHTML = shown.markup;
  }

  meshui.breakers = { update, markup, lanes };
})();
