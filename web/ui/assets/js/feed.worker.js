/* SharedWorker: one EventSource per window and view of the graph for all tabs of this browser; HTTP/1.1 allows only six
   connections per origin. Keeps the merged graph, so that a tab that joins gets it at once. */
"use strict";

importScripts("45-stream.js");

const streams = new Map(); // query of the stream → Stream
const LINGER = 5000; // ms an unused stream stays open: page changes and reloads come back soon

function leave(port) {
  for (const [query, stream] of streams) {
    if (!stream.listeners.delete(port) || stream.listeners.size) continue;
    setTimeout(() => {
      if (stream.listeners.size || streams.get(query) !== stream) return;
      stream.close();
      streams.delete(query);
    }, LINGER);
  }
}

function join(port, query) {
  leave(port);
  if (!streams.has(query)) streams.set(query, new self.meshStream.Stream(query));
  streams.get(query).add(port);
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => (data.join ? join(port, data.join) : leave(port));
  port.start();
};
