/* The panel: hands the selection to Dash, which renders it once, and keeps its figures live from then on.
   The attributes (data-live, data-format, …) are described in web/ui/panel/live.py. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { format } = meshui;

  const get = (object, path) =>
    path.split("/").reduce((value, step) => (value && typeof value === "object" ? value[step] : undefined), object);

  /** What follows from an edge: as `derived` in web/ui/panel/live.py. */
  function derived(edge) {
    if (!edge || !edge.client) return edge;
    const seconds = edge.rate ? edge.calls / edge.rate : 0;
    const side = (name) => {
      const { calls, failed } = edge[name];
      return {
        ...edge[name],
        rate: seconds && calls ? calls / seconds : null,
        error_rate: calls ? failed / calls : null,
      };
    };
    const retried = edge.requests ? (edge.retries || 0) / edge.requests : null;
    const latency = edge.client.latency_ms || edge.server.latency_ms;
    return { ...edge, client: side("client"), server: side("server"), latency_ms: latency, retry_share: retried };
  }

  function figuresOf(kind, id) {
    const { figures } = meshui.graph;
    return kind === "edge" ? derived(figures.edges.get(id)) : figures.nodes.get(id);
  }

  function objectOf(element) {
    const [kind, id] = element.dataset.of ? split(element.dataset.of) : [meshui.graph.selection.kind, meshui.graph.selection.id];
    return figuresOf(kind, id);
  }

  function split(reference) {
    const colon = reference.indexOf(":");
    return [reference.slice(0, colon), reference.slice(colon + 1)];
  }

  function patch(element) {
    const object = objectOf(element);
    const value = get(object, element.dataset.live);
    const text = format[element.dataset.format](typeof value === "number" ? value : null);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.health !== undefined) element.dataset.health = format.tone(object);
    if (element.dataset.hide === "zero") element.closest("[data-row]").hidden = !value;
  }

  const BREAKER_WORDS = { open: "Circuit open", half_open: "Circuit half-open", closed: "Circuit closed" };
  const BREAKER_TONES = { open: "bad", half_open: "half", closed: "ok" };

  function patchBreaker() {
    const chip = document.getElementById("edge-breaker");
    if (!chip) return;
    const state = get(objectOf(chip), "breaker/state") || "unknown";
    if (chip.dataset.state === state) return;
    chip.dataset.state = state;
    chip.className = `tag ${BREAKER_TONES[state] || "idle"}`;
    chip.lastChild.textContent = BREAKER_WORDS[state] || "Circuit unknown";
  }

  /** Patches every live figure of the panel. */
  function update() {
    const panel = document.getElementById("panel-detail");
    if (!panel || !meshui.graph || !meshui.graph.selection) return;
    panel.querySelectorAll("[data-live]").forEach(patch);
    patchBreaker();
  }

  // --- selection

  function edgeFacts(edge) {
    const { id, source, target, kind } = edge;
    return { type: "edge", id, source, target, kind, edge: meshui.graph.figures.edges.get(id) || null };
  }

  function nodeFacts(node) {
    const edges = [...meshui.graph.edges.values()].filter(({ source, target }) => source !== target);
    const rate = ({ edge }) => (edge ? edge.rate : 0);
    const facts = (own) => edges.filter(own).map(edgeFacts).sort((a, b) => rate(b) - rate(a));
    return {
      type: "node",
      id: node.id,
      service: node.service,
      namespace: node.namespace,
      node_kind: node.kind,
      node: meshui.graph.figures.nodes.get(node.id) || null,
      inbound: facts(({ target }) => target === node.id),
      outbound: facts(({ source }) => source === node.id),
    };
  }

  /** Tells Dash what is selected; the panel opens (a sheet on small screens). */
  function show(selection) {
    const { graph } = meshui;
    const panel = document.getElementById("panel");
    if (panel) panel.classList.toggle("open", Boolean(selection));
    const part = selection && (selection.kind === "edge" ? graph.edges : graph.nodes).get(selection.id);
    if (part && panel && getComputedStyle(panel).position === "fixed") graph.revealAbove(selection, panel);
    const facts = part ? (selection.kind === "edge" ? edgeFacts(part) : nodeFacts(part)) : null;
    window.dash_clientside.set_props("selection", { data: facts });
  }

  meshui.panel = { show, update, derived };
})();
