/* A cell's map as a picture, from the very figure that plotly.js draws later, in the same places to a pixel or two. */
(function () {
  "use strict";
  const dash = (window.dash_clientside = window.dash_clientside || {});
  const page = (dash.bi2scope = dash.bi2scope || {});

  const reads = new WeakMap();  /* by what the tooltip was given of a map: its bins and names */
  page.readOf = function (data) {
    if (!reads.has(data)) reads.set(data, JSON.parse(data.json));
    return reads.get(data);
  };

  const LEAST = -30;  /* where the logarithm of 0 lies: figures/colours.py says the same */

  /* What the bins of a map are coloured by. */
  page.valuesOf = function (data, { colouring, scale }) {
    const values = page.readOf(data).bins[colouring];
    return scale === "log" ? values.map((value) => Math.max(Math.log10(value), LEAST)) : values;
  };

  /* ---- colours ---- */

  const parts = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  /* 256 colours along a scale, as numbers that a picture takes. */
  function ramp(trace) {
    const stops = trace.reversescale ? trace.colorscale.map(([at, hex]) => [1 - at, hex]).reverse() : trace.colorscale;
    return Uint32Array.from({ length: 256 }, function (_, i) {
      const share = i / 255, above = Math.max(1, stops.findIndex(([at]) => at >= share));
      const [low, from] = stops[above - 1], [high, to] = stops[above], between = (share - low) / (high - low);
      const [r, g, b] = parts(from).map((value, at) => Math.round(value + between * (parts(to)[at] - value)));
      return (255 << 24) | (b << 16) | (g << 8) | r;
    });
  }

  const css = (colour) => "rgb(" + [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255].join(",") + ")";

  /* One point a bin; bins without a link stay clear. */
  function raster(data, trace, values, colours) {
    const bins = page.readOf(data).bins, rows = Math.ceil((data.gene_stop - data.gene_start) / data.dy);
    const picture = new ImageData(data.columns, rows), points = new Uint32Array(picture.data.buffer);
    const scale = 255 / (trace.zmax - trace.zmin);
    bins.row.forEach(function (row, i) {
      const at = Math.round((values[i] - trace.zmin) * scale);
      points[row * data.columns + bins.column[i]] = colours[Math.max(0, Math.min(255, at))];
    });
    const canvas = Object.assign(document.createElement("canvas"), { width: data.columns, height: rows });
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return canvas;
  }

  /* ---- where things stand ---- */

  const lines = (text) => text.split("<br>");
  const font = (size, layout) => size + "px " + layout.font.family;

  function widest(pen, texts, size, layout) {
    pen.font = font(size, layout);
    return Math.max(...texts.flatMap(lines).map((line) => pen.measureText(line).width));
  }

  /* Ticks of the colour bar: those it names, or at steps of 1, 2 or 5, no more than it may have. */
  function barTicks(trace) {
    const { tickvals, ticktext } = trace.colorbar;
    if (tickvals) return tickvals.map((at, i) => ({ at, text: ticktext[i] }));
    const rough = (trace.zmax - trace.zmin) / trace.colorbar.nticks, base = 10 ** Math.floor(Math.log10(rough));
    const step = base * [2, 5, 10].find((times) => rough <= times * base * (1 + 1e-9));
    const digits = Number(/\d+/.exec(trace.colorbar.tickformat)[0]), first = Math.ceil(trace.zmin / step - 1e-6);
    const count = Math.floor(trace.zmax / step + 1e-6) - first + 1;
    return Array.from({ length: count }, (_, i) => ({ at: (first + i) * step, text: ((first + i) * step).toFixed(digits) }));
  }

  /* The plotting area and the colour bar; the bar takes from the area what its title and its numbers need. */
  page.places = function (pen, box, { data: [trace], layout }) {
    const { l, t, b } = layout.margin, bar = trace.colorbar, ticks = barTicks(trace);
    const title = widest(pen, [bar.title.text], bar.title.font.size, layout);
    const numbers = bar.thickness + 4.7 + widest(pen, ticks.map((tick) => tick.text), bar.tickfont.size, layout);
    const width = Math.round((box.width - l - Math.max(title, numbers) - 32.2) / 1.02), height = box.height - t - b;
    const above = t + (1 - bar.y) * height + 10.8, size = bar.title.font.size;
    const head = size + 2 + 1.3 * size * (lines(bar.title.text).length - 1);
    return {
      area: { x: l, y: t, width, height }, ticks,
      bar: { x: Math.round(l + 1.02 * width + 10), title: above, y: Math.round(above + head + 4), bottom: t + (1 - bar.y + bar.len) * height - 9.8 },
    };
  };

  /* ---- drawing ---- */

  function write(pen, text, x, y, { size, layout, colour, align = "center", turned = false }) {
    pen.save();
    pen.font = font(size, layout);
    pen.fillStyle = colour;
    pen.textAlign = align;
    pen.translate(x, y);
    if (turned) pen.rotate(-Math.PI / 2);
    lines(text).forEach((line, i) => pen.fillText(line, 0, 1.3 * size * i));
    pen.restore();
  }

  function frame(pen, { x, y, width, height }, { layout }) {
    const [left, right] = layout.xaxis.range, [bottom, top] = layout.yaxis.range;
    const across = width / (right - left), down = height / (bottom - top);
    const matrix = new DOMMatrix([across, 0, 0, down, x - left * across, y - top * down]);
    for (const shape of layout.shapes) {
      const path = new Path2D();
      path.addPath(new Path2D(shape.path), matrix);
      if (shape.fillcolor) { pen.fillStyle = shape.fillcolor; pen.fill(path); }
      if (shape.line.width) { pen.lineWidth = shape.line.width; pen.strokeStyle = shape.line.color; pen.stroke(path); }
    }
    return { x: (at) => x + (at - left) * across, y: (at) => y + (at - top) * down };
  }

  function axes(pen, { x, y, width, height }, to, { layout }) {
    const { xaxis, yaxis } = layout, size = xaxis.tickfont.size, colour = xaxis.tickfont.color;
    pen.fillStyle = xaxis.linecolor;
    pen.fillRect(x - 1, y + height, width + 1, 1);
    pen.fillRect(x - 1, y, 1, height);
    xaxis.tickvals.forEach((at, i) => write(pen, xaxis.ticktext[i], to.x(at), y + height + 14, { size, layout, colour }));
    yaxis.tickvals.forEach((at, i) => write(pen, yaxis.ticktext[i], x - 3.2, to.y(at) + 4, { size, layout, colour, align: "right" }));
    const names = widest(pen, yaxis.ticktext, size, layout), title = { size: 13, layout, colour: layout.font.color };
    write(pen, xaxis.title.text, x + width / 2, y + height + layout.margin.b - 13.2, title);
    write(pen, yaxis.title.text, x - 9.9 - names, y + height / 2, { ...title, turned: true });
  }

  function bar(pen, { x, title, y, bottom }, ticks, colours, { data: [trace], layout }) {
    const { thickness, tickfont, title: named } = trace.colorbar, height = bottom - y;
    const fill = pen.createLinearGradient(0, bottom, 0, y);
    for (let i = 0; i < 256; i += 5) fill.addColorStop(i / 255, css(colours[i]));
    pen.fillStyle = fill;
    pen.fillRect(x, y, thickness, height);
    write(pen, named.text, x, title + named.font.size - 1, { size: named.font.size, layout, colour: layout.font.color, align: "left" });
    for (const { at, text } of ticks) {
      const height_ = bottom - ((at - trace.zmin) / (trace.zmax - trace.zmin)) * height;
      pen.fillStyle = "#444";
      pen.fillRect(x + thickness, Math.round(height_), 3, 1);
      write(pen, text, x + thickness + 4.7, height_ + 4, { size: tickfont.size, layout, colour: tickfont.color, align: "left" });
    }
  }

  /* ---- onto the page ---- */

  /* A clear canvas of this size in the box, instead of the one before, and what draws on it in the page's pixels. */
  function canvasIn(box, size, name, label) {
    const sharp = window.devicePixelRatio || 1, canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    Object.assign(canvas, { width: Math.round(size.width * sharp), height: Math.round(size.height * sharp), className: name });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    pen.scale(sharp, sharp);
    page.unsketch(box);
    box.appendChild(canvas);
    return { canvas, pen };
  }

  function dots(pen, data, trace, to, values, colours) {
    const picture = raster(data, trace, values, colours), { x0, dx, y0, dy } = trace;
    const left = to.x(x0 - dx / 2), top = to.y(y0 - dy / 2);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(picture, left, top, to.x(x0 + (picture.width - 0.5) * dx) - left, to.y(y0 + (picture.height - 0.5) * dy) - top);
  }

  /* The whole of one map, with its axes and colour bar; false where it is not one map. */
  page.sketch = function (box, { figure, bins, caption }, now) {
    if (figure.data.length !== 1 || figure.data[0].z || !box.clientWidth) return false;
    const size = box.getBoundingClientRect(), { pen } = canvasIn(box, size, "sketch", caption), [data] = bins.maps, [trace] = figure.data;
    const at = page.places(pen, size, figure), { x, y, width, height } = at.area, colours = ramp(trace);
    const to = frame(pen, at.area, figure);
    pen.save();
    pen.beginPath();
    pen.rect(x, y, width, height);
    pen.clip();
    dots(pen, data, trace, to, page.valuesOf(data, now), colours);
    pen.restore();
    axes(pen, at.area, to, figure);
    bar(pen, at.bar, at.ticks, colours, figure);
    return true;
  };

  /* Only the dots, over those of a plot, which are then hidden (bi2scope.css); false where there is no such plot. */
  page.cover = function (box, plot, { bins, caption }, now) {
    if (!plot || !plot._fullLayout || !box.clientWidth) return false;
    const { xaxis, yaxis } = plot._fullLayout, size = { width: xaxis._length, height: yaxis._length }, [data] = bins.maps, [trace] = plot.data;
    const { canvas, pen } = canvasIn(box, size, "sketch over", caption);
    Object.assign(canvas.style, { left: xaxis._offset + "px", top: yaxis._offset + "px", width: size.width + "px", height: size.height + "px" });
    dots(pen, data, trace, { x: (at) => xaxis.l2p(at), y: (at) => yaxis.l2p(at) }, page.valuesOf(data, now), ramp(trace));
    return true;
  };

  page.unsketch = function (box) {
    const old = box.querySelector(":scope > .sketch");
    if (old) old.remove();
  };
})();
