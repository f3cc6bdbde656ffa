/* The gene / locus view in the browser: moving the window, choosing a link, the tooltip of an arc. */
(function () {
  "use strict";
  const dash = window.dash_clientside, own = dash.bi2scope;
  const whole = (value) => value.toLocaleString("en-US");
  const plot = () => document.querySelector("#locus-figure .js-plotly-plot");
  const range = () => {
    const gd = plot();
    return gd && gd._fullLayout && gd._fullLayout.xaxis ? gd._fullLayout.xaxis.range.map(Number) : null;
  };
  const element = (type, children) => ({
    namespace: "dash_html_components", type: type, props: { children: children },
  });

  let shown = null, frame = null, waiting = null, sent = null, finding = 0;

  /* The place that the plot shows, as whole bases on its chromosome. */
  function place(limits) {
    const start = Math.max(0, Math.round(limits[0] * 1e6));
    const end = Math.min(shown.chrom_end, Math.round(limits[1] * 1e6));
    return shown.chrom + ":" + start + "-" + Math.max(end, start + 20);
  }

  /* Show another part of the axis; the plot reports it, and the rest follows from that. */
  function moveTo(start, end) {
    if (!plot() || !shown) return;
    const most = shown.chrom_end / 1e6, least = 0.0002;
    let size = Math.min(Math.max(end - start, least), most);
    let from = Math.min(Math.max(start, 0), most - size);
    window.Plotly.relayout(plot(), { "xaxis.range": [from, from + size] });
  }

  function move(step) {
    const now = range();
    if (!now || !shown) return;
    const size = now[1] - now[0], middle = (now[0] + now[1]) / 2;
    if (step === "left" || step === "right") {
      const by = (step === "left" ? -0.25 : 0.25) * size;
      moveTo(now[0] + by, now[1] + by);
    } else if (step === "in" || step === "out") {
      const half = size * (step === "in" ? 0.25 : 1);
      moveTo(middle - half, middle + half);
    } else if (step === "all") {
      if (shown.all) moveTo(shown.all[0] / 1e6, shown.all[1] / 1e6);
    } else if (step === "chromosome") {
      moveTo(0, shown.chrom_end / 1e6);
    }
  }

  const KEYS = { ArrowLeft: "left", ArrowRight: "right", "+": "in", "=": "in", "-": "out", _: "out" };
  document.addEventListener("keydown", function (event) {
    const step = KEYS[event.key], at = event.target;
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    if (at !== document.body && !(at.closest && at.closest("#locus-keys"))) return;
    const panel = document.getElementById("panel-locus");
    if (!panel || panel.style.display === "none") return;
    event.preventDefault();
    move(step);
  });

  Object.assign(own, {
    locusQuery: function (query, state) {
      shown = state;
      if (!state) return;
      if (state.gene) query.set("gene", state.gene);
      query.set("region", state.region);
      state.cell_type.forEach((kind) => query.append("cell_type", kind));
      if (state.cell) query.set("cell", state.cell);
      query.set("quantity", state.quantity);
      query.set("height", state.height);
      state.track.forEach((track) => query.append("track", track));
    },

    /* Set the controls to what an address says; false when the address leaves the choice to the view. */
    locusRestore: function (given) {
      if (!given.get("gene") && !given.get("region")) return false;
      const set = (id, props) => dash.set_props("locus-" + id, props);
      const gene = given.get("gene"), cell = given.get("cell"), types = given.getAll("cell_type");
      finding = Date.now() + 1500;
      set("find", gene ? { data: [{ value: "gene:" + gene, label: gene }], value: "gene:" + gene } : { value: null });
      if (types.length) set("type", { value: types[0] });
      set("beside", { value: types.slice(1) });
      set("mode", { value: cell ? "cell" : "type" });
      if (cell) set("cell", { value: cell, data: [{ value: cell, label: cell }] });
      set("tfs", { value: given.getAll("track") });
      for (const name of ["quantity", "height"]) if (given.get(name)) set(name, { value: given.get(name) });
      set("asked", { data: { gene: gene, region: given.get("region") } });
      return true;
    },

    locusFind: function (value, state) {
      if (Date.now() < finding) return dash.no_update;
      if (!value) return state ? { gene: null, region: state.region } : dash.no_update;
      const kind = value.slice(0, value.indexOf(":")), name = value.slice(value.indexOf(":") + 1);
      if (kind === "gene") return state && state.gene === name ? dash.no_update : { gene: name, region: null };
      if (kind === "place") return { gene: null, region: name };
      const parts = name.match(/^(.+):(\d+)-(\d+)$/);
      const middle = (Number(parts[2]) + Number(parts[3])) / 2;
      return {
        gene: null, region: parts[1] + ":" + Math.max(0, Math.round(middle - 1e5)) + "-" + Math.round(middle + 1e5),
      };
    },

    locusPlace: function (text, state) {
      if (!text || !state || text === state.named) return dash.no_update;
      return { gene: state.gene, region: text };
    },

    locusMove: function () {
      const by = dash.callback_context.triggered_id;
      const state = arguments[arguments.length - 1];
      if (!by || !state) return dash.no_update;
      if (by === "locus-gene") return state.gene ? { gene: state.gene, region: null } : dash.no_update;
      shown = state;
      move(by.replace("locus-", ""));
      return dash.no_update;
    },

    /* While gene and chromosome stay, the window that is in sight by now is kept: it may have moved on. */
    locusFigure: function (payload) {
      if (!payload) return [dash.no_update, dash.no_update];
      const figure = payload.figure, now = range();
      const asked = figure.layout.xaxis.range;
      if (now && frame === payload.frame && sent && Math.abs(sent[0] - asked[0]) < 2e-6
          && Math.abs(sent[1] - asked[1]) < 2e-6) figure.layout.xaxis.range = now;
      frame = payload.frame;
      return [figure, { height: figure.layout.height + "px" }];
    },

    locusWindow: function (event, state) {
      shown = state;
      if (!event || !state) return;
      if (event["xaxis.range"] === undefined && event["xaxis.range[0]"] === undefined && !event["xaxis.autorange"]) return;
      clearTimeout(waiting);
      waiting = setTimeout(function () {
        const now = range();
        if (!now || !shown) return;
        const region = place(now);
        if (region === shown.region) return;
        const bases = region.match(/:(\d+)-(\d+)$/);
        sent = [Number(bases[1]) / 1e6, Number(bases[2]) / 1e6];
        dash.set_props("locus-asked", { data: { gene: shown.gene, region: region } });
      }, 140);
    },

    /* An arc chooses its row; a gene is looked for. */
    locusClick: function (event, rows) {
      const point = event && event.points && event.points[0];
      if (!point || point.customdata === undefined || point.customdata === null) return;
      if (Array.isArray(point.customdata)) {
        const option = { value: "gene:" + point.customdata[0], label: point.customdata[1] };
        dash.set_props("locus-find", { data: [option], value: option.value });
        return;
      }
      const row = rows && rows[point.customdata];
      if (!row) return;
      dash.set_props("locus-table", { selectedRows: { ids: [row.key] }, scrollTo: { rowId: row.key, rowPosition: "middle" } });
      dash.set_props("locus-chosen", { data: row });
    },

    locusChosen: function (selected, rows) {
      const row = Array.isArray(selected) && selected[0];
      if (!row) return dash.callback_context.triggered_id === "locus-table" && !rows ? null : dash.no_update;
      const there = (rows || []).find((one) => one.key === row.key);
      return there || null;
    },

    /* Draw the chosen arc once more, thicker, from the points of the plot itself. */
    locusHighlight: function (chosen, figure, rows) {
      setTimeout(function () {
        const gd = plot();
        if (!gd || !gd.data || !rows) return;
        const target = gd.data.findIndex((trace) => trace.name === "chosen");
        if (target < 0) return;
        const at = chosen ? rows.findIndex((row) => row.key === chosen.key) : -1;
        const x = [], y = [];
        if (at >= 0) gd.data.forEach(function (trace, i) {
          if (i === target || !Array.isArray(trace.customdata) || trace.mode !== "lines") return;
          trace.customdata.forEach((one, j) => { if (one === at) { x.push(trace.x[j]); y.push(trace.y[j]); } });
        });
        const had = gd.data[target].x;
        if (!x.length && (!had || !had.length)) return;
        window.Plotly.restyle(gd, { x: [x], y: [y] }, [target]);
      }, 60);
    },

    locusTooltip: function (hover, rows) {
      const hidden = [false, dash.no_update, dash.no_update, dash.no_update];
      const point = hover && hover.points && hover.points[0];
      const row = point && typeof point.customdata === "number" && rows ? rows[point.customdata] : null;
      if (!row || !point.bbox) return hidden;
      const line = (name, value) => element("Tr", [element("Td", name), element("Td", value)]);
      const many = row.cell_id === null || row.out_of > 1;
      const lines = [line("Distance to TSS", (row.distance > 0 ? "+" : "") + whole(row.distance) + " bp")];
      if (many) lines.push(line("Cells with the link", whole(row.n_cells) + " of " + whole(row.out_of)));
      lines.push(line(many ? "Mean score" : "Score", row.score.toFixed(4)));
      if (row.logit !== null) lines.push(line(many ? "Mean logit" : "Logit", row.logit.toFixed(3)));
      if (row.rank !== null) lines.push(line(many ? "Mean rank" : "Rank", row.rank.toFixed(many ? 1 : 0)));
      lines.push(line(many ? "Mean weight" : "Weight", row.weight.toFixed(4)));
      const box = document.getElementById("locus-figure").getBoundingClientRect();
      const side = point.bbox.x0 > box.width / 2 ? "left" : "right";
      const head = element("B", row.gene_name + " – " + row.peak);
      return [true, point.bbox, side, element("Div", [head, element("Table", element("Tbody", lines))])];
    },
  });

  /* The links that the figure draws, for its CSV: those of the table, which its arcs stand for. */
  own.rowsOf = own.rowsOf || {};
  own.rowsOf["locus-figure"] = function () {
    const rows = window.dash_component_api.getLayout("locus-table").props.rowData || [];
    const names = rows.length ? Object.keys(rows[0]).filter((name) => name !== "key") : ["gene_id", "peak"];
    return { names: names, rows: rows.map((row) => names.map((name) => row[name])), notes: ["the links of the table"] };
  };
})();
