/* What stays bright: the selection and its surroundings, else what is searched for, else what fails. */
(function () {
  "use strict";
  const meshui = window.meshui;

  /** Ids of what stays bright, or null when everything does. */
  function relevant(graph) {
    if (graph.selection) return around(graph, graph.selection);
    if (graph.query) return new Set(matches(graph).map(({ id }) => id));
    return graph.onlyProblems ? problems(graph) : null;
  }

  /** Nodes whose id holds the words of the search; names that begin with them first. */
  function matches(graph) {
    const begins = ({ service }) => Number(service.toLowerCase().startsWith(graph.query));
    return [...graph.nodes.values()]
      .filter(({ id }) => id.toLowerCase().includes(graph.query))
      .sort((a, b) => begins(b) - begins(a));
  }

  function around(graph, { kind, id }) {
    const bright = new Set([id]);
    for (const edge of graph.edges.values()) {
      const touches = kind === "edge" ? edge.id === id : edge.source === id || edge.target === id;
      if (touches) [edge.id, edge.source, edge.target].forEach((part) => bright.add(part));
    }
    return bright;
  }

  function problems(graph) {
    const bright = new Set();
    for (const edge of graph.edges.values()) {
      const { health, breaker } = graph.drawnEdges.get(edge.id).group.dataset;
      if (health === "warn" || health === "bad" || breaker !== "closed") {
        [edge.id, edge.source, edge.target].forEach((part) => bright.add(part));
      }
    }
    return bright;
  }

  /** Dots for one edge, or null: none where it is dimmed, silent or its circuit open. */
  function flow(graph, id, bright) {
    const live = graph.figures.edges.get(id);
    if (!live || (bright && !bright.has(id)) || meshui.edges.breakerState(live) === "open") return null;
    const failing = live.health === "degraded" || live.health === "failing";
    return { path: graph.edges.get(id).path, rate: live.rate, errorRate: failing ? live.error_rate : 0 };
  }

  function show(graph) {
    const bright = relevant(graph);
    const selected = graph.selection ? graph.selection.id : null;
    const mark = (element, id) => {
      element.classList.toggle("rel", bright !== null && bright.has(id));
      element.classList.toggle("sel", id === selected);
    };
    graph.element.classList.toggle("focus", bright !== null);
    for (const [id, { group }] of graph.drawnNodes) {
      mark(group, id);
      group.setAttribute("aria-pressed", String(id === selected));
    }
    for (const [id, { group, decoration }] of graph.drawnEdges) {
      mark(group, id);
      mark(decoration, id);
    }
    const flows = [...graph.edges.keys()].map((id) => flow(graph, id, bright)).filter(Boolean);
    graph.dots.show(flows, graph.viewport);
  }

  meshui.emphasis = { show, matches };
})();
