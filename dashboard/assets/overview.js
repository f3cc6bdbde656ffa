/* The overview in the browser: which cells a lasso went round, and what they are coloured by. */
(function () {
  "use strict";
  const dash = window.dash_clientside, own = dash.bi2scope;

  Object.assign(own, {
    /* Barcodes inside the lasso; null when it was taken away. */
    chosenCells: function (selected) {
      if (selected === undefined) return dash.no_update;
      if (!selected || !selected.points) return null;
      return [...new Set(selected.points.map((point) => point.customdata))];
    },

    openFirst: function (clicks, cells) {
      if (!clicks || !cells || !cells.length) return [dash.no_update, dash.no_update, dash.no_update];
      return [cells[0], [{ value: cells[0], label: cells[0] }], "cell"];
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
