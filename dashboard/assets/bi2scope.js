/* What the page does without asking the service: coalesce moves, fill the table. */
(function () {
  "use strict";
  const dash = (window.dash_clientside = window.dash_clientside || {});
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const timers = {};

  /* Run at once, then at most every `wait` ms, and always with the last value. */
  function throttled(name, wait, run) {
    const slot = (timers[name] = timers[name] || { last: 0, timer: null });
    clearTimeout(slot.timer);
    const rest = Math.max(0, slot.last + wait - Date.now());
    slot.timer = setTimeout(() => { slot.last = Date.now(); run(); }, rest);
  }

  /* Run once nothing has moved for `wait` ms. */
  function settled(name, wait, run) {
    const slot = (timers[name] = timers[name] || { timer: null });
    clearTimeout(slot.timer);
    slot.timer = setTimeout(run, wait);
  }

  function forget(name) {
    if (timers[name]) clearTimeout(timers[name].timer);
  }

  const element = (type, children, props) => ({
    namespace: "dash_html_components", type: type, props: Object.assign({ children: children }, props || {}),
  });

  /* From the ranges that a relayout event reports on one axis to whole positions; undefined when it reports none. */
  function positions(event, axis) {
    if (event[axis + ".autorange"]) return null;
    const pair = event[axis + ".range"] || [event[axis + ".range[0]"], event[axis + ".range[1]"]];
    if (pair[0] === undefined || pair[1] === undefined) return undefined;
    const low = Math.min(pair[0], pair[1]), high = Math.max(pair[0], pair[1]);
    const start = Math.max(0, Math.floor(low + 0.5));
    return [start, Math.max(start + 1, Math.ceil(high + 0.5))];
  }

  /* The range an axis shows now, from the plot itself. */
  function shown(id, axis) {
    const plot = document.querySelector("#" + id + " .js-plotly-plot");
    const full = plot && plot._fullLayout && plot._fullLayout[axis];
    return full ? positions({ [axis + ".range"]: full.range }, axis) : undefined;
  }

  /* Figures and tables are told which colour scheme the page has, now and whenever it changes. */
  let watching = false;
  function watchScheme() {
    if (watching) return;
    watching = true;
    const root = document.documentElement;
    const tell = function () {
      const scheme = root.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light";
      document.body.dataset.agThemeMode = scheme;
      dash.set_props("scheme", { data: scheme });
    };
    new MutationObserver(tell).observe(root, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });
    tell();
  }

  /* Of a move of the sliders only the view in sight is told, by a cut of its own; another one when it comes in sight. */
  const LISTENERS = ["cut-locus", "cut-settled-celltype", "cut-settled-tf"];
  const latest = { cut: null, "cut-settled": null }, told = {};

  function tell(kind, data) {
    latest[kind] = data;
    pass(kind);
  }

  /* A page that opens has its cut in all of them. */
  function opened(data) {
    latest.cut = latest["cut-settled"] = data;
    for (const id of LISTENERS) told[id] = data;
  }

  function pass(kind) {
    const id = kind + "-" + document.body.dataset.view, data = latest[kind];
    if (!data || !LISTENERS.includes(id) || same(data, told[id])) return;
    told[id] = data;
    if (kind === "cut") dash.bi2scope.whenAnswered(id, data);
    else dash.set_props(id, { data: data });
  }

  Object.assign(dash.bi2scope, {
    positions: positions,

    open: function () {
      watchScheme();
      dash.bi2scope.opened(window.location.search);
      return { query: window.location.search, at: Date.now() };
    },

    follow: function (slider, typed, least, most) {
      const by = dash.callback_context.triggered_id;
      if (!by) return [dash.no_update, dash.no_update];
      if (!by.endsWith("-typed")) return [dash.no_update, slider];
      const value = Number(typed);
      if (typed === "" || typed === null || !Number.isFinite(value)) return [dash.no_update, dash.no_update];
      return [Math.min(Math.max(value, least), most), dash.no_update];
    },

    switchK: (on) => [!on, !on],

    cut: function (threshold, topK, on, layer, head, current) {
      const data = { threshold: threshold, top_k: on ? topK : null, layer: Number(layer), head: Number(head) };
      if (same(data, current) && !same(data, latest.cut)) opened(data);
      latest.cut = data;
      dash.bi2scope.moveMap(data);
      if (document.body.dataset.view === "locus") throttled("cut", 60, () => pass("cut"));
      settled("cut-settled", 260, function () {
        if (!same(data, current)) dash.set_props("cut", { data: data });
        if (same(data, latest["cut-settled"])) return;
        dash.set_props("cut-settled", { data: data });
        tell("cut-settled", data);
      });
    },

    cutNow: () => latest.cut,

    /* Have the view in sight ask for everything once more. */
    askAgain: function (data) {
      Object.keys(told).forEach((id) => delete told[id]);
      for (const kind of ["cut", "cut-settled"]) tell(kind, Object.assign({}, data));
      dash.bi2scope.mapAgain();
    },

    show: function (view) {
      const views = ["overview", "cell", "locus", "celltype", "tf"];
      document.body.dataset.view = view;
      dash.bi2scope.mount(view);
      pass("cut");
      pass("cut-settled");
      const styles = views.map((name) => ({ display: name === view ? "flex" : "none" }));
      const navbar = { width: 292, breakpoint: "sm", collapsed: { desktop: view === "overview", mobile: false } };
      return [...styles, ...styles, navbar];
    },

    trackWindow: function (event, id) {
      if (!event || positions(event, "xaxis") === undefined) return dash.no_update;
      const store = id === "tracks" ? "track-window" : "tf-window";
      throttled(store, 120, function () {
        const x = shown(id, "xaxis");
        if (x) dash.bi2scope.whenAnswered(store, x);
      });
      return dash.no_update;
    },

    showOther: (beside) => ({ display: beside === "cell" ? "block" : "none" }),

    rows: function (text) {
      if (!text) return dash.callback_context.triggered_id ? [] : dash.no_update;
      const columns = JSON.parse(text);
      const names = Object.keys(columns);
      return columns[names[0]].map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
    },

    dropLabel: (name) => element("Div", name ? [element("B", name), " – drop another to replace it"] : "Drop a BED file here"),

    openCell: function (clicked) {
      if (clicked) dash.bi2scope.toCell(clicked.points[0].customdata);
    },
  });
})();
