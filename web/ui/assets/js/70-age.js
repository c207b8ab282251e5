/* How old the data are: always in the header, and an amber banner when they stop coming. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { age } = meshui.format;

  const PERIOD = 500; // ms

  function condition(feed) {
    if (feed.state === "signed-out") return ["stale", "Signed out", "Your session has ended. Reload the page to sign in again."];
    const seconds = feed.age();
    if (feed.state === "lost") {
      const since = seconds === null ? "" : ` The figures are ${age(seconds)} old.`;
      return ["stale", "Disconnected", `No connection to the server; trying again.${since}`];
    }
    if (seconds === null) return ["connecting", "Connecting…", ""];
    if (feed.stale()) return ["stale", `${age(seconds)} old`, `No new data for ${age(seconds)}: the figures below are old.`];
    return ["live", `Live · ${age(seconds)}`, ""];
  }

  function update() {
    const live = document.getElementById("live");
    if (!live || !meshui.feed) return;
    const [state, words, warning] = condition(meshui.feed);
    live.dataset.state = state;
    const shown = document.getElementById("data-age");
    if (shown.textContent !== words) shown.textContent = words;
    const banner = document.getElementById("stale-banner");
    if (!banner) return;
    banner.hidden = !warning;
    document.getElementById("stale-words").textContent = warning;
  }

  setInterval(update, PERIOD);
  meshui.age = { update };
})();
