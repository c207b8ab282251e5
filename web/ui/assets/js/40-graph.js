/* The graph: structure and positions from the server, figures patched in place, the view untouched by updates.
   Three layers with one transform: SVG edges, canvas dots, SVG cards and labels. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { cards, edges: edgeDrawing, geometry } = meshui;
  const { CARD } = geometry;

  const ROOM = { top: 40, bottom: 66, side: 34 }; // px round the drawing for namespace labels and legend
  const NARROW = 560; // px: a phone
  const LOW = 360; // px: a phone that lies
  const READABLE = 0.75; // smallest scale there: a name is then 10 px high
  const FRAME = `<svg class="under"><g class="root"></g></svg><canvas aria-hidden="true"></canvas>
    <svg class="over"><g class="root"><g class="cards"></g><g class="decorations"></g></g></svg>`;

  function svgElement(markup) {
    const holder = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    holder.innerHTML = markup;
    return holder.firstElementChild;
  }

  class Graph {
    /** `onSelect({kind, id} | null)`. */
    constructor(element, { onSelect }) {
      this.element = element;
      this.onSelect = onSelect;
      this.nodes = new Map();
      this.edges = new Map();
      this.drawnNodes = new Map();
      this.drawnEdges = new Map();
      this.figures = { nodes: new Map(), edges: new Map() };
      this.selection = null;
      this.layer = "traffic";
      this.query = "";
      this.onlyProblems = false;
      element.innerHTML = FRAME;
      this.roots = element.querySelectorAll(".root");
      this.edgeLayer = this.roots[0];
      this.cardLayer = element.querySelector(".cards");
      this.decorationLayer = element.querySelector(".decorations");
      this.dots = new meshui.Dots(element.querySelector("canvas"));
      this.viewport = new meshui.Viewport(element, {
        onView: () => this.showView(),
        onClick: (event, target) => this.click(event, target),
      });
      meshui.keyboard.listen(this);
      element.addEventListener("pointermove", (event) => this.hover(event));
      this.resizing = new ResizeObserver(() => this.resize());
      this.resizing.observe(element);
    }

    // --- structure

    /** `layout`: the answer of GET /ui/layout. Known cards move to their new places, the rest stays as it is. */
    setStructure(layout) {
      this.rev = layout.rev;
      this.nodes = new Map(Object.entries(layout.nodes).map(([id, node]) => [id, { id, ...node }]));
      this.edges = new Map(
        Object.entries(layout.edges).map(([id, points]) => {
          const [source, target, kind] = id.split(">");
          return [id, { id, source, target, kind, points, path: geometry.path(points, source === target) }];
        }),
      );
      this.drawCards();
      this.drawEdges();
      if (this.selection && !this.exists(this.selection)) this.select(null);
      this.refit();
      this.update();
    }

    drawCards() {
      for (const [id, drawn] of this.drawnNodes) {
        const node = this.nodes.get(id);
        if (node && drawn.signature === this.signature(node)) continue;
        drawn.group.remove();
        this.drawnNodes.delete(id);
      }
      for (const node of this.nodes.values()) {
        let drawn = this.drawnNodes.get(node.id);
        if (!drawn) {
          const group = this.cardLayer.appendChild(svgElement(cards.markup(node)));
          drawn = { ...cards.parts(group), signature: this.signature(node) };
          this.drawnNodes.set(node.id, drawn);
        }
        drawn.group.style.transform = `translate(${node.x}px,${node.y}px)`;
      }
      if (!this.cardLayer.querySelector('[tabindex="0"]') && this.cardLayer.firstElementChild) {
        this.cardLayer.firstElementChild.setAttribute("tabindex", "0");
      }
    }

    signature({ service, namespace, kind }) {
      return JSON.stringify([service, namespace, kind]);
    }

    drawEdges() {
      for (const [id, drawn] of this.drawnEdges) {
        const edge = this.edges.get(id);
        if (edge && drawn.points === JSON.stringify(edge.points)) continue;
        drawn.group.remove();
        drawn.decoration.remove();
        this.drawnEdges.delete(id);
      }
      for (const edge of this.edges.values()) {
        if (this.drawnEdges.has(edge.id)) continue;
        const group = this.edgeLayer.appendChild(svgElement(edgeDrawing.markup(edge)));
        const decoration = this.decorationLayer.appendChild(svgElement('<g class="decoration"></g>'));
        decoration.dataset.edge = edge.id;
        const points = JSON.stringify(edge.points);
        this.drawnEdges.set(edge.id, { ...edgeDrawing.parts(group, decoration), points });
      }
    }

    // --- figures

    /** `nodes`, `edges`: Maps of what the feed knows, by id (an edge's id is "source>target>kind"). */
    setFigures({ nodes, edges }) {
      this.figures = { nodes: meshui.served(nodes, edges), edges };
      this.update();
    }

    update() {
      let changed = false;
      for (const [id, drawn] of this.drawnEdges) {
        const shown = this.shown(id);
        if (edgeDrawing.update(drawn, this.edges.get(id), this.figures.edges.get(id), shown)) changed = true;
      }
      const outbound = this.outbound();
      for (const [id, drawn] of this.drawnNodes) {
        cards.update(drawn, this.nodes.get(id), this.figures.nodes.get(id) || null, outbound.get(id) || 0);
      }
      if (changed) this.decorate();
      this.emphasise();
    }

    /** Calls per second that each node makes. */
    outbound() {
      const rates = new Map();
      for (const { source, rate } of this.figures.edges.values()) rates.set(source, (rates.get(source) || 0) + rate);
      return rates;
    }

    shown(id) {
      const selected = this.selection && this.selection.kind === "edge" && this.selection.id === id;
      return { layer: this.layer, labelled: selected || this.hovered === id };
    }

    decorate() {
      const boxes = [...this.nodes.values()].map(({ x, y }) => [
        x + CARD.width / 2,
        y + CARD.height / 2,
        CARD.width + 4,
        CARD.height + 16,
      ]);
      const places = new geometry.Places(boxes);
      const urgency = (id) => edgeDrawing.urgency(this.figures.edges.get(id)) + (this.shown(id).labelled ? 4 : 0);
      const order = [...this.drawnEdges.keys()].sort((a, b) => urgency(b) - urgency(a) || (a < b ? -1 : 1));
      for (const id of order) {
        const live = this.figures.edges.get(id);
        edgeDrawing.decorate(this.drawnEdges.get(id), this.edges.get(id), live, this.shown(id), places);
      }
    }

    /** Selection, else search, else "only problems": the rest is dimmed. */
    emphasise() {
      meshui.emphasis.show(this);
    }

    // --- what a person does

    exists({ kind, id }) {
      return kind === "edge" ? this.edges.has(id) : this.nodes.has(id);
    }

    /** `selection`: {kind: "node" | "edge", id} or null. */
    select(selection) {
      this.selection = selection && this.exists(selection) ? selection : null;
      this.sheet = null;
      this.update();
      this.onSelect(this.selection);
    }

    click(event, target) {
      const node = target.closest("[data-node]");
      const edge = node ? null : this.edgeAt(event, target);
      if (node) this.select({ kind: "node", id: node.dataset.node });
      else this.select(edge && { kind: "edge", id: edge });
    }

    /** The edge that is meant: where lines run close together the nearest one, not the one drawn last. */
    edgeAt(event, target) {
      const hit = target.closest("[data-edge]");
      if (!hit || hit.classList.contains("decoration")) return hit ? hit.dataset.edge : null;
      const [x, y] = this.viewport.locate(event);
      let [best, least] = [hit.dataset.edge, Infinity];
      for (const { id, path } of this.edges.values()) {
        const distance = geometry.distance(path, x, y);
        if (distance < least) [best, least] = [id, distance];
      }
      return best;
    }

    hover(event) {
      const id = event.buttons || event.target.closest("[data-node]") ? null : this.edgeAt(event, event.target);
      if (id === this.hovered) return;
      this.hovered = id;
      this.update();
    }

    focusNode(node) {
      if (!node) return;
      const { group } = this.drawnNodes.get(node.id);
      this.cardLayer.querySelectorAll('[tabindex="0"]').forEach((other) => other.setAttribute("tabindex", "-1"));
      group.setAttribute("tabindex", "0");
      group.focus({ preventScroll: true });
      this.viewport.reveal({ x: node.x, y: node.y, w: CARD.width, h: CARD.height });
    }

    /** Moves what is selected into the part of the drawing that the element `sheet` leaves free. */
    revealAbove({ kind, id }, sheet) {
      this.sheet = sheet;
      const edge = this.edges.get(id);
      const ends = kind === "edge" ? [edge.source, edge.target] : [id];
      const nodes = ends.map((end) => this.nodes.get(end));
      const middle = (key, size) => nodes.reduce((sum, node) => sum + node[key] + size / 2, 0) / nodes.length;
      const { x, y, k } = this.viewport.transform;
      const free = Math.max(CARD.height, this.element.clientHeight - sheet.offsetHeight);
      const dx = this.element.clientWidth / 2 - (middle("x", CARD.width) * k + x);
      this.viewport.pan(dx, free / 2 - (middle("y", CARD.height) * k + y));
    }

    setLayer(layer) {
      this.layer = layer;
      this.update();
    }

    setQuery(query) {
      this.query = query.trim().toLowerCase();
      this.emphasise();
    }

    setOnlyProblems(on) {
      this.onlyProblems = on;
      this.emphasise();
    }

    // --- view

    /** Shows everything, and goes on so until somebody moves it. */
    fit() {
      this.whole = true;
      this.viewport.touched = false;
      this.refit();
    }

    /** What the server or the window changed must not leave the drawing outside; what a person chose stays. */
    refit() {
      if (this.viewport.touched || !this.nodes.size) return;
      const nodes = [...this.nodes.values()];
      const box = geometry.bounds(nodes);
      const small = this.element.clientWidth <= NARROW || this.element.clientHeight <= LOW;
      const smallest = small && !this.whole ? READABLE : undefined;
      this.viewport.fit(box, small ? { ...ROOM, side: 14 } : ROOM, smallest, geometry.entry(nodes));
      if (this.sheet && this.selection) this.revealAbove(this.selection, this.sheet);
    }

    resize() {
      const { clientWidth: width, clientHeight: height } = this.element;
      this.dots.resize(width, height);
      if (!width || !height) return;
      const { width: before, height: high } = this.size || { width, height };
      this.size = { width, height };
      if (!this.nodes.size) return;
      this.viewport.pan((width - before) / 2, (height - high) / 2); // what was in the middle stays there
      if (!this.viewport.shows(geometry.bounds([...this.nodes.values()]))) this.viewport.touched = false;
      this.refit();
    }

    showView() {
      const { x, y, k } = this.viewport.transform;
      for (const root of this.roots) {
        root.setAttribute("transform", `translate(${x.toFixed(2)},${y.toFixed(2)}) scale(${k.toFixed(4)})`);
      }
    }

    destroy() {
      this.resizing.disconnect();
    }
  }

  meshui.Graph = Graph;
})();
