/* The cell's map and what a cut leaves of it, past Dash: asked here, late answers dropped; drawn by plot.js. */
(function () {
  "use strict";
  const dash = window.dash_clientside, page = dash.bi2scope;
  const element = (id) => document.getElementById(id);
  const plotOf = () => document.querySelector("#heatmap .js-plotly-plot");
  const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const PATIENCE = 400;  /* ms that a question may take once there is a newer one of the same map */
  const ZOOM = 60;  /* ms without a move of the window, after which it is asked for */
  const REST = 260;  /* ms without a move, after which plotly.js and the table follow */

  let wanted = null, running = null, done = null, resting = null, zooming = null, replotted = null;

  /* What makes two maps differ in more than their values. */
  const frame = (of) => of && JSON.stringify([of.cell, of.colouring, of.scale, of.beside, of.beside === "cell" && of.other, of.scheme]);
  const axes = (of) => JSON.stringify([of.cell, of.beside, of.beside === "cell" && of.other]);
  const key = (of) => frame(of) + JSON.stringify([of.cut, of.window]);

  function cutQuery(cut) {
    const text = new URLSearchParams({ threshold: cut.threshold, layer: cut.layer, head: cut.head });
    if (cut.top_k !== null) text.set("top_k", cut.top_k);
    return text;
  }

  function mapQuery(of) {
    const text = cutQuery(of.cut), w = of.window;
    for (const name of ["cell", "colouring", "scale", "beside", "scheme"]) text.set(name, of[name]);
    if (of.beside === "cell" && of.other) text.set("other", of.other);
    if (w) text.set("window", [w.gene_start, w.gene_stop, w.peak_start, w.peak_stop].join("-"));
    if (page.plotted() === frame(of)) text.set("drawn", "true");
    return text;
  }

  /* ---- what is wanted ---- */

  page.wantMap = function (cell, colouring, scale, beside, other, scheme, view, cut) {
    if (view !== "cell" || !cell) return dash.no_update;
    watchThumbs();
    const now = { cell, window: null, colouring, scale, beside, other, scheme, cut: page.cutNow() || cut };
    if (wanted && axes(now) === axes(wanted)) now.window = wanted.window;
    wanted = now;
    page.zoomed("window", now.window);
    ask();
    return now;
  };

  /* The reader moved or zoomed, in the plot that stands under the picture; of a cell with other axes the window says nothing. */
  page.windowMoved = function (event) {
    const across = page.positions(event, "xaxis"), down = page.positions(event, "yaxis");
    if (across === undefined && down === undefined) return;
    page.unsketch(element("heatmap"));
    const full = plotOf()._fullLayout, range = (axis) => page.positions({ [axis + ".range"]: full[axis].range }, axis);
    const x = range("xaxis"), y = range("yaxis");
    const now = { gene_start: y[0], gene_stop: y[1], peak_start: x[0], peak_stop: x[1] };
    wanted = Object.assign({}, wanted, { window: now });
    page.zoomed("window", now);
    clearTimeout(zooming);
    zooming = setTimeout(ask, ZOOM);
  };

  page.moveMap = function (cut) {
    if (!wanted) return;
    wanted = Object.assign({}, wanted, { cut: cut });
    ask();
  };

  /* A thumb that the reader moves tells its value here before Dash has told its callbacks. */
  function watchThumbs() {
    for (const [id, name] of [["threshold", "threshold"], ["top-k", "top_k"]]) {
      const thumb = document.querySelector("#" + id + " [role=slider]");
      if (!thumb || thumb.watched) continue;
      thumb.watched = true;
      new MutationObserver(function () {
        const cut = page.cutNow() || (wanted && wanted.cut), value = Number(thumb.getAttribute("aria-valuenow"));
        if (cut && cut[name] !== null && document.activeElement === thumb) page.moveMap(Object.assign({}, cut, { [name]: value }));
      }).observe(thumb, { attributes: true, attributeFilter: ["aria-valuenow"] });
    }
  }

  page.mapAgain = function () {
    done = leftShown = null;
    page.forgetPlot();
    if (wanted) ask();
  };

  /* ---- asking: one question at a time, then the latest ---- */

  async function ask() {
    clearTimeout(resting);
    if (running) {
      const late = performance.now() - running.since > PATIENCE;
      if (key(running.wanted) === key(wanted)) return;
      if (late || frame(running.wanted) !== frame(wanted)) running.control.abort();
      else if (!running.timer) running.timer = setTimeout(() => running && key(running.wanted) !== key(wanted) && running.control.abort(), PATIENCE);
      return;
    }
    while (wanted && document.body.dataset.view === "cell" && key(wanted) !== done) await once(wanted);
    resting = setTimeout(rest, REST);
  }

  async function once(now) {
    const mine = running = { wanted: now, control: new AbortController(), since: performance.now() };
    veil(true);
    try {
      const answer = (await page.firstMap(now)) || (await page.ask("screen/map?" + mapQuery(now), mine.control.signal));
      if (frame(now) !== frame(wanted)) return;
      if (answer.left) putLeft(answer), leftShown = of(now);
      const left = answer.notice || leftShown === of(now) ? null : leftOfCell(now);
      await page.drawMap({ ...now, frame: frame(now) }, answer);
      if (!page.hasPlotly()) follow();
      done = key(now);
      if (left) left.then(showLeft);
    } catch (error) {
      if (error.name !== "AbortError") done = key(now);
      if (error.name !== "AbortError" && error.name !== "Unanswered") throw error;
    } finally {
      clearTimeout(mine.timer);
      running = null;
      veil(false);
    }
  }

  /* Each answer has its own time before the map turns pale, so that it does not while it follows a hand. */
  function veil(on) {
    const box = element("heatmap") && element("heatmap").closest(".figure");
    if (!box) return;
    if (on) {
      getComputedStyle(box).opacity;  // or the browser does not see that it was off meanwhile
      box.setAttribute("data-dash-is-loading", "true");
    } else box.removeAttribute("data-dash-is-loading");
  }

  /* Once nothing moves: the map for wheel and pointer, links table, row of a gene. */
  const rested = () => !running && wanted && key(wanted) === done && page.hasPlotly();

  async function rest() {
    if (!rested()) return;
    await page.settleMap();
    if (!rested()) return;
    if (leftShown !== of(wanted)) leftOfCell(wanted).then(showLeft);
    dash.set_props("cell-seen", { data: { cell: wanted.cell, cut: wanted.cut } });
    meetNeighbours(wanted.cell);
  }

  /* Pictures before there is plotly.js: it is loaded when wanted, or soon. */
  function follow() {
    if (replotted) return;
    replotted = page.plotlyLoaded.then(rest);
    page.plotlySoon(() => running);
  }

  page.replot = async function () {
    await page.plotly();
    await replotted;
    await page.settleMap();
  };

  /* ---- the cells before and after: their maps are asked for before Dash has found out which they are ---- */

  let neighbours = { of: null };
  const only = () => window.dash_component_api.getLayout("cell-type-filter").props.value || "";

  function meetNeighbours(cell) {
    const kept = only();
    if (neighbours.of === cell && neighbours.only === kept) return;
    page.ask("screen/neighbours?" + new URLSearchParams({ cell: cell, only: kept })).then(function (answer) {
      if (!answer.notice) neighbours = Object.assign(answer, { of: cell, only: kept });
    }, () => null);
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("#next-cell, #previous-cell");
    if (!button || !wanted || neighbours.of !== wanted.cell || neighbours.only !== only()) return;
    const cell = neighbours[button.id === "next-cell" ? "next" : "previous"];
    if (!cell || cell === wanted.cell) return;
    wanted = Object.assign({}, wanted, { cell: cell, window: null });
    page.zoomed("window", null);
    ask();
  }, true);

  /* ---- what the cut leaves ---- */

  let lefts = 0, leftShown = null;
  const of = (now) => JSON.stringify([now.cell, now.cut]);

  async function leftOfCell(now) {
    const at = lefts += 1;
    leftShown = of(now);
    const answer = await page.ask("screen/cell?" + cutQuery(now.cut) + "&cell=" + encodeURIComponent(now.cell)).catch(() => ({}));
    return { at: at, answer: answer };
  }

  async function showLeft({ at, answer }) {
    await frames();
    if (at !== lefts) return;
    if (!answer.left) leftShown = null;
    else putLeft(answer);
  }

  function putLeft(answer) {
    element("cell-title").innerHTML = answer.title;
    element("cell-numbers").innerHTML = answer.numbers;
    element("left-of-cell").innerHTML = answer.left;
    element("links-csv").href = answer.href;
  }

  let leftType = 0;

  page.leftOfType = function (view, cut, types, type) {
    const of = view === "celltype" ? (types || [])[0] : view === "tf" ? type : null;
    if (!of) return dash.no_update;
    const at = leftType += 1;
    page.ask("screen/celltype?" + cutQuery(cut) + "&cell_type=" + encodeURIComponent(of)).then(function (answer) {
      if (at === leftType) element("left-of-type").innerHTML = answer.left || "";
    }, () => null);
    return of;
  };
})();
