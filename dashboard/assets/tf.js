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
