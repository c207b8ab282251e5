/* The page's end of the live feed: the graph of the chosen window, merged, and how old it is. */
(function () {
  "use strict";
  const meshui = window.meshui;

  const WORKER = "/ui/assets/js/feed.worker.js";
  const TICK = 2; // s; the server speaks at least this often
  const STALE = 3 * TICK;

  /** A listener for a Stream in this page, for browsers without SharedWorker. */
  class LocalPort {
    constructor(onmessage) {
      this.onmessage = onmessage;
    }

    join(query) {
      this.leave();
      this.stream = new window.meshStream.Stream(query);
      this.stream.add({ postMessage: (data) => this.onmessage({ data }) });
    }

    leave() {
      if (this.stream) this.stream.close();
      this.stream = null;
    }
  }

  class SharedPort {
    constructor(onmessage) {
      this.port = new SharedWorker(WORKER, { name: "meshscope" }).port;
      this.port.onmessage = onmessage;
      this.port.start();
    }

    join(query) {
      this.port.postMessage({ join: query });
    }

    leave() {
      this.port.postMessage({ leave: true });
    }
  }

  class Feed {
    /** `onGraph()` after each change of `nodes` or `edges`; `onState()` when `state` changes. */
    constructor({ onGraph, onState }) {
      this.nodes = new Map();
      this.edges = new Map();
      this.state = "connecting";
      this.onGraph = onGraph;
      this.onState = onState;
      const Port = window.SharedWorker ? SharedPort : LocalPort;
      this.port = new Port((event) => this.receive(event.data));
      addEventListener("pagehide", () => this.port.leave());
      addEventListener("pageshow", (event) => event.persisted && this.port.join(this.query));
    }

    /** Follows the window of the last so many seconds, in this view; what was shown stays until the first graph of it. */
    follow(seconds, view) {
      this.query = new URLSearchParams({ start: `now-${seconds}s`, ...view }).toString();
      this.port.join(this.query);
    }

    receive(message) {
      if (message.type === "state") {
        this.state = message.state;
        this.onState();
        return;
      }
      if (message.type === "snapshot") {
        this.nodes = new Map(message.nodes.map((node) => [node.id, node]));
        this.edges = new Map(message.edges.map((edge) => [window.meshStream.edgeId(edge), edge]));
      } else {
        for (const node of message.nodes) this.nodes.set(node.id, node);
        for (const edge of message.edges) this.edges.set(window.meshStream.edgeId(edge), edge);
        for (const id of message.removed.nodes) this.nodes.delete(id);
        for (const id of message.removed.edges) this.edges.delete(id);
      }
      this.rev = message.rev;
      this.measure(message.end);
      this.onGraph();
    }

    /** The clocks of server and browser may differ: the smallest delay seen counts as none. */
    measure(end) {
      this.end = Date.parse(end);
      this.skew = Math.min(this.skew === undefined ? Infinity : this.skew, Date.now() - this.end);
    }

    /** Seconds since the shown graph was true; null before the first one. */
    age() {
      return this.end === undefined ? null : (Date.now() - this.end - this.skew) / 1000;
    }

    stale() {
      const age = this.age();
      return age !== null && age > STALE;
    }
  }

  meshui.Feed = Feed;
})();
