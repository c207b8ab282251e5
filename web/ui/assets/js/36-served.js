/* What a node of ours served itself. The API (rule R3.4) gives a node that served nothing its callers' figures: right
   for a database, but a service with proxies of its own would turn red when its callers' calls never reach it. */
(function () {
  "use strict";
  const meshui = window.meshui;

  const NOTHING = { calls: 0, failed: 0, rate: 0, error_rate: null, latency_ms: null, health: "idle", versions: {} };
  const sum = (edges, side) => edges.reduce((total, edge) => total + edge[side].calls, 0);

  /** Whether the figures of the node are those that its callers saw, although its own proxies would have told. */
  function unserved(node, inbound) {
    if (!node.instances || !node.calls || !inbound.length || sum(inbound, "server")) return false;
    return Math.abs(sum(inbound, "client") - node.calls) < 0.5; // else it has jobs of its own
  }

  /** Nodes by id, from the nodes and edges of the feed. */
  function served(nodes, edges) {
    const inbound = new Map();
    for (const edge of edges.values()) {
      if (!inbound.has(edge.target)) inbound.set(edge.target, []);
      inbound.get(edge.target).push(edge);
    }
    const own = (id, node) => (unserved(node, inbound.get(id) || []) ? { ...node, ...NOTHING } : node);
    return new Map([...nodes].map(([id, node]) => [id, own(id, node)]));
  }

  meshui.served = served;
})();
