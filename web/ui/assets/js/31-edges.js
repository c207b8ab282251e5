/* Edges: width = rate, red or amber end = share of failed calls, label only for exceptions, hover and selection. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { escape, rate, share, duration, tone } = meshui.format;
  const { data, arrow } = meshui.geometry;

  const LABEL_SHARES = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.82, 0.18];
  const BREAKER_SHARES = [0.62, 0.7, 0.55, 0.78, 0.45, 0.35];
  const CHARACTER = 5.9; // px, mean width of a label's character
  const ARMS = { open: "M-4.5,0L3.2,-4.6", half_open: "M-4.5,0L4.2,-2.2", closed: "M-4.5,0L4.5,0" };

  const width = (perSecond) => (perSecond > 0 ? Math.max(1.2, Math.min(9, 1 + Math.log10(1 + perSecond) * 2.1)) : 1.6);
  const p95 = (live) => {
    const side = live.client.latency_ms || live.server.latency_ms; // what the caller felt
    return side ? side.p95 : null;
  };
  const breakerState = (live) => (live && live.breaker && live.breaker.state) || "closed";

  /** `edge`: {id, source, target, kind, path}. */
  function markup(edge) {
    const d = data(edge.path);
    return `<g class="edge ${escape(edge.kind)}" data-edge="${escape(edge.id)}" data-source="${escape(edge.source)}" data-target="${escape(edge.target)}">
      <path class="line" d="${d}"/><path class="errors" d="${d}" pathLength="100"/><path class="head"/><path class="hit" d="${d}"/></g>`;
  }

  function parts(group, decoration) {
    const [line, errors, head] = group.children;
    return { group, line, errors, head, decoration, key: "" };
  }

  /** Patches the drawing; true when something visible changed. `shown` = {layer, labelled}. */
  function update(drawn, edge, live, shown) {
    const silent = !live || !live.calls;
    const failed = silent ? 0 : live.error_rate || 0;
    const state = tone(live);
    const stroke = width(silent ? 0 : live.rate).toFixed(1);
    const breaker = breakerState(live);
    const figures = silent ? "" : label(live, shown, state);
    const key = `${state}|${stroke}|${Math.round(failed * 200)}|${breaker}|${shown.layer}|${shown.labelled}|${figures}`;
    if (drawn.key === key) return false;
    drawn.key = key;
    drawn.group.dataset.health = state;
    drawn.group.dataset.breaker = breaker;
    drawn.line.setAttribute("stroke-width", stroke);
    drawn.errors.setAttribute("stroke-width", stroke);
    const part = Math.min(85, Math.sqrt(failed) * 100);
    drawn.errors.style.strokeDasharray = state === "warn" || state === "bad" ? `0 ${100 - part} ${part}` : "0 100";
    drawn.head.setAttribute("d", arrow(edge.path, 4 + stroke * 0.55));
    return true;
  }

  /** The words beside an edge, or nothing: healthy edges are silent. */
  function label(live, shown, state) {
    if (!live || !live.calls) return shown.labelled ? "no traffic" : "";
    if (shown.labelled) return `${rate(live.rate)} · ${share(live.error_rate)} · ${duration(p95(live))}`;
    if (shown.layer === "latency") return duration(p95(live));
    return state === "warn" || state === "bad" ? `${share(live.error_rate)} err` : "";
  }

  function breakerMarkup({ x, y }, state) {
    const words = state === "half_open" ? "half-open" : state;
    return `<g class="breaker ${state}" transform="translate(${x},${y})"><circle class="ground" r="10.5"/>
      <path d="${ARMS[state]}"/><circle cx="-4.5" r="1.7"/><circle cx="4.5" r="1.7"/><title>circuit breaker ${words}</title></g>`;
  }

  function labelMarkup({ x, y }, text, size, state) {
    return `<g class="label ${state}" transform="translate(${x - size / 2},${y - 9})"><rect width="${size}" height="18" rx="9"/>
      <text x="${size / 2}" y="12.8" text-anchor="middle">${escape(text)}</text></g>`;
  }

  /** Breaker symbol and label, at places that are free. */
  function decorate(drawn, edge, live, shown, places) {
    const state = tone(live);
    const breaker = breakerState(live);
    let markup = "";
    if (ARMS[breaker] && (breaker !== "closed" || (shown.layer === "resilience" && live && live.breaker))) {
      markup += breakerMarkup(places.take(edge.path, 24, 24, BREAKER_SHARES), breaker);
    }
    const text = label(live, shown, state);
    if (text) {
      const size = text.length * CHARACTER + 14;
      markup += labelMarkup(places.take(edge.path, size, 19, LABEL_SHARES), text, size, state);
    }
    drawn.decoration.innerHTML = markup;
  }

  /** What is decorated first gets the best place. */
  function urgency(live) {
    return (breakerState(live) === "closed" ? 0 : 2) + ((live && live.error_rate) || 0);
  }

  meshui.edges = { markup, parts, update, decorate, urgency, width, p95, breakerState };
})();
