/* Keyboard of the graph: arrows follow calls or move by sight, Enter opens, Escape clears, + - 0 zoom. */
(function () {
  "use strict";
  const meshui = window.meshui;

  const busiest = (graph, edges) =>
    edges.slice().sort((a, b) => rateOf(graph, b) - rateOf(graph, a))[0];

  function rateOf(graph, edge) {
    const live = graph.figures.edges.get(edge.id);
    return live ? live.rate : 0;
  }

  /** The nearest node above (-1) or below (+1); sideways distance counts double. */
  function nearest(graph, from, direction) {
    const distance = (node) => Math.abs(node.y - from.y) + 2 * Math.abs(node.x - from.x);
    return [...graph.nodes.values()]
      .filter((node) => (node.y - from.y) * direction > 5)
      .sort((a, b) => distance(a) - distance(b))[0];
  }

  /** The node to go to from `node` with this key, if any. */
  function neighbour(graph, node, key) {
    const edges = [...graph.edges.values()].filter((edge) => edge.source !== edge.target);
    if (key === "ArrowRight") {
      const edge = busiest(graph, edges.filter(({ source }) => source === node.id));
      return edge && graph.nodes.get(edge.target);
    }
    if (key === "ArrowLeft") {
      const edge = busiest(graph, edges.filter(({ target }) => target === node.id));
      return edge && graph.nodes.get(edge.source);
    }
    return nearest(graph, node, key === "ArrowDown" ? 1 : -1);
  }

  /** Listens on the element of the graph. */
  function listen(graph) {
    const actions = {
      "+": () => graph.viewport.zoom(1.2),
      "=": () => graph.viewport.zoom(1.2),
      "-": () => graph.viewport.zoom(1 / 1.2),
      0: () => graph.fit(),
      Escape: () => graph.select(null),
    };
    graph.element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const focused = event.target.closest && event.target.closest("[data-node]");
      const node = focused && graph.nodes.get(focused.dataset.node);
      if (actions[event.key]) actions[event.key]();
      else if (node && event.key.startsWith("Arrow")) graph.focusNode(neighbour(graph, node, event.key));
      else if (node && (event.key === "Enter" || event.key === " ")) graph.select({ kind: "node", id: node.id });
      else return;
      event.preventDefault();
    });
  }

  meshui.keyboard = { listen, neighbour };
})();
