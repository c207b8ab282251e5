/* The graph as a table: the same edges and figures, sortable, for screen readers and for reading many numbers. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { rate, share, duration, escape, tone } = meshui.format;
  const WORDS = { ok: "healthy", warn: "degraded", bad: "failing", idle: "silent" };
  const RANK = { bad: 0, warn: 1, ok: 2, idle: 3 };

  const side = (live) => (live && (live.client.latency_ms || live.server.latency_ms)) || {};
  const COLUMNS = [
    { key: "source", title: "Caller", value: (row) => row.source },
    { key: "target", title: "Target", value: (row) => row.target },
    { key: "health", title: "Health", value: (row) => RANK[tone(row.live)], text: (row) => WORDS[tone(row.live)] },
    { key: "rate", title: "Rate", value: (row) => (row.live ? row.live.rate : -1), text: (row) => rate(row.live && row.live.rate) },
    { key: "errors", title: "Errors", value: (row) => (row.live ? row.live.error_rate : -1), text: (row) => share(row.live && row.live.error_rate) },
    { key: "p50", title: "p50", value: (row) => side(row.live).p50 ?? -1, text: (row) => duration(side(row.live).p50) },
    { key: "p95", title: "p95", value: (row) => side(row.live).p95 ?? -1, text: (row) => duration(side(row.live).p95) },
    { key: "breaker", title: "Circuit", value: (row) => meshui.edges.breakerState(row.live), text: (row) => breaker(row.live) },
  ];

  const order = { key: "errors", down: true };
  const breaker = (live) => (live && live.breaker ? live.breaker.state.replace("_", "-") : "–");

  function rows() {
    const { value } = COLUMNS.find(({ key }) => key === order.key);
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    return [...meshui.graph.edges.values()]
      .map((edge) => ({ ...edge, live: meshui.graph.figures.edges.get(edge.id) || null }))
      .sort((a, b) => compare(value(a), value(b)) * (order.down ? -1 : 1) || a.id.localeCompare(b.id));
  }

  function heading({ key, title }) {
    const sorted = order.key === key ? (order.down ? "descending" : "ascending") : "none";
    return `<th scope="col" aria-sort="${sorted}"><button data-sort="${key}">${title}</button></th>`;
  }

  function cell(column, row) {
    const text = escape((column.text || column.value)(row));
    if (column.key === "source") {
      return `<th scope="row"><button class="link" data-select-edge="${escape(row.id)}">${text}</button></th>`;
    }
    return column.key === "health" ? `<td><span data-health="${tone(row.live)}">${text}</span></td>` : `<td>${text}</td>`;
  }

  function markup() {
    const body = rows().map((row) => `<tr>${COLUMNS.map((column) => cell(column, row)).join("")}</tr>`);
    return `<table class="tbl"><caption class="visually-hidden">Calls between services</caption>
      <thead><tr>${COLUMNS.map(heading).join("")}</tr></thead><tbody>${body.join("")}</tbody></table>`;
  }

  function update() {
    const element = document.getElementById("graph-table");
    if (!element || element.hidden || !meshui.graph) return;
    const focus = element.contains(document.activeElement) ? { ...document.activeElement.dataset } : null;
    const next = markup();
    if (element.dataset.shown === next) return;
    element.dataset.shown = next;
    element.innerHTML = next;
    if (focus) restore(element, focus);
  }

  /** The rebuilt table keeps the keyboard's place. */
  function restore(element, { sort, selectEdge }) {
    const same = sort ? `[data-sort="${sort}"]` : `[data-select-edge="${CSS.escape(selectEdge || "")}"]`;
    const button = element.querySelector(same);
    if (button) button.focus({ preventScroll: true });
  }

  function sortBy(key) {
    order.down = order.key === key ? !order.down : !["source", "target", "health", "breaker"].includes(key);
    order.key = key;
    update();
  }

  meshui.table = { update, sortBy };
})();
