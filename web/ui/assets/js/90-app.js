/* Joins the parts: feed → graph, panel, table; buttons → graph; Dash page changes → a new graph on the same feed. */
(function () {
  "use strict";
  const meshui = window.meshui;

  const RANGE_KEY = "meshscope-range";
  const DEFAULT_RANGE = "30"; // s
  const LAYOUT_PERIOD = 1500; // ms at least between two requests for positions
  const byId = (id) => document.getElementById(id);

  const stored = {
    get: (key) => {
      try {
        return localStorage.getItem(key);
      } catch {
        return null;
      }
    },
    set: (key, value) => {
      try {
        localStorage.setItem(key, value);
      } catch {
        /* a private window keeps nothing */
      }
    },
  };

  // --- positions

  let asked = 0;
  let waiting = null;

  function csrf() {
    const name = JSON.parse(document.getElementById("_dash-config").textContent).csrf_token_name + "=";
    const cookie = document.cookie.split("; ").find((part) => part.startsWith(name));
    return cookie ? { "X-CSRFToken": decodeURIComponent(cookie.slice(name.length)) } : {};
  }

  async function fetchLayout(tidy) {
    asked = performance.now();
    const view = meshui.view.shown;
    const [path, how] = tidy ? ["/ui/layout/tidy", { method: "POST", headers: csrf() }] : ["/ui/layout", {}];
    const answer = await fetch(`${path}?${new URLSearchParams(view)}`, { credentials: "same-origin", ...how });
    if (!answer.ok || !meshui.view.same(view, meshui.view.shown)) return;
    meshui.layout = await answer.json();
    if (meshui.graph) meshui.graph.setStructure(meshui.layout);
    refresh();
  }

  /** Asks for positions when the feed knows something that is not drawn; not too often. */
  function ensureLayout() {
    const { feed, layout } = meshui;
    const known = layout && [...feed.nodes.keys()].every((id) => id in layout.nodes) && [...feed.edges.keys()].every((id) => id in layout.edges);
    if (known || waiting) return;
    const pause = Math.max(0, LAYOUT_PERIOD - (performance.now() - asked));
    waiting = setTimeout(() => {
      waiting = null;
      fetchLayout(false).catch(() => {});
    }, asked ? pause : 0);
  }

  // --- drawing

  function refresh() {
    const { graph, feed, layout } = meshui;
    const empty = byId("graph-empty");
    if (empty) empty.hidden = !layout || Object.keys(layout.edges).length > 0;
    if (!graph) return;
    graph.setFigures({ nodes: feed.nodes, edges: feed.edges });
    const count = byId("graph-count");
    if (count) count.textContent = `${graph.nodes.size} nodes · ${graph.edges.size} edges`;
    meshui.panel.update();
    meshui.charts.update();
    meshui.breakers.update();
    meshui.summary.update();
    meshui.table.update();
    meshui.age.update();
  }

  let awaited = null; // id of what a press on a button will fill

  /** Plan and outcome appear below the buttons: they come into view when they are there. */
  function revealAwaited() {
    const part = awaited && byId(awaited);
    if (!part || !part.firstElementChild) return;
    awaited = null;
    part.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  /** Dash builds and removes pages: the graph follows its element. */
  function mount() {
    const element = byId("mesh");
    if (!element && meshui.graph) {
      meshui.graph.destroy();
      meshui.graph = null;
    }
    if (element && (!meshui.graph || meshui.graph.element !== element)) start(element);
    const range = byId("range");
    if (range && !range.dataset.ready) {
      range.dataset.ready = "1";
      range.value = meshui.range;
    }
    if (byId("panel-detail")) meshui.panel.update();
    meshui.charts.update();
    meshui.breakers.update();
    revealAwaited();
  }

  function start(element) {
    showView();
    meshui.graph = new meshui.Graph(element, {
      onSelect: (selection) => {
        meshui.panel.show(selection);
        meshui.summary.update();
        remember(selection);
      },
    });
    if (meshui.layout) meshui.graph.setStructure(meshui.layout);
    refresh();
    restore();
  }

  // --- selection and view in the address: /ui/graph?hops=expanded&edge=… opens with proxies and the panel

  function address(search) {
    history.replaceState(history.state, "", location.pathname + (search ? `?${search}` : ""));
  }

  function remember(selection) {
    const query = new URLSearchParams(location.search);
    query.delete("edge");
    query.delete("node");
    if (selection) query.set(selection.kind, selection.id);
    address(query.toString());
  }

  /** Buttons and address say which view is shown. */
  function showView() {
    const view = meshui.view.shown;
    document.querySelectorAll("[data-view]").forEach((button) => button.setAttribute("aria-pressed", String(view[button.dataset.view] === "expanded")));
    address(meshui.view.written(location.search, view));
  }

  /** Nodes that only the view before had go with its selection; positions come with the first graph of the new one. */
  function chooseView(button) {
    meshui.graph.select(null);
    meshui.view.shown = meshui.view.turned(meshui.view.shown, button.dataset.view);
    showView();
    meshui.feed.follow(meshui.range, meshui.view.shown);
    fetchLayout(false).catch(() => {});
  }

  function restore() {
    const { graph } = meshui;
    if (!graph || graph.selection || !graph.nodes.size || graph.restored) return;
    graph.restored = true;
    const query = new URLSearchParams(location.search);
    for (const kind of ["edge", "node"]) if (query.has(kind)) graph.select({ kind, id: query.get(kind) });
  }

  // --- what a person does outside the drawing

  function toggleTheme() {
    const root = document.documentElement;
    const next = root.getAttribute("data-mantine-color-scheme") === "dark" ? "light" : "dark";
    root.setAttribute("data-mantine-color-scheme", next);
    stored.set("mantine-color-scheme-value", next);
  }

  function toggleTable(button) {
    const table = byId("graph-table");
    table.hidden = !table.hidden;
    byId("mesh").style.visibility = table.hidden ? "" : "hidden";
    button.setAttribute("aria-pressed", String(!table.hidden));
    meshui.table.update();
  }

  function toggleProblems(button) {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    meshui.graph.setOnlyProblems(on);
  }

  function chooseLayer(button) {
    button.parentNode.querySelectorAll("[data-layer]").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    meshui.graph.setLayer(button.dataset.layer);
  }

  function zoom(step) {
    if (step === "fit") meshui.graph.fit();
    else meshui.graph.viewport.zoom(step === "in" ? 1.25 : 0.8);
  }

  function apply() {
    awaited = "rule-outcome";
    meshui.progress.watch();
  }

  /** The server ends the session and takes the cookies back; it answers with a redirect that is followed by hand. */
  async function signOut() {
    await fetch("/logout", { method: "POST", credentials: "same-origin", redirect: "manual", headers: csrf() });
    location.assign("/login");
  }

  const CLICKS = [
    ["#sign-out", signOut],
    ["#theme-button", toggleTheme],
    ["#nav-button", () => document.body.classList.toggle("nav-open")],
    ["#tidy", () => fetchLayout(true)],
    ["#table-toggle", toggleTable],
    ["#only-problems", toggleProblems],
    ["#rule-plan", () => (awaited = "rule-preview")],
    ["#rule-apply", apply],
    ["#rule-off", () => (awaited = "rule-outcome")],
    ["[data-layer]", chooseLayer],
    ["[data-view]", chooseView],
    ["[data-zoom]", (button) => zoom(button.dataset.zoom)],
    ["[data-close]", () => meshui.graph.select(null)],
    ["[data-scroll]", (button) => document.querySelector(button.dataset.scroll).scrollIntoView({ behavior: "smooth" })],
    ["[data-sort]", (button) => meshui.table.sortBy(button.dataset.sort)],
    ["[data-select-edge]", (button) => meshui.graph.select({ kind: "edge", id: button.dataset.selectEdge })],
    ["[data-select-node]", (button) => meshui.graph.select({ kind: "node", id: button.dataset.selectNode })],
  ];

  document.addEventListener(
    "click",
    (event) => {
      for (const [selector, action] of CLICKS) {
        const button = event.target.closest(selector);
        if (button && !button.disabled) return action(button);
      }
      return undefined;
    },
    true, // before React: the rows of the plan are still there when Apply is pressed
  );

  document.addEventListener("input", (event) => {
    if (event.target.id === "find" && meshui.graph) meshui.graph.setQuery(event.target.value);
  });

  document.addEventListener("change", (event) => {
    if (event.target.id !== "range") return;
    meshui.range = event.target.value;
    stored.set(RANGE_KEY, meshui.range);
    meshui.feed.follow(meshui.range, meshui.view.shown);
  });

  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && byId("find")) {
      byId("find").focus();
      event.preventDefault();
    }
    if (event.key === "Enter" && event.target.id === "find") openFirstMatch();
    if (event.key === "Escape" && event.target.id === "find") event.target.blur();
    if (event.key === "Escape" && !typing && meshui.graph && meshui.graph.selection) meshui.graph.select(null);
  });

  function openFirstMatch() {
    const { graph } = meshui;
    const [best] = graph.query ? meshui.emphasis.matches(graph) : [];
    if (!best) return;
    graph.focusNode(best);
    graph.select({ kind: "node", id: best.id });
  }

  // --- start

  const known = stored.get(RANGE_KEY);
  meshui.range = known && /^\d+$/.test(known) ? known : DEFAULT_RANGE;
  meshui.feed = new meshui.Feed({
    onGraph: () => {
      ensureLayout();
      refresh();
      restore();
    },
    onState: () => meshui.age.update(),
  });
  meshui.view.shown = meshui.view.read(location.search);
  meshui.feed.follow(meshui.range, meshui.view.shown);
  fetchLayout(false).then(restore, () => {});
  new MutationObserver(mount).observe(document.documentElement, { childList: true, subtree: true });
  mount();
})();
