// Before the first paint: the theme a person chose, else the system's.
(function () {
  const chosen = (document.cookie.match(/(?:^|; )theme=(light|dark)/) || [])[1];
  const system = matchMedia("(prefers-color-scheme: dark)");
  const set = () => document.documentElement.setAttribute("data-bs-theme", chosen || (system.matches ? "dark" : "light"));
  set();
  system.addEventListener("change", set);
})();
