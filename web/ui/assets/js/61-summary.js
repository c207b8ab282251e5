/* What the panel shows while nothing is selected: the mesh in four figures, and what needs attention. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { rate, share, duration, escape, tone } = meshui.format;

  const LISTED = 8;
  const nameOf = (id) => {
    const node = meshui.graph.nodes.get(id);
    return node ? node.service : id;
  };

  function totals() {
    const edges = [...meshui.graph.figures.edges.values()];
    const calls = edges.reduce((sum, edge) => sum + edge.calls, 0);
    const failed = edges.reduce((sum, edge) => sum + edge.failed, 0);
    return {
      rate: edges.reduce((sum, edge) => sum + edge.rate, 0),
      errors: calls ? failed / calls : null,
      open: edges.filter((edge) => meshui.edges.breakerState(edge) === "open").length,
    };
  }

  /** Edges with failures or an open circuit, worst first. */
  function worst() {
    return [...meshui.graph.edges.values()]
      .map((edge) => ({ ...edge, live: meshui.graph.figures.edges.get(edge.id) }))
      .filter(({ live }) => ["warn", "bad"].includes(tone(live)) || meshui.edges.breakerState(live) !== "closed")
      .sort((a, b) => meshui.edges.urgency(b.live) - meshui.edges.urgency(a.live))
      .slice(0, LISTED);
  }

  function row({ id, source, target, live }) {
    return `<button class="call" data-select-edge="${escape(id)}"><span class="grow">${escape(nameOf(source))} › ${escape(nameOf(target))}</span>
      <span>${rate(live.rate)}</span><span data-health="${tone(live)}">${share(live.error_rate)}</span></button>`;
  }

  function slowest() {
    const nodes = [...meshui.graph.figures.nodes.values()].filter((node) => node.calls && node.latency_ms);
    return nodes.sort((a, b) => b.latency_ms.p95 - a.latency_ms.p95).slice(0, 4);
  }

  const slowRow = (node) => `<button class="call" data-select-node="${escape(node.id)}"><span class="grow">${escape(nameOf(node.id))}</span>
      <span>${rate(node.rate)}</span><span>${duration(node.latency_ms.p95)}</span></button>`;

  const services = () => [...meshui.graph.nodes.values()].filter(({ kind }) => kind === "service" || kind === "gateway").length;

  const tile = (label, value) => `<div class="tile"><div class="l">${label}</div><div class="v">${value}</div></div>`;

  function markup() {
    const { rate: perSecond, errors, open } = totals();
    const rows = worst();
    const calm = '<div class="note done"><i class="i i-circle-check"></i><div>No edge stands out.</div></div>';
    return `<div class="faint kicker">All namespaces</div><h2>The mesh now</h2>
      <div class="tiles">${tile("Calls", rate(perSecond))}${tile("Failed", share(errors))}
      ${tile("Services", services())}${tile("Open circuits", open)}</div>
      <section class="part"><h3>Needs attention</h3>${rows.length ? rows.map(row).join("") : calm}</section>
      <section class="part"><h3>Slowest, p95</h3>${slowest().map(slowRow).join("")}</section>
      <p class="faint hint">Select an edge to see both of its sides and to change its rule.</p>`;
  }

  function update() {
    const element = document.getElementById("panel-summary");
    if (!element || !meshui.graph) return;
    element.hidden = Boolean(meshui.graph.selection);
    const focused = element.contains(document.activeElement);
    if (focused && !element.hidden) return; // a rebuilt list would lose the keyboard's place
    const next = !element.hidden && meshui.graph.edges.size ? markup() : "";
    if (element.dataset.shown === next) return;
    element.dataset.shown = next;
    element.innerHTML = next;
  }

  meshui.summary = { update };
})();
