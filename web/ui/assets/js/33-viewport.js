/* Pan, zoom, pinch. The view is fitted until the person moves it, and never after that: `touched` tells. */
(function () {
  "use strict";
  const meshui = window.meshui;

  const SMALLEST = 0.05;
  const LARGEST = 3;
  const LARGEST_FIT = 1.35;
  const VISIBLE = 48; // px of the drawing that stay in view
  const CLICK = 4; // px that a click may move

  class Viewport {
    /** `onView()` after each change; `onClick(event, target)` for a press without movement. */
    constructor(element, { onView, onClick }) {
      this.element = element;
      this.onView = onView;
      this.onClick = onClick;
      this.transform = { x: 0, y: 0, k: 1 };
      this.touched = false;
      this.pointers = new Map();
      element.addEventListener("pointerdown", (event) => this.press(event));
      element.addEventListener("pointermove", (event) => this.move(event));
      element.addEventListener("pointerup", (event) => this.release(event));
      element.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
      element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    }

    /** Shows the box {x, y, w, h}; `room` = {top, bottom, side} px stay free. At the scale `smallest` the box may be
        too large to be shown whole: then its top is, and of its width what is around `middle`. */
    fit(box, room, smallest = SMALLEST, middle = box.x + box.w / 2) {
      const { clientWidth: width, clientHeight: height } = this.element;
      if (!width || !height || !box.w) return;
      const wide = width - 2 * room.side;
      const high = height - room.top - room.bottom;
      const k = Math.max(smallest, Math.min(LARGEST_FIT, wide / box.w, high / box.h));
      const [left, right] = [room.side - box.x * k, width - room.side - (box.x + box.w) * k];
      this.transform = {
        k,
        x: box.w * k > wide ? Math.min(left, Math.max(right, width / 2 - middle * k)) : (left + right) / 2,
        y: room.top - box.y * k + Math.max(0, high - box.h * k) / 2,
      };
      this.onView();
    }

    /** Whether any part of the box that is worth seeing is in view. */
    shows({ x, y, w, h }) {
      const { transform, element } = this;
      const [left, top] = [x * transform.k + transform.x, y * transform.k + transform.y];
      const inside = (start, length, size) => Math.min(start + length, size) - Math.max(start, 0) >= Math.min(VISIBLE, length);
      return inside(left, w * transform.k, element.clientWidth) && inside(top, h * transform.k, element.clientHeight);
    }

    zoom(factor, x = this.element.clientWidth / 2, y = this.element.clientHeight / 2) {
      const { transform } = this;
      const k = Math.max(SMALLEST, Math.min(LARGEST, transform.k * factor));
      const ratio = k / transform.k;
      this.transform = { k, x: x - (x - transform.x) * ratio, y: y - (y - transform.y) * ratio };
      this.touched = true;
      this.onView();
    }

    /** A point of the window in the coordinates of the drawing. */
    locate({ clientX, clientY }) {
      const box = this.element.getBoundingClientRect();
      const { x, y, k } = this.transform;
      return [(clientX - box.left - x) / k, (clientY - box.top - y) / k];
    }

    /** Moves only as far as needed to show the box. */
    reveal({ x, y, w, h }) {
      const { transform, element } = this;
      const [left, top] = [x * transform.k + transform.x, y * transform.k + transform.y];
      const outside =
        left < 8 || top < 8 || left + w * transform.k > element.clientWidth - 8 || top + h * transform.k > element.clientHeight - 8;
      if (!outside) return;
      this.pan(element.clientWidth / 2 - left - (w * transform.k) / 2, element.clientHeight / 2 - top - (h * transform.k) / 2);
    }

    /** Of itself no sign of a person: selecting moves the view too. */
    pan(dx, dy) {
      this.transform = { ...this.transform, x: this.transform.x + dx, y: this.transform.y + dy };
      this.onView();
    }

    press(event) {
      if (event.button > 0) return;
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      this.pressed = { x: event.clientX, y: event.clientY, target: event.target, moved: this.pointers.size > 1 };
    }

    move(event) {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const { pressed } = this;
      if (!pressed.moved && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < CLICK) return;
      if (!pressed.moved) this.element.setPointerCapture(event.pointerId);
      pressed.moved = true;
      this.touched = true;
      if (this.pointers.size === 2) this.pinch(event);
      else this.pan(event.clientX - before.x, event.clientY - before.y);
      this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    }

    pinch(event) {
      const [a, b] = [...this.pointers.entries()];
      const other = a[0] === event.pointerId ? b[1] : a[1];
      const before = this.pointers.get(event.pointerId);
      const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      const box = this.element.getBoundingClientRect();
      const here = { x: event.clientX, y: event.clientY };
      this.zoom(distance(here) / distance(before), (here.x + other.x) / 2 - box.left, (here.y + other.y) / 2 - box.top);
    }

    release(event) {
      const known = this.pointers.delete(event.pointerId);
      if (known && this.pressed && !this.pressed.moved) this.onClick(event, this.pressed.target);
    }

    wheel(event) {
      event.preventDefault();
      const box = this.element.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY * 0.0016), event.clientX - box.left, event.clientY - box.top);
    }
  }

  meshui.Viewport = Viewport;
})();
