/* The first view, before Dash is there: asks for the map, draws it (sketch.js), and only then has the page's scripts run. */
(function () {
  "use strict";
  const dash = (window.dash_clientside = window.dash_clientside || {});
  const page = (dash.bi2scope = dash.bi2scope || {});
  const element = (id) => document.getElementById(id);
  const given = new URLSearchParams(window.location.search);
  const PAUSE = 300;  /* ms in which a first move of the reader's comes before plotly.js */
  const LATEST = 1500;  /* ms after which plotly.js is loaded though the page was never idle */
  const PALE = 500;  /* ms for which the page that comes may still be without its map */

  /* ---- the colour scheme, as Mantine will find it ---- */

  const stored = (() => { try { return window.localStorage.getItem("mantine-color-scheme-value"); } catch (error) { return null; } })();
  const dark = stored === "dark" || (stored !== "light" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  const scheme = dark ? "dark" : "light";
  document.documentElement.setAttribute("data-mantine-color-scheme", scheme);

  /* ---- the question for the first map, on its way before any other ---- */

  function asked() {
    const store = given.get("store");
    const headers = store ? { "X-Bi2scope-Store": encodeURIComponent(store) } : {};
    return fetch("screen/first" + window.location.search, { headers: headers })
      .then((answer) => (answer.ok ? answer.json() : {})).catch(() => ({}));
  }

  const views = ["overview", "locus", "celltype", "tf"];
  const early = !views.includes(given.get("view")) && (given.get("view") || !given.get("cell_type"));
  let kept = null;
  const answered = early ? asked().then((answer) => { kept = answer.figures ? answer : null; return answer; }) : Promise.resolve({});

  /* The first answer, if it is what is wanted; once. Waits for it, as asking again would take longer. */
  page.firstMap = async function (now) {
    await answered;
    const first = kept;
    kept = null;
    if (!first || now.window) return null;
    const same = ["cell", "colouring", "scale", "beside", "cut"].every((name) => JSON.stringify(first.asked[name]) === JSON.stringify(now[name]));
    return same ? Object.assign({}, first, { figure: first.figures[now.scheme] }) : null;
  };

  /* ---- plotly.js, which takes a second to start: when it is wanted, or when nothing else is to be done ---- */

  let want;
  const wanted = new Promise((resolve) => { want = resolve; });

  function load(source, more) {
    return new Promise(function (done, failed) {
      const script = Object.assign(document.createElement("script"), { src: source, onload: done, onerror: failed }, more);
      document.body.appendChild(script);
    });
  }

  const loaded = wanted.then(() => load(element("page-scripts").dataset.plotly)).then(() => window.Plotly);
  window.Plotly = loaded;  /* Dash's graphs wait for what they find in this place, and load nothing of their own */

  page.plotlyLoaded = loaded;
  page.plotly = () => { want(); return loaded; };
  page.hasPlotly = () => Boolean(window.Plotly.react);
  page.plotlySoon = function (busy) {
    const box = element("heatmap"), idle = window.requestIdleCallback || setTimeout;
    if (box) box.addEventListener("pointerenter", want, { once: true });
    setTimeout(function look() {
      if (busy()) return setTimeout(look, 50);
      idle(() => (busy() ? look() : want()), { timeout: LATEST });
    }, PAUSE);
  };

  /* ---- the page ---- */

  function place(answer) {
    const box = element("first-map");
    if (!box || !answer.figures) return;
    element("first-title").innerHTML = answer.title;
    element("first-numbers").innerHTML = answer.numbers;
    element("first-warning").textContent = answer.warning || "";
    page.sketch(box, Object.assign({}, answer, { figure: answer.figures[scheme] }), answer.asked);
  }

  /* What is drawn here goes once the page has its own; at once, where the page shows something else. */
  function leave() {
    const first = element("first");
    if (!first) return;
    if (!early) return first.remove();
    let since = null;
    (function look() {
      const shown = element("page"), own = element("heatmap");
      const there = shown && !shown.querySelector("[aria-label=Loading]");
      if (there && since === null) since = performance.now();
      const drawn = own && own.querySelector("canvas, .js-plotly-plot");
      if (there && (drawn || !own || performance.now() - since > PALE)) return first.remove();
      requestAnimationFrame(look);
    })();
  }

  /* Dash's scripts in their order, all fetched at the same time. */
  function run() {
    const held = element("page-scripts").content;
    const scripts = [...held.querySelectorAll("script[src]")].map((each) => load(each.getAttribute("src"), { async: false }));
    Promise.all(scripts).then(function () {
      const later = Object.assign(document.createElement("link"), { rel: "preload", as: "script", fetchPriority: "low" });
      document.head.appendChild(Object.assign(later, { href: element("page-scripts").dataset.plotly }));
      const start = document.createElement("script");
      start.id = "_dash-renderer";
      start.textContent = held.querySelector("script:not([src])").textContent;
      document.body.appendChild(start);
      if (!early) want();
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    answered.then(place);
    leave();
    run();
  });
})();
