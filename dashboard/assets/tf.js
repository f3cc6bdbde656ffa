/* The TF-binding view in the browser: what it shows, which part is in sight, a cell of the table opened. */
(function () {
  "use strict";
  const dash = window.dash_clientside, own = dash.bi2scope;
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const timers = {};

  /* Ask for what chance gives once the sliders rest; a slider that moves again withdraws the question. */
  function idle(name, asked) {
    clearTimeout(timers[name]);
    if (dash.callback_context.triggered_id === "cut" || !asked) return;
    timers[name] = setTimeout(() => dash.set_props(name, { data: { asked: asked, at: Date.now() } }), 500);
  }

  let clicked = null, touched = null;

  /* What the files of figures hold where points of traces would not say it. */
  own.rowsOf = own.rowsOf || {};

  own.rowsOf["tf-matrix"] = function () {
    const rows = [];
    window.dash_ag_grid.getApi("tf-matrix-rows").forEachNode((node) => rows.push(node.data));
    const names = rows.length ? Object.keys(rows[0]) : [];
    const caption = document.getElementById("tf-matrix-caption").textContent;
    return { names: names, rows: rows.map((row) => names.map((name) => row[name])), notes: [caption] };
  };

  /* Bins of the density with their counts, and both curves at the values of the score. */
  own.rowsOf["tf-scatter"] = function (plot) {
    const rows = [];
    plot._fullData.forEach(function (trace) {
      if (trace.type !== "heatmap")
        return Array.from(trace.x).forEach((_, i) => rows.push([trace.name, trace.customdata[i], null, null, null, trace.y[i], null]));
      const [across, up] = trace.meta;
      Array.from(trace.z).forEach((line, j) => Array.from(line).forEach(function (z, i) {
        const count = Number.isFinite(z) ? Math.round(Math.pow(10, z)) : 0;
        if (count) rows.push(["Bound peaks by bin", across[i], across[i + 1], up[j], up[j + 1], null, count]);
      }));
    });
    const names = ["series", "score_from", "score_to", "signal_from", "signal_to", "share_above", "n_peaks"];
    return { names: names, rows: rows, notes: ["share_above: of the series' peaks, those with a score above score_from"] };
  };

  /* The measures, a marker or interval a row. */
  own.rowsOf["tf-forest"] = function (plot) {
    const rows = plot._fullData.filter((trace) => trace.meta && trace.legendgroup !== "chance").map(function (trace) {
      const band = trace.legendgroup === "null", bars = trace.error_x, at = trace.x[0];
      const low = band ? Math.min(...trace.x) : bars && bars.array ? at - bars.arrayminus[0] : null;
      const high = band ? Math.max(...trace.x) : bars && bars.array ? at + bars.array[0] : null;
      return [trace.meta, trace.name, band ? null : at, low, high];
    });
    return { names: ["measure", "series", "value", "low", "high"], rows: rows };
  };

  Object.assign(own, {
    tfIdle: (asked) => idle("tf-idle", asked),
    matrixIdle: (asked) => idle("tf-matrix-idle", asked),

    /* The field for the file comes without a name of its own, and later than the rest of the page. */
    tfNamed: function nameField() {
      const field = document.querySelector("#bed input[type=file]");
      if (field) field.setAttribute("aria-label", "BED file of binding sites");
      else setTimeout(nameField, 200);
    },

    tfShown: function (kind, definition, track, tab, measure) {
      document.body.dataset.tfTab = tab;
      own.tfNamed();
      return { kind: kind, definition: definition, track: track, tab: tab, measure: measure };
    },

    tfSight: function (view, tab, before) {
      const now = view !== "tf" ? "" : tab === "matrix" ? "matrix" : "compare";
      return now === before ? dash.no_update : now;
    },

    tfButtons: function (track, groups) {
      const result = window.dash_component_api.getLayout("tf-result");
      if (track && result.props.className === "no-track") dash.set_props("tf-result", { className: "awaited" });
      const uploaded = (groups || []).find((group) => group.group.startsWith("Uploaded"));
      const mine = uploaded && uploaded.items.some((item) => item.value === track);
      return [{ display: track === "dropped" ? "" : "none" }, { display: mine ? "" : "none" }];
    },

    tfOpen: function (point, cell, selected, rows) {
      const none = [dash.no_update, dash.no_update, dash.no_update];
      const by = dash.callback_context.triggered[0];
      let target = null;
      if (by && by.prop_id.endsWith("clickData") && point && point !== clicked) {
        clicked = point;
        const across = rows.filter((row) => row.cell_type === rows[0].cell_type).length;
        const row = rows[point.points[0].y * across + point.points[0].x];
        target = row && [row.cell_type, row.track_id];
      } else if (by && by.prop_id.endsWith("cellClicked") && cell && cell !== touched) {
        touched = cell;
        const row = rows[Number(cell.rowId !== undefined ? cell.rowId : cell.rowIndex)];
        target = row && [row.cell_type, row.track_id];
      } else if (by && by.prop_id.endsWith("selectedRows") && selected && selected.length) {
        target = [selected[0].cell_type, selected[0].track_id];
      }
      return target ? [target[0], target[1], "tracks"] : none;
    },

    tfQuery: function (query, state) {
      if (!state) return;
      if (state.kind) query.append("cell_type", state.kind);
      query.set("definition", state.definition);
      if (state.track) query.set("track", state.track);
      if (state.tab !== "tracks") query.set("tab", state.tab);
      if (state.tab === "matrix" && state.measure !== "auroc") query.set("measure", state.measure);
    },

    tfRestore: function (given, state) {
      const set = (id, value, was) => value && !same(value, was) && dash.set_props(id, { value: value });
      set("tf-type", given.get("cell_type"), state.kind);
      set("tf-definition", given.get("definition") || "score", state.definition);
      set("tf-track", given.get("track"), state.track);
      set("tf-tab", given.get("tab") || "tracks", state.tab);
      set("tf-measure", given.get("measure") || "auroc", state.measure);
    },
  });
})();
