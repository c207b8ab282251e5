/* SharedWorker: one EventSource per window of the graph for all tabs of this browser; HTTP/1.1 allows only six
   connections per origin. Keeps the merged graph, so that a tab that joins gets it at once. */
"use strict";

importScripts("45-stream.js");

const streams = new Map(); // window → Stream
const LINGER = 5000; // ms an unused stream stays open: page changes and reloads come back soon

function leave(port) {
  for (const [start, stream] of streams) {
    if (!stream.listeners.delete(port) || stream.listeners.size) continue;
    setTimeout(() => {
      if (stream.listeners.size || streams.get(start) !== stream) return;
      stream.close();
      streams.delete(start);
    }, LINGER);
  }
}

function join(port, start) {
  leave(port);
  if (!streams.has(start)) streams.set(start, new self.meshStream.Stream(start));
  streams.get(start).add(port);
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => (data.join ? join(port, data.join) : leave(port));
  port.start();
};
