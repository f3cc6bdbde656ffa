/* What the page does without asking the service: coalesce moves, fill the tooltip and the table. */
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

  const whole = (value) => value.toLocaleString("en-US");
  const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + whole(Math.abs(value));

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

  const reads = new WeakMap();  /* by what the tooltip was given of a map: its bins, and the link at each of their places */
  function linkAt(data, x, y) {
    if (!reads.has(data)) {
      const read = JSON.parse(data.json);
      reads.set(data, { read: read, found: new Map(read.bins.row.map((row, i) => [row * data.columns + read.bins.column[i], i])) });
    }
    const row = Math.round((y - data.y0) / data.dy), column = Math.round((x - data.x0) / data.dx);
    const { read, found } = reads.get(data), at = found.get(row * data.columns + column);
    return at === undefined ? undefined : { at: at, read: read };
  }

  /* Of a move of the sliders only the view in sight is told, by a cut of its own; another one when it comes in sight. */
  const LISTENERS = ["cut-cell", "cut-locus", "cut-settled-cell", "cut-settled-celltype", "cut-settled-tf"];
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

  dash.bi2scope = {
    linkAt: linkAt,

    open: function () {
      watchScheme();
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
      if (same(data, current)) {
        forget("cut");
        if (!same(data, latest.cut)) opened(data);
      } else {
        throttled("cut", 60, function () {
          dash.set_props("cut", { data: data });
          tell("cut", data);
        });
      }
      settled("cut-settled", 260, function () {
        if (same(data, latest["cut-settled"])) return;
        dash.set_props("cut-settled", { data: data });
        tell("cut-settled", data);
      });
    },

    /* Have the view in sight ask for everything once more. */
    askAgain: function (data) {
      Object.keys(told).forEach((id) => delete told[id]);
      for (const kind of ["cut", "cut-settled"]) tell(kind, Object.assign({}, data));
    },

    show: function (view) {
      const views = ["overview", "cell", "locus", "celltype", "tf"];
      document.body.dataset.view = view;
      pass("cut");
      pass("cut-settled");
      const styles = views.map((name) => ({ display: name === view ? "flex" : "none" }));
      const navbar = { width: 292, breakpoint: "sm", collapsed: { desktop: view === "overview", mobile: false } };
      return [...styles, ...styles, navbar];
    },

    mapWindow: function (event) {
      const by = dash.callback_context.triggered_id;
      forget("map-window");
      if (by && by !== "heatmap") {
        dash.bi2scope.zoomed("window", null);
        return null;
      }
      if (!event) return dash.no_update;
      const across = positions(event, "xaxis"), down = positions(event, "yaxis");
      if (across === undefined && down === undefined) return dash.no_update;
      throttled("map-window", 90, function () {
        const x = shown("heatmap", "xaxis"), y = shown("heatmap", "yaxis");
        if (!x || !y) return;
        const data = { gene_start: y[0], gene_stop: y[1], peak_start: x[0], peak_stop: x[1] };
        dash.bi2scope.whenAnswered("window", data);
      });
      return dash.no_update;
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

    tooltip: function (hover, data) {
      const point = hover && hover.points && hover.points[0];
      const own = point && data && data.maps[point.curveNumber], link = own ? linkAt(own, point.x, point.y) : undefined;
      if (link === undefined) return [false, dash.no_update, dash.no_update, dash.no_update];
      const at = link.at, read = link.read, b = read.bins, mean = b.mean_score !== undefined;
      const line = (name, value) => element("Tr", [element("Td", name), element("Td", value)]);
      const head = read.gene_names[b.gene[at] - own.gene_start] + " – " + read.peak_names[b.peak[at] - own.peak_start];
      const count = (mean ? b.n_pairs : b.n_links)[at], noun = mean ? " pairs here" : " links here";
      const many = count > 1 ? [element("Div", "best of " + whole(count) + noun)] : [];
      const rows = mean ? [
        line("Distance to TSS", signed(b.distance_to_tss[at]) + " bp"),
        line("Mean score", b.mean_score[at].toFixed(4)),
        line("Mean weight", b.mean_weight[at].toFixed(4)),
        line("Cells with the link", whole(b.n_cells[at]) + " of " + whole(b.n_both[at]) + " with both"),
      ] : [
        line("Distance to TSS", signed(b.distance_to_tss[at]) + " bp"),
        line("Score", b.score[at].toFixed(4)),
        line("Logit", b.logit[at].toFixed(3)),
        line("Rank", whole(b.rank[at])),
        line("Weight", b.weight[at].toFixed(4)),
      ];
      const table = element("Table", element("Tbody", rows));
      const box = document.getElementById("heatmap").getBoundingClientRect();
      const side = point.bbox.x0 > box.width / 2 ? "left" : "right";
      return [true, point.bbox, side, element("Div", [element("B", head), table, ...many])];
    },

    showOther: (beside) => ({ display: beside === "cell" ? "block" : "none" }),

    rows: function (text) {
      if (!text) return [];
      const columns = JSON.parse(text);
      const names = Object.keys(columns);
      return columns[names[0]].map((_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
    },

    dropLabel: (name) => element("Div", name ? [element("B", name), " – drop another to replace it"] : "Drop a BED file here"),

    openCell: function (clicked) {
      if (!clicked) return [dash.no_update, dash.no_update, dash.no_update];
      const cell = clicked.points[0].customdata;
      return [cell, [{ value: cell, label: cell }], "cell"];
    },
  };
})();
