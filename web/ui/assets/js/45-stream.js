/* One stream of the live graph, shared by any number of listeners. Runs in the SharedWorker (which imports
   this file), or in the page where there is none. */
(function (global) {
  "use strict";

  const RETRY = 3000; // ms until a stream that the server refused is tried again

  const edgeId = ({ source, target, kind }) => `${source}>${target}>${kind}`;

  class Stream {
    /** `query`: the window and the view, as the API takes them ("start=now-30s&…"). Listeners have `postMessage`. */
    constructor(query) {
      this.query = query;
      this.listeners = new Set();
      this.nodes = new Map();
      this.edges = new Map();
      this.last = null;
      this.state = "connecting";
      this.open();
    }

    open() {
      this.source = new EventSource(`/api/v1/graph/stream?${this.query}`);
      this.source.addEventListener("snapshot", ({ data }) => this.snapshot(JSON.parse(data)));
      this.source.addEventListener("delta", ({ data }) => this.delta(JSON.parse(data)));
      this.source.onerror = () => this.lost();
    }

    add(listener) {
      this.listeners.add(listener);
      if (this.last) listener.postMessage(this.whole());
      listener.postMessage({ type: "state", state: this.state });
    }

    close() {
      clearTimeout(this.timer);
      this.source.close();
    }

    snapshot(graph) {
      this.nodes = new Map(graph.nodes.map((node) => [node.id, node]));
      this.edges = new Map(graph.edges.map((edge) => [edgeId(edge), edge]));
      this.last = { start: graph.start, end: graph.end, rev: graph.rev };
      this.live();
      this.tell(this.whole());
    }

    delta(graph) {
      for (const node of graph.nodes) this.nodes.set(node.id, node);
      for (const edge of graph.edges) this.edges.set(edgeId(edge), edge);
      const removed = graph.removed || { nodes: [], edges: [] };
      const gone = removed.edges.map((edge) => edge.join(">"));
      for (const id of removed.nodes) this.nodes.delete(id);
      for (const id of gone) this.edges.delete(id);
      this.last = { start: graph.start, end: graph.end, rev: graph.rev };
      this.live();
      const { nodes, edges } = graph;
      this.tell({ type: "delta", nodes, edges, removed: { nodes: removed.nodes, edges: gone }, ...this.last });
    }

    whole() {
      return { type: "snapshot", nodes: [...this.nodes.values()], edges: [...this.edges.values()], ...this.last };
    }

    live() {
      if (this.state !== "live") this.become("live");
    }

    /** The browser reconnects by itself, with Last-Event-ID, unless the server refused the stream. */
    lost() {
      this.become("lost");
      if (this.source.readyState !== EventSource.CLOSED) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.open(), RETRY);
      fetch(`/api/v1/graph?${this.query}`, { credentials: "same-origin" })
        .then(({ status }) => status === 401 && this.become("signed-out"))
        .catch(() => {});
    }

    become(state) {
      this.state = state;
      this.tell({ type: "state", state });
    }

    tell(message) {
      for (const listener of this.listeners) listener.postMessage(message);
    }
  }

  global.meshStream = { Stream, edgeId };
})(self);
