/* Which view of the graph is shown: destinations of messages and proxies as nodes of their own, or not. It is kept in
   the address (?messaging=collapsed&hops=expanded), as the API names it; what is usual here is left out. */
(function () {
  "use strict";
  const meshui = window.meshui;

  const USUAL = { messaging: "expanded", hops: "collapsed" };
  const WAYS = ["collapsed", "expanded"];

  /** The view that an address asks for; anything else is the usual one. */
  function read(search) {
    const query = new URLSearchParams(search);
    return Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, WAYS.includes(query.get(name)) ? query.get(name) : usual]));
  }

  /** The query of an address with this view in it. */
  function written(search, view) {
    const query = new URLSearchParams(search);
    for (const [name, usual] of Object.entries(USUAL)) {
      if (view[name] === usual) query.delete(name);
      else query.set(name, view[name]);
    }
    return query.toString();
  }

  const turned = (view, name) => ({ ...view, [name]: view[name] === "expanded" ? "collapsed" : "expanded" });
  const same = (one, other) => Object.keys(USUAL).every((name) => one[name] === other[name]);

  meshui.view = { read, written, turned, same, shown: read("") };
})();
