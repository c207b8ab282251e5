/* While a rule is applied: each proxy turns from pending to acknowledged or rejected as the control plane hears it.
   The rows are rendered by web/ui/panel/progress.py, before as plan and after as outcome. */
(function () {
  "use strict";
  const meshui = window.meshui;

  const PERIOD = 250; // ms
  const LONGEST = 15000; // ms
  const WORDS = { pending: "pending", acknowledged: "acknowledged", rejected: "rejected" };

  const rows = () => document.querySelectorAll("#rule-preview [data-proxy]");

  function set(row, state, message) {
    row.dataset.state = state;
    row.querySelector(".what").textContent = WORDS[state];
    row.querySelector(".said").textContent = message;
  }

  /** State of one proxy from its resource types: any refusal counts, then any silence. */
  function stateOf({ types }) {
    const statuses = Object.values(types);
    const refused = statuses.filter(({ state }) => state === "nacked");
    if (refused.length) return ["rejected", refused.map(({ error }) => error).join("\n")];
    const waiting = statuses.some(({ state }) => state === "stale" || state === "not_sent");
    return waiting ? ["pending", ""] : ["acknowledged", ""];
  }

  async function proxies() {
    const answer = await fetch("/api/v1/proxies", { credentials: "same-origin", headers: { accept: "application/json" } });
    return answer.ok ? (await answer.json()).items : [];
  }

  /** An acknowledgement counts only for something else than what the proxy had before. */
  const versions = (proxy) => JSON.stringify(Object.values(proxy.types).map(({ version }) => version));

  function show(items, before) {
    const known = new Map(items.map((proxy) => [proxy.node_id, proxy]));
    for (const row of rows()) {
      const proxy = known.get(row.dataset.proxy);
      if (!proxy) continue;
      const [state, message] = stateOf(proxy);
      const untouched = state === "acknowledged" && versions(proxy) === before.get(proxy.node_id);
      set(row, untouched ? "pending" : state, message);
    }
  }

  /** Watches from the press on Apply until the outcome replaces the rows. */
  async function watch() {
    const deadline = performance.now() + LONGEST;
    rows().forEach((row) => set(row, "pending", ""));
    let before = null;
    while (rows().length && performance.now() < deadline) {
      const items = await proxies().catch(() => []);
      before = before || new Map(items.map((proxy) => [proxy.node_id, versions(proxy)]));
      show(items, before);
      await new Promise((resolve) => setTimeout(resolve, PERIOD));
    }
  }

  meshui.progress = { watch };
})();
