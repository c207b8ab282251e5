/* Nodes: a card with kind, name, figures and health. Markup once per topology, figures patched in place. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { escape, rate, share, duration, tone } = meshui.format;
  const { width, height } = meshui.geometry.CARD;

  const NAME_WIDTH = width - 52 - 28; // px between the ring and the sign of health
  const KINDS = {
    gateway: "M-6,-4h12M-6,0h12M-6,4h12M-2,-7v14",
    service: "M0,-7l6,3.5v7l-6,3.5l-6,-3.5v-7zM0,0l6,-3.5M0,0v7M0,0l-6,-3.5",
    database: "M-6,-4c0,-3 12,-3 12,0v8c0,3 -12,3 -12,0zM-6,-4c0,3 12,3 12,0M-6,0c0,3 12,3 12,0",
    messaging: "M-7,-4h4v8h-4zM-1,-4h3v8h-3zM4,-4h3v8h-3z",
    external: "M0,-7a7,7 0 1,0 .01,0M-7,0h14M0,-7c-4,4 -4,10 0,14M0,-7c4,4 4,10 0,14",
    user: "M0,-7a3.2,3.2 0 1,0 .01,0M-6,7c0,-8 12,-8 12,0",
    unknown: "M-3,-3.5a3,3 0 1,1 4.2,2.8c-1,.5 -1.2,1 -1.2,2.2M0,5v.3",
  };
  const CROSS =
    '<circle r="7.5" class="fill-bad"/><path class="mark" d="M-2.6,-2.6l5.2,5.2M2.6,-2.6l-5.2,5.2" stroke-width="1.9"/>';
  const TRIANGLE =
    '<path d="M0,-7.5l8,14h-16z" class="fill-warn"/><path class="mark" d="M0,-2.5v4M0,4v.2" stroke-width="1.8"/>';
  const GLYPHS = { ok: "", idle: "", warn: TRIANGLE, bad: CROSS };

  const ruler = document.createElement("canvas").getContext("2d");

  /** The name, cut where it would run into the sign of health. */
  function shortened(name) {
    ruler.font = "600 13px Inter, sans-serif";
    let text = name;
    while (text.length > 2 && ruler.measureText(text).width > NAME_WIDTH) text = `${text.slice(0, -2)}…`;
    return text;
  }

  /** Name and the small label above: a port, or a broker, is not part of the name. */
  function title({ id, service, namespace, kind }) {
    if (kind === "messaging" && id.includes(":")) return [id.slice(id.indexOf(":") + 1), id.slice(0, id.indexOf(":"))];
    if (kind === "external" || kind === "database") return [service.replace(/:\d+$/, ""), kind];
    return [service, namespace];
  }

  /** Two-tone bar at the bottom: calls by version of the target. */
  function versionBar(versions) {
    const entries = Object.entries(versions || {});
    if (entries.length < 2) return "";
    const total = entries.reduce((sum, [, calls]) => sum + calls, 0);
    let x = 12;
    return entries
      .map(([version, calls], index) => {
        const part = ((width - 24) * calls) / total;
        const size = Math.max(1, part - 1.5).toFixed(1);
        const words = `${escape(version)}: ${share(calls / total)}`;
        const bar = `<rect class="version v${index % 3}" x="${x.toFixed(1)}" y="${height - 5}" width="${size}" height="3" rx="1.5"><title>${words}</title></rect>`;
        x += part;
        return bar;
      })
      .join("");
  }

  /** `node`: {id, service, namespace, kind, x, y}. */
  function markup(node) {
    const middle = height / 2;
    const [name, label] = title(node);
    const outside = ["external", "user", "unknown"].includes(node.kind);
    return `<g class="nd" tabindex="-1" role="button" data-node="${escape(node.id)}" data-kind="${escape(node.kind)}" transform="translate(${node.x},${node.y})">
      <title>${escape(node.id)}</title>
      <rect class="bx" width="${width}" height="${height}" rx="11" ${outside ? 'stroke-dasharray="5 4"' : ""}/>
      <circle class="ring" cx="27" cy="${middle}" r="15.5"/>
      <circle class="ring share" cx="27" cy="${middle}" r="15.5" pathLength="100" transform="rotate(-90 27 ${middle})"/>
      <path class="kind" d="${KINDS[node.kind] || KINDS.service}" transform="translate(27,${middle}) scale(.9)"/>
      <text class="name" x="52" y="23">${escape(shortened(name))}</text>
      <text class="figures" x="52" y="39"></text>
      <text class="namespace" x="${width - 12}" y="-5" text-anchor="end">${escape(label)}</text>
      <g class="glyph" transform="translate(${width - 16},17)"></g><g class="versions"></g></g>`;
  }

  /** The parts of a card that change with the figures. */
  function parts(group) {
    return {
      group,
      ring: group.querySelector(".share"),
      figures: group.querySelector(".figures"),
      glyph: group.querySelector(".glyph"),
      versions: group.querySelector(".versions"),
      key: "",
    };
  }

  function words(node, live, outbound) {
    const p95 = live.latency_ms ? live.latency_ms.p95 : null;
    const namespace = node.namespace ? `, namespace ${node.namespace}` : "";
    if (!live.calls) return `${node.service}${namespace}, ${outbound ? `calls others, ${rate(outbound)}` : "no traffic"}`;
    return `${node.service}${namespace}, ${live.health}, ${rate(live.rate)}, ${share(live.error_rate)} errors, p95 ${duration(p95)}`;
  }

  function figures(live, outbound) {
    if (!live || !live.calls) return outbound ? `${rate(outbound)} out` : "no traffic";
    return live.latency_ms ? `${rate(live.rate)} · ${duration(live.latency_ms.p95)}` : rate(live.rate);
  }

  /** `live`: the node of the graph, or null when it is known but silent; `outbound`: calls per second that it makes. */
  function update(card, node, live, outbound) {
    const silent = !live || !live.calls;
    const text = figures(live, outbound);
    const state = tone(live);
    const bar = silent ? "" : versionBar(live.versions);
    const failed = silent ? 0 : live.error_rate || 0;
    const key = `${text}|${state}|${Math.round(failed * 1000)}|${bar}`;
    if (card.key === key) return;
    card.key = key;
    card.figures.textContent = text;
    for (const name of ["ok", "warn", "bad", "idle"]) card.group.classList.toggle(name, name === state);
    const arc = state === "ok" ? 100 : state === "idle" ? 0 : Math.max(12, Math.sqrt(failed) * 100);
    card.ring.style.strokeDasharray = `${arc} 100`;
    card.glyph.innerHTML = GLYPHS[state];
    card.versions.innerHTML = bar;
    card.group.classList.toggle("silent", silent && !outbound);
    card.group.setAttribute("aria-label", words(node, live || { calls: 0 }, outbound));
  }

  meshui.cards = { markup, parts, update };
})();
