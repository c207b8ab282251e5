/* Runs in the head, before the first paint: the stored colour scheme, else the system's. Mantine reads the same key. */
(function () {
  "use strict";
  var stored = null;
  try {
    stored = localStorage.getItem("mantine-color-scheme-value");
  } catch (error) {
    /* storage may be forbidden: then the system decides */
  }
  if (stored !== "light" && stored !== "dark") {
    stored = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }
  document.documentElement.setAttribute("data-mantine-color-scheme", stored);
})();
