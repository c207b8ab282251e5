/* Curves of the edges, and free places for labels beside them. No DOM. */
(function () {
  "use strict";
  const meshui = window.meshui;

  const CARD = { width: 176, height: 52 }; // as web/layout/topology.py
  const SAME_ROW_DIP = 44;
  const LOOP_REACH = 36;

  /** The box {x, y, w, h} round all cards. */
  function bounds(nodes) {
    const [x, y] = [Math.min(...nodes.map((node) => node.x)), Math.min(...nodes.map((node) => node.y))];
    const right = Math.max(...nodes.map((node) => node.x)) + CARD.width;
    const bottom = Math.max(...nodes.map((node) => node.y)) + CARD.height;
    return { x, y, w: right - x, h: bottom - y };
  }

  /** The middle of the topmost row, x: there requests come in. */
  function entry(nodes) {
    const top = Math.min(...nodes.map(({ y }) => y));
    const row = nodes.filter(({ y }) => y === top);
    return row.reduce((sum, { x }) => sum + x, 0) / row.length + CARD.width / 2;
  }

  /** A cubic curve [x0, y0, x1, y1, x2, y2, x3, y3] between two points, vertical at both. */
  function curve([x0, y0], [x1, y1]) {
    if (Math.abs(y1 - y0) < 1) return [x0, y0, x0, y0 + SAME_ROW_DIP, x1, y1 + SAME_ROW_DIP, x1, y1];
    const reach = (y1 - y0) / 2;
    return [x0, y0, x0, y0 + reach, x1, y1 - reach, x1, y1];
  }

  /** The curves of an edge through its points; `length` of the list is in px. */
  function path(points, isLoop) {
    const curves = isLoop
      ? [[...points[0], points[0][0] + LOOP_REACH, points[0][1], points[1][0] + LOOP_REACH, points[1][1], ...points[1]]]
      : points.slice(1).map((point, index) => curve(points[index], point));
    const lengths = curves.map((c) => Math.hypot(c[6] - c[0], c[7] - c[1]) + 0.01);
    return { curves, lengths, total: lengths.reduce((sum, length) => sum + length, 0) };
  }

  /** The `d` of an SVG path. */
  function data({ curves }) {
    const [x, y] = curves[0];
    return `M${x},${y}${curves.map((c) => `C${c[2]},${c[3]} ${c[4]},${c[5]} ${c[6]},${c[7]}`).join("")}`;
  }

  /** The point at the share 0..1 of the way. */
  function pointAt({ curves, lengths, total }, share) {
    let rest = Math.min(0.99999, Math.max(0, share)) * total;
    let index = 0;
    while (index < curves.length - 1 && rest > lengths[index]) rest -= lengths[index++];
    const c = curves[index];
    const t = Math.min(1, rest / lengths[index]);
    const u = 1 - t;
    const [a, b, d, e] = [u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t];
    return [a * c[0] + b * c[2] + d * c[4] + e * c[6], a * c[1] + b * c[3] + d * c[5] + e * c[7]];
  }

  const SAMPLES = 14; // per curve: a straight piece is then a few px long

  /** How far a point is from the path, px. */
  function distance(path, x, y) {
    const steps = SAMPLES * path.curves.length;
    let nearest = Infinity;
    let [ax, ay] = pointAt(path, 0);
    for (let i = 1; i <= steps; i++) {
      const [bx, by] = pointAt(path, i / steps);
      const [dx, dy] = [bx - ax, by - ay];
      const along = Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
      nearest = Math.min(nearest, Math.hypot(x - ax - along * dx, y - ay - along * dy));
      [ax, ay] = [bx, by];
    }
    return nearest;
  }

  /** An arrow head at the end of the path; `size` grows with the stroke. */
  function arrow({ curves }, size) {
    const c = curves[curves.length - 1];
    const length = Math.hypot(c[6] - c[4], c[7] - c[5]) || 1;
    const [dx, dy] = [((c[6] - c[4]) / length) * size, ((c[7] - c[5]) / length) * size];
    const [left, right] = [[-1.7 * dx - dy, -1.7 * dy + dx], [2 * dy, -2 * dx]];
    return `M${c[6]},${c[7]}l${left.join(",")}l${right.join(",")}z`;
  }

  /** Greedy places for labels and badges: they avoid the cards and each other. */
  class Places {
    /** `boxes`: [centre x, centre y, width, height] that are taken. */
    constructor(boxes) {
      this.taken = boxes.slice();
    }

    /** The first of the places along the path that is free, else the one that covers least. */
    take(path, width, height, shares) {
      let best = null;
      for (const share of shares) {
        const [x, y] = pointAt(path, share);
        const covered = this.covered(x, y, width, height);
        if (!best || covered < best.covered - 1) best = { covered, x, y };
        if (!covered) break;
      }
      this.taken.push([best.x, best.y, width + 4, height + 4]);
      return best;
    }

    covered(x, y, width, height) {
      let area = 0;
      for (const [tx, ty, tw, th] of this.taken) {
        const overlapX = Math.min(x + width / 2, tx + tw / 2) - Math.max(x - width / 2, tx - tw / 2);
        const overlapY = Math.min(y + height / 2, ty + th / 2) - Math.max(y - height / 2, ty - th / 2);
        if (overlapX > 0 && overlapY > 0) area += overlapX * overlapY;
      }
      return area;
    }
  }

  meshui.geometry = { CARD, bounds, entry, path, data, pointAt, distance, arrow, Places };
})();
