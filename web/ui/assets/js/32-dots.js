/* Moving dots on the busiest edges: density tells throughput, diamonds are failed calls. One canvas, 30 frames/s. */
(function () {
  "use strict";
  const meshui = window.meshui;
  const { pointAt } = meshui.geometry;

  const BUSIEST = 150; // edges
  const SPEED = 62; // px/s
  const FRAME = 32; // ms
  const FAR = 0.35; // zoom below which dots are dust

  class Dots {
    constructor(canvas) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d");
      this.edges = [];
      this.size = [0, 0];
      this.last = 0;
      this.still = matchMedia("(prefers-reduced-motion: reduce)");
      this.frame = this.frame.bind(this);
    }

    resize(width, height) {
      this.ratio = window.devicePixelRatio || 1;
      this.size = [width, height];
      this.canvas.width = width * this.ratio;
      this.canvas.height = height * this.ratio;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }

    /** `flows`: [{path, rate, errorRate}]; drawn with the transform of `viewport`. */
    show(flows, viewport) {
      this.viewport = viewport;
      this.edges = flows
        .filter((flow) => flow.rate > 0)
        .sort((a, b) => b.rate - a.rate)
        .slice(0, BUSIEST)
        .map(({ path, rate, errorRate }) => {
          const count = Math.max(1, Math.min(9, Math.round((Math.log10(1 + rate) * path.total) / 95)));
          const [x, y] = path.curves[0];
          return {
            path,
            count,
            bad: errorRate > 0 ? Math.max(1, Math.round(count * Math.min(1, errorRate * 2))) : 0,
            phase: (x * 0.007 + y * 0.013 + path.total * 0.0031) % 1,
            radius: 1.5 + meshui.edges.width(rate) * 0.22,
          };
        });
      if (!this.running && !this.still.matches) {
        this.running = true;
        requestAnimationFrame(this.frame);
      }
    }

    frame(now) {
      if (!this.canvas.isConnected || this.still.matches) {
        this.running = false;
        return;
      }
      requestAnimationFrame(this.frame);
      if (document.hidden || !this.size[0] || now - this.last < FRAME) return;
      this.last = now;
      this.draw(now / 1000);
    }

    draw(seconds) {
      const context = this.context;
      const { x, y, k } = this.viewport.transform;
      context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      context.clearRect(0, 0, ...this.size);
      if (k < FAR) return;
      context.setTransform(this.ratio * k, 0, 0, this.ratio * k, this.ratio * x, this.ratio * y);
      const [good, bad] = this.positions(seconds);
      const style = getComputedStyle(this.canvas);
      context.fillStyle = style.getPropertyValue("--dot");
      context.beginPath();
      for (const [px, py, r] of good) {
        context.moveTo(px + r, py);
        context.arc(px, py, r, 0, 6.3);
      }
      context.fill();
      context.fillStyle = style.getPropertyValue("--bad");
      context.beginPath();
      for (const [px, py, r] of bad) this.diamond(px, py, r + 1.6);
      context.fill();
    }

    positions(seconds) {
      const good = [];
      const bad = [];
      for (const edge of this.edges) {
        const turn = (seconds * SPEED) / Math.max(90, edge.path.total) + edge.phase;
        for (let i = 0; i < edge.count; i++) {
          const [x, y] = pointAt(edge.path, (turn + i / edge.count) % 1);
          (i < edge.bad ? bad : good).push([x, y, edge.radius]);
        }
      }
      return [good, bad];
    }

    diamond(x, y, r) {
      this.context.moveTo(x, y - r);
      this.context.lineTo(x + r, y);
      this.context.lineTo(x, y + r);
      this.context.lineTo(x - r, y);
      this.context.closePath();
    }
  }

  meshui.Dots = Dots;
})();
