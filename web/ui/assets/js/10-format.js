/* Figures as words: the same rules as web/ui/formats.py, which renders the first state of the panel. */
(function () {
  "use strict";
  const meshui = (window.meshui = window.meshui || {});

  const NONE = "–";
  const known = (value) => typeof value === "number" && Number.isFinite(value);

  /** Three significant places at most: 0.42, 9.3, 93, 1.2k. */
  function number(value) {
    if (!known(value)) return NONE;
    const size = Math.abs(value);
    if (size >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
    if (size >= 999.5) return `${(value / 1e3).toFixed(1)}k`;
    if (size >= 9.95 || value === 0) return value.toFixed(0);
    return size >= 0.995 ? value.toFixed(1) : value.toFixed(2);
  }

  /** Calls in a window: whole numbers where they are whole. */
  function count(value) {
    if (!known(value)) return NONE;
    return value >= 10000 ? number(value) : String(Math.round(value * 10) / 10);
  }

  const rate = (value) => (known(value) ? `${number(value)} rps` : NONE);

  /** A share 0..1 as per cent. */
  function share(value) {
    if (!known(value)) return NONE;
    if (value === 0) return "0 %";
    if (value < 0.001) return "<0.1 %";
    return `${(value * 100).toFixed(value < 0.0995 ? 1 : 0)} %`;
  }

  /** Milliseconds. */
  function duration(value) {
    if (!known(value)) return NONE;
    if (value > 0 && value < 0.05) return "<0.1 ms";
    if (value >= 9995) return `${(value / 1000).toFixed(1)} s`;
    if (value >= 999.5) return `${(value / 1000).toFixed(2)} s`;
    return value >= 9.95 ? `${value.toFixed(0)} ms` : `${value.toFixed(1)} ms`;
  }

  /** Seconds since the data were true. */
  function age(seconds) {
    if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
    return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
  }

  /** Calls of one side of an edge; a side without any was not seen. */
  const seen = (calls) => (calls ? count(calls) : "not seen");

  const TONES = { healthy: "ok", degraded: "warn", failing: "bad" };

  /** The tone of a node or edge of the graph: one meaning per colour, everywhere. */
  const tone = (live) => (live && live.calls && TONES[live.health]) || "idle";

  function escape(text) {
    const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
    return String(text).replace(/[&<>"']/g, (character) => names[character]);
  }

  meshui.format = { NONE, known, number, count, rate, share, duration, seen, age, tone, escape };
})();
