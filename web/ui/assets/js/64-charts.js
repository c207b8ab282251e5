/* The last 15 minutes of what is selected: rate, failed share and p95 as small charts, with a thin line where a service
   was deployed or a rule changed. The panel (web/ui/panel/parts.py) has an empty part for them. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { escape, rate, share, duration, known } = meshui.format;

  const SPAN = 900; // s
  const STEP = 15; // s
  const PERIOD = 10000; // ms between two looks
  const WIDTH = 360;
  const HEIGHT = 40; // of a drawing; it is stretched to the panel's width
  const LISTED = 6;
  const CHARTS = [
    { key: "rate", words: "Rate", form: rate, least: 0.1 },
    { key: "error_rate", words: "Errors", form: share, least: 0.02 },
    { key: "p95", words: "p95", form: duration, least: 1 },
  ];

  // --- what is asked

  const nameOf = (id) => (meshui.graph.nodes.get(id) || { service: id }).service;
  const isDestination = (id) => (meshui.graph.nodes.get(id) || {}).kind === "messaging";

  /** Of a filter: commas separate values. */
  const value = (id) => id.replace(/[\\,]/g, "\\$&");

  /** Filters of GET /api/v1/calls, and what they mean: the calls of an edge, or those to a node. Destinations are no
      ends there: messages go from producer to consumer. */
  function question({ kind, id }) {
    if (kind === "node") {
      const filter = isDestination(id) ? null : [`${id === "user" ? "source" : "target"}:${value(id)}`];
      return { filter, title: "Last 15 minutes" };
    }
    const { source, target, kind: sort } = meshui.graph.edges.get(id);
    if (isDestination(target)) return { filter: [`source:${value(source)}`, "kind:messaging"], title: `Messages of ${nameOf(source)}, where received` };
    if (isDestination(source)) return { filter: [`target:${value(target)}`, "kind:messaging"], title: `Messages to ${nameOf(target)}` };
    return { filter: [`source:${value(source)}`, `target:${value(target)}`, `kind:${sort}`], title: "Last 15 minutes" };
  }

  /** Nodes whose markers concern the selection; of a caller only its own deployments. */
  function concerned({ kind, id }) {
    if (kind === "node") return { called: id };
    const { source, target } = meshui.graph.edges.get(id);
    return { called: target, calling: source };
  }

  async function ask(path, pairs) {
    const answer = await fetch(`${path}?${new URLSearchParams(pairs)}`, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  }

  async function series(filter) {
    if (!filter) return { rows: [] };
    const asked = [["metrics", CHARTS.map(({ key }) => key).join(",")], ["start", `now-${SPAN}s`], ["step", `${STEP}s`]];
    return ask("/api/v1/calls", [...asked, ["limit", "1000"], ...filter.map((each) => ["filter", each])]);
  }

  /** The edge or node of the graph; what is silent in the window is asked for. */
  async function itself({ kind, id }) {
    const here = meshui.graph.figures[kind === "edge" ? "edges" : "nodes"].get(id);
    if (here) return here;
    const edge = kind === "edge" ? meshui.graph.edges.get(id) : null;
    const asked = { start: "now-30s", idle: "true", ...meshui.view.shown, focus: edge ? edge.source : id };
    const { nodes, edges } = await ask("/api/v1/graph", asked);
    const same = (each) => ["source", "target", "kind"].every((name) => each[name] === edge[name]);
    return edge ? edges.find(same) : nodes.find((node) => node.id === id);
  }

  async function markers(selection) {
    const { called, calling } = concerned(selection);
    const of = (service, ...kinds) =>
      ask("/api/v1/events", [["service", service], ["start", `now-${SPAN}s`], ...kinds.map((kind) => ["kind", kind])]);
    const asked = [of(called, "deployment", "rule_change")];
    if (calling && calling !== called) asked.push(of(calling, "deployment"));
    const found = (await Promise.all(asked)).flatMap(({ items }) => items);
    const steers = ({ rule }) => !rule || !calling || !rule.callers.length || rule.callers.includes(calling);
    return found.filter(steers).sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  }

  // --- what is drawn

  const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  /** Points {at, value} of buckets that are over; what was not measured is missing. */
  function points(rows, key, now) {
    const whole = rows.map((row) => ({ at: Date.parse(row.time) / 1000, value: row[key] }));
    return whole.filter(({ at, value }) => at + STEP <= now && known(value));
  }

  /** A line through neighbouring buckets, a dot where a bucket has no neighbour: gaps stay gaps. */
  function line(found, top, now) {
    const place = ({ at, value }) =>
      `${(((at + STEP / 2 - now) / SPAN + 1) * WIDTH).toFixed(1)} ${((1 - value / top) * (HEIGHT - 4) + 2).toFixed(1)}`;
    return found.map((each, i) => {
      const joined = i > 0 && each.at - found[i - 1].at <= STEP;
      return `${joined ? "L" : "M"}${place(each)}${joined ? "" : "h0"}`;
    }).join("");
  }

  const RULE_WORDS = { added: "added", changed: "changed", enabled: "switched on", disabled: "switched off", lease_ended: "lease ended", removed: "removed" };

  /** What a marker says: of a deployment its service and version, of a rule its name and what became of it. */
  function words({ service, version, rule }) {
    if (rule) return `Rule ${rule.policy} ${RULE_WORDS[rule.what] || rule.what}`;
    const name = service.slice(service.lastIndexOf("/") + 1);
    return version ? `${name} ${version} deployed` : `${name} deployed`;
  }

  const moment = ({ at }) => Date.parse(at) / 1000;
  const hint = (marker) =>
    [words(marker), `${clock(moment(marker))} by ${marker.who}`, marker.text, marker.link].filter(Boolean).join("\n");

  function rulers(found, now) {
    return found.map((marker) => {
      const x = (((moment(marker) - now) / SPAN + 1) * WIDTH).toFixed(1);
      const at = `x1="${x}" x2="${x}" y1="0" y2="${HEIGHT}"`;
      return `<g class="marker" data-kind="${marker.kind}" data-marker="${escape(marker.id)}"><title>${escape(hint(marker))}</title><line class="reach" ${at}/><line ${at}/></g>`;
    }).join("");
  }

  function chart({ key, words: name, form, least }, rows, found, now) {
    const known = points(rows, key, now);
    const peak = Math.max(0, ...known.map(({ value }) => value));
    const last = known.length ? form(known[known.length - 1].value) : form(null);
    const said = `${name}, last 15 minutes: now ${last}, at most ${form(known.length ? peak : null)}`;
    return `<figure class="chart" data-chart="${key}"${peak ? "" : " data-zero"}><figcaption><span>${name}</span><span class="faint">at most ${form(known.length ? peak : null)}</span></figcaption>
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${escape(said)}">
      <path class="curve" d="${line(known, Math.max(peak * 1.05, least), now)}"/>${rulers(found, now)}</svg></figure>`;
  }

  const ICONS = { deployment: "layers", rule_change: "route" };

  function item(marker) {
    const said = escape(words(marker));
    const link = /^https?:\/\//.test(marker.link || "")
      ? `<a href="${escape(marker.link)}" target="_blank" rel="noopener noreferrer">${said}</a>`
      : said;
    const more = [`by ${marker.who}`, marker.text].filter(Boolean).join(" · ");
    return `<li><i class="i i-${ICONS[marker.kind]}" aria-hidden="true"></i><div class="grow"><b>${link}</b><div class="faint">${escape(more)}</div></div><time datetime="${escape(marker.at)}">${clock(moment(marker))}</time></li>`;
  }

  function list(found) {
    if (!found.length) return "";
    const rest = found.length > LISTED ? `<li class="faint">and ${found.length - LISTED} more</li>` : "";
    return `<h4>Changes</h4><ul class="changes">${found.slice(0, LISTED).map(item).join("")}${rest}</ul>`;
  }

  const day = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
  const time = (text) => `<time datetime="${escape(text)}">${escape(day(text))}</time>`;

  /** When the first and the last call was, of all that is kept. */
  function ever(known) {
    if (!known || !known.first_seen) return "";
    return `<div class="ever faint">First seen ${time(known.first_seen)} · last ${time(known.last_seen)}</div>`;
  }

  /** The part, from rows of /api/v1/calls and events; `now` in unix seconds; `known`: the edge or node itself; `hop`:
      whether proxies are nodes, of which /api/v1/calls knows nothing. */
  function markup(rows, found, now, { title = "Last 15 minutes", known = null, hop = false } = {}) {
    const inside = found.filter((marker) => moment(marker) >= now - SPAN);
    const drawn = rows.length || inside.length;
    const charts = CHARTS.map((each) => chart(each, rows, inside, now)).join("");
    const axis = `<div class="axis faint"><span>${clock(now - SPAN)}</span><span>${clock(now)}</span></div>`;
    const none = `<div class="faint">${hop ? "Calls are charted between services: proxies in between have none of their own." : "No calls in the last 15 minutes."}</div>`;
    return `<h3>${escape(title)}</h3>${drawn ? `<div class="charts">${charts}${axis}</div>` : none}${ever(known)}${list(inside)}`;
  }

  // --- when

  let shown = { key: null, at: -Infinity };

  /** Draws the charts of the selection, and asks again when they are old. Cheap to call often. */
  function update() {
    const element = document.getElementById("panel-charts");
    const selection = meshui.graph && meshui.graph.selection;
    if (!element || !selection || document.hidden) return;
    const key = `${selection.kind}:${selection.id}`;
    if (element.dataset.of !== key) {
      element.dataset.of = key;
      element.innerHTML = shown.key === key && shown.markup ? shown.markup : "";
      if (shown.key !== key) shown = { key, at: -Infinity };
    }
    const part = (selection.kind === "edge" ? meshui.graph.edges : meshui.graph.nodes).get(selection.id);
    if (!part || performance.now() - shown.at < PERIOD) return;
    shown.at = performance.now();
    fill(selection, key).catch(() => {}); // said in the header: no connection
  }

  async function fill(selection, key) {
    const { filter, title } = question(selection);
    const [{ rows }, found, known] = await Promise.all([series(filter), markers(selection), itself(selection)]);
    const element = document.getElementById("panel-charts");
    if (!element || element.dataset.of !== key || shown.key !== key) return;
    const focused = element.contains(document.activeElement);
    if (focused) return; // a rebuilt list would lose the keyboard's place
    shown.markup = markup(rows, found, meshui.feed.end ? meshui.feed.end / 1000 : Date.now() / 1000, { title, known, hop: meshui.view.shown.hops === "expanded" });
    element.innerHTML = shown.markup;
  }

  meshui.charts = { update, markup, question };
})();
