/* Starts Swagger UI on our own schema, in the console's colours, as the person who is signed in. */
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.toggle("dark-mode", root.getAttribute("data-mantine-color-scheme") === "dark");

  /** "Try it out" changes things by cookie, so it sends the CSRF token as the console does. */
  function withCsrf(request) {
    const name = document.querySelector('meta[name="csrf-cookie"]').content + "=";
    const cookie = document.cookie.split("; ").find((part) => part.startsWith(name));
    if (cookie && new URL(request.url, location.href).origin === location.origin) {
      request.headers["X-CSRFToken"] = decodeURIComponent(cookie.slice(name.length));
    }
    return request;
  }

  window.SwaggerUIBundle({
    url: "/api/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null, // else it would ask swagger.io
    requestInterceptor: withCsrf,
  });
})();
