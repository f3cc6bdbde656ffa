/* The overview in the browser: which cells a lasso went round, and what they are coloured by. */
(function () {
  "use strict";
  const dash = window.dash_clientside, own = dash.bi2scope;

  const plot = () => document.querySelector("#overview-embedding .js-plotly-plot");

  /* Outlines round cells as the address has them: coordinates joined by "_", outlines by "*". */
  function outlines() {
    const written = (numbers) => numbers.map((value) => String(Number(Number(value).toPrecision(6)))).join("_");
    return (plot().layout.selections || []).map(({ type, path, x0, x1, y0, y1 }) =>
      written(type === "path" ? path.match(/-?[0-9.]+(e-?[0-9]+)?/g) : [x0, y0, x1, y0, x1, y1, x0, y1])).join("*");
  }

  const PLACES = /^-?[0-9.]+(e-?[0-9]+)?(_-?[0-9.]+(e-?[0-9]+)?)+$/;

  /* What plotly draws and chooses by. */
  function selections(text) {
    return (text || "").split("*").filter((one) => PLACES.test(one)).map(function (one) {
      const at = one.split("_"), points = at.flatMap((x, i) => (i % 2 || i + 1 >= at.length ? [] : [x + "," + at[i + 1]]));
      return { type: "path", path: "M" + points.join("L") + "Z", xref: "x", yref: "y", line: { width: 1.5 } };
    });
  }

  const inside = (traces) =>
    [...new Set(traces.flatMap((trace) => (trace.selectedpoints || []).map((i) => trace.customdata[i])))];

  Object.assign(own, {
    /* Barcodes inside the lasso; null when it was taken away. */
    chosenCells: function (selected) {
      if (selected === undefined) return dash.no_update;
      own.zoomed("lasso-window", (selected && outlines()) || null);
      if (!selected || !selected.points) return null;
      return [...new Set(selected.points.map((point) => point.customdata))];
    },

    /* Choose the cells inside the outlines of an address, once they are drawn. */
    lassoRestore: function (text) {
      const wanted = selections(text);
      if (!wanted.length && !(plot() && outlines())) return;
      (function attempt(left) {
        const drawn = plot();
        if (!drawn || !drawn.data || !drawn.data.length) return left && setTimeout(() => attempt(left - 1), 100);
        window.Plotly.relayout(drawn, { selections: wanted }).then(function () {
          own.zoomed("lasso-window", text || null);
          dash.set_props("chosen-cells", { data: wanted.length ? inside(drawn.data) : null });
        });
      })(100);
    },

    openFirst: function (clicks, cells) {
      if (clicks && cells && cells.length) own.toCell(cells[0]);
    },

    colourCellsBy: function (by) {
      const gene = /^gene:(.+)$/.exec(by);
      if (gene) {
        const now = window.dash_component_api.getLayout("colour-cells").props.data || [];
        const offered = now.filter((group) => group.group !== "Gene");
        dash.set_props("colour-cells", { data: [...offered, { group: "Gene", items: [{ value: by, label: gene[1] }] }] });
      }
      dash.set_props("colour-cells", { value: by });
    },
  });
})();
