"""The script of a page: the player with its slider and keys, and tables that are sorted by a click.

It makes no HTML from text: words go into the page by `textContent` and onto canvases only.
"""

SCRIPT = r"""
"use strict";
const COLORS = ["#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2", "#bbbbbb"];
const INK = "#e6e9ee", DIM = "#8e98a6", LINE = "#39414d", MISSING = -32768, FULL = 32000;
const SPEEDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200];
const byId = (id) => document.getElementById(id);
const color = (i) => COLORS[i % COLORS.length];

async function unpacked(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Kind(await new Response(stream).arrayBuffer());
}

function context(canvas) {
  const scale = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  const [width, height] = [box.width, box.height].map((side) => Math.max(1, Math.round(side * scale)));
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const draw = canvas.getContext("2d");
  draw.setTransform(scale, 0, 0, scale, 0, 0);
  draw.clearRect(0, 0, box.width, box.height);
  draw.font = "12px system-ui, sans-serif";
  return [draw, box.width, box.height];
}

function phaseAt(data, time) {
  const phases = data.phases;
  let low = 0, high = phases.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (phases[middle][1] < time - 1e-9) low = middle + 1; else high = middle;
  }
  return low < phases.length && phases[low][0] <= time ? phases[low][2] : "";
}

function drawMarks(draw, map, phase, lit, place, unit, circle) {
  map.marks.forEach((mark, i) => {
    if (mark.phase !== -1 && mark.phase !== phase) return;
    const [x, y] = place(mark.x_mm, mark.y_mm), r = mark.radius_mm * unit;
    draw.save();
    if (map.is_round) { circle(); draw.clip(); }
    draw.beginPath();
    if (mark.kind === "odor") {
      // A Gaussian of this standard deviation: drawn to twice of it.
      const wide = Math.min(2 * r, 4000), fill = draw.createRadialGradient(x, y, 0, x, y, wide);
      fill.addColorStop(0, "rgba(230,159,0,.50)"); fill.addColorStop(.5, "rgba(230,159,0,.28)");
      fill.addColorStop(1, r > 4000 ? "rgba(230,159,0,.28)" : "rgba(230,159,0,0)");
      draw.fillStyle = fill; draw.arc(x, y, wide, 0, 7); draw.fill();
    } else if (mark.kind === "reward" || mark.kind === "punishment") {
      draw.fillStyle = mark.kind === "reward" ? "rgba(0,158,115,.22)" : "rgba(213,94,0,.25)";
      draw.arc(x, y, r, 0, 7); draw.fill();
    } else {
      draw.lineWidth = lit === i ? 3 : 1.2; draw.strokeStyle = lit === i ? "#f0e442" : DIM;
      draw.arc(x, y, r, 0, 7); draw.stroke();
    }
    draw.restore();
    if (mark.label && mark.kind !== "reward" && mark.kind !== "punishment") {
      const wide = draw.measureText(mark.label).width / 2 + 6;
      draw.fillStyle = INK; draw.textAlign = "center";
      draw.fillText(mark.label, Math.min(draw.canvas.clientWidth - wide, Math.max(wide, x)), y + 4);
    }
  });
}

function mapDrawer(canvas, data, map, points, phases, lit) {
  const n = map.n_points, animals = map.animals.length;
  const own = map.animals.indexOf(data.animal);
  return (time) => {
    const [draw, width, height] = context(canvas);
    const half = Math.min(width, height) / 2 - 4, unit = half / map.half_width_mm;
    const place = (x, y) => [width / 2 + x * unit, height / 2 - y * unit];
    const scaled = (x, y) => place(x / FULL * map.half_width_mm, y / FULL * map.half_width_mm);
    const circle = () => { draw.beginPath(); draw.arc(width / 2, height / 2, half, 0, 7); };
    const now = Math.min(n - 1, Math.max(0, Math.ceil(time / map.point_s - 1e-6) - 1));
    drawMarks(draw, map, phases ? phases[now] : -1, lit ? lit[now] : -1, place, unit, circle);
    draw.strokeStyle = DIM; draw.lineWidth = 1;
    if (map.is_round) { circle(); draw.stroke(); }
    else draw.strokeRect(width / 2 - half, height / 2 - half, 2 * half, 2 * half);
    const first = Math.max(0, now - Math.round(map.trail_s / map.point_s));
    for (let k = 0; k < animals; k++) {
      const a = (k + own + 1) % animals;  // the chosen animal last, on top
      const x0 = a * 2 * n, y0 = x0 + n, chosen = a === own;
      draw.strokeStyle = draw.fillStyle = chosen ? "#f0e442" : "rgba(150,165,185,.75)";
      draw.lineWidth = chosen ? 1.8 : 1;
      draw.beginPath();
      let on = false;
      for (let i = first; i <= now; i++) {
        if (points[x0 + i] === MISSING) { on = false; continue; }
        const [x, y] = scaled(points[x0 + i], points[y0 + i]);
        if (on) draw.lineTo(x, y); else draw.moveTo(x, y);
        on = true;
      }
      draw.stroke();
      let last = now;
      while (last > 0 && points[x0 + last] === MISSING) last--;
      if (points[x0 + last] !== MISSING) {
        const [x, y] = scaled(points[x0 + last], points[y0 + last]);
        draw.beginPath(); draw.arc(x, y, chosen ? 4 : 2.6, 0, 7); draw.fill();
      }
    }
    draw.fillStyle = DIM; draw.textAlign = "left";
    const bar = Math.pow(10, Math.floor(Math.log10(map.half_width_mm)));
    draw.fillRect(10, height - 12, bar * unit, 2); draw.fillText(bar + " mm", 10, height - 17);
  };
}

function rasterDrawer(canvas, data, raster, bits) {
  const rows = raster.bands.reduce((sum, band) => sum + band.rows, 0), left = 74;
  // A single neuron gets the height of a few others, so that there is room for its name.
  const heights = raster.bands.map((band) => Math.max(band.rows, rows * .04));
  const whole = heights.reduce((sum, height) => sum + height, 0);
  return (time) => {
    const [draw, width, height] = context(canvas);
    const length = data.window_s, begin = Math.max(0, time - length), end = begin + length;
    const inner = width - left - 8, top = 6, tall = height - top - 22;
    const x = (t) => left + (t - begin) / length * inner;
    const first = Math.max(0, Math.floor(begin / raster.bin_s));
    const last = Math.min(raster.n_bins - 1, Math.floor(time / raster.bin_s - 1e-6));
    const dot = Math.max(1, raster.bin_s / length * inner);
    let row = 0, y0 = top;
    raster.bands.forEach((band, i) => {
      const high = heights[i] / whole * tall, line = high / band.rows, thick = Math.max(1, line * .85);
      draw.fillStyle = color(i); draw.textAlign = "right";
      if (high > 8) draw.fillText(band.name, left - 6, y0 + high / 2 + 4);
      for (let r = row; r < row + band.rows; r++) {
        const y = y0 + (r - row) * line;
        for (let b = first; b <= last; b++) {
          const fired = bits[r * raster.row_bytes + (b >> 3)] & (128 >> (b & 7));
          if (fired) draw.fillRect(x(b * raster.bin_s), y, dot, thick);
        }
      }
      row += band.rows; y0 += high;
      draw.fillStyle = LINE; draw.fillRect(left, y0, inner, .5);
    });
    draw.fillStyle = DIM; draw.textAlign = "center";
    const step = [.1, .2, .5, 1, 2, 5, 10].find((s) => length / s <= 8) || 20;
    for (let t = Math.ceil(begin / step - 1e-6) * step; t <= end + 1e-6; t += step) {
      draw.fillRect(x(t), top + tall, 1, 4);
      draw.fillText(t.toFixed(step < 1 ? 1 : 0), Math.min(x(t), width - 16), height - 6);
    }
    draw.fillStyle = "#f0e442"; draw.fillRect(x(Math.min(time, end)), top, 1, tall);
  };
}

function panelDrawer(canvas, data, panel, values, seek) {
  const left = 74, n = panel.n_points;
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    seek((event.clientX - box.left - left) / (box.width - left - 8) * data.duration_s);
  });
  const still = document.createElement("canvas");
  const paint = (draw, width, height) => {
    const inner = width - left - 8, top = 8, tall = height - 30;
    const x = (share) => left + share * inner;
    const y = (v) => top + (1 - (v / FULL + 1) / 2) * tall;
    if (data.phases.length <= 200) data.phases.forEach(([begin, end, name], i) => {
      if (/reward/.test(name)) draw.fillStyle = "rgba(0,158,115,.22)";
      else if (/punish/.test(name)) draw.fillStyle = "rgba(213,94,0,.22)";
      else draw.fillStyle = i % 2 ? "rgba(255,255,255,.03)" : "rgba(255,255,255,.08)";
      draw.fillRect(x(begin / data.duration_s), top, (end - begin) / data.duration_s * inner, tall);
    });
    draw.fillStyle = DIM; draw.textAlign = "right";
    [panel.low, (panel.low + panel.high) / 2, panel.high].forEach((value, i) => {
      const at = top + tall * (1 - i / 2);
      draw.fillText(Number(value.toPrecision(3)), left - 6, at + 4);
      draw.fillStyle = LINE; draw.fillRect(left, at, inner, .5); draw.fillStyle = DIM;
    });
    panel.names.forEach((name, i) => {
      draw.strokeStyle = panel.names.length === 1 ? INK : color(i); draw.lineWidth = 1.2; draw.beginPath();
      let on = false;
      for (let k = 0; k < n; k++) {
        const v = values[i * n + k];
        if (v === MISSING) { on = false; continue; }
        const px = x(n > 1 ? (k + .5) / n : .5), py = y(v);
        if (on) draw.lineTo(px, py); else draw.moveTo(px, py);
        on = true;
      }
      draw.stroke();
    });
    draw.textAlign = "center"; draw.fillStyle = DIM;
    for (let i = 0; i <= 4; i++) {
      const words = clock(data.duration_s * i / 4, data.duration_s);
      draw.fillText(words, x(i / 4) - (i === 4 ? 12 : 0), height - 6);
    }
  };
  return (time) => {
    const [draw, width, height] = context(canvas);
    if (still.width !== canvas.width || still.height !== canvas.height) {
      // The lines stay the same: they are drawn once for each size, and the moment on top of them.
      still.width = canvas.width; still.height = canvas.height;
      const lines = still.getContext("2d"), scale = canvas.width / width;
      lines.setTransform(scale, 0, 0, scale, 0, 0); lines.font = draw.font;
      paint(lines, width, height);
    }
    draw.drawImage(still, 0, 0, width, height);
    draw.fillStyle = "#f0e442";
    draw.fillRect(left + time / data.duration_s * (width - left - 8), 8, 1, height - 30);
  };
}

function clock(seconds, whole) {
  if (whole < 120) return seconds.toFixed(whole < 20 ? 2 : 1) + " s";
  const all = Math.floor(seconds + 1e-9), m = Math.floor(all / 60), s = String(all % 60).padStart(2, "0");
  return m < 60 ? m + ":" + s : Math.floor(m / 60) + ":" + String(m % 60).padStart(2, "0") + ":" + s;
}

function legend(place, names) {
  if (names.length < 2) return;
  names.forEach((name, i) => {
    const item = document.createElement("span"), box = document.createElement("i");
    box.style.background = color(i);
    item.append(box, document.createTextNode(name));
    place.append(item);
  });
}

function addPanel(place, panel) {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  const canvas = document.createElement("canvas"), names = document.createElement("div");
  caption.textContent = panel.title; names.className = "legend note";
  canvas.setAttribute("role", "img"); canvas.setAttribute("aria-label", panel.title + " over time");
  legend(names, panel.names); figure.append(caption, canvas, names); place.append(figure);
  return canvas;
}

async function player(data) {
  const root = byId("player"), slider = byId("time"), output = byId("now"), button = byId("play");
  const state = { time: 0, playing: false, speed: 1, drawers: [], asked: false };
  state.speed = SPEEDS.find((speed) => data.duration_s / speed <= 90) || SPEEDS[SPEEDS.length - 1];
  const n = Math.round(data.duration_s / data.interval_s);
  slider.max = n; slider.step = 1;
  const show = () => {
    state.asked = false;
    state.drawers.forEach((draw) => draw(state.time));
    const phase = phaseAt(data, state.time);
    slider.value = Math.round(state.time / data.interval_s);
    const words = [state.time, data.duration_s].map((time) => clock(time, data.duration_s)).join(" of ");
    output.textContent = words + (phase ? ", " + phase : "") + ", ×" + state.speed;
    slider.setAttribute("aria-valuetext", output.textContent);
    button.textContent = state.playing ? "Pause" : "Play";
  };
  const ask = () => { if (!state.asked) { state.asked = true; requestAnimationFrame(show); } };
  const seek = (time) => { state.time = Math.min(data.duration_s, Math.max(0, time)); ask(); };
  if (data.map) {
    const map = data.map, points = await unpacked(map.points, Int16Array);
    for (let a = 0; a < 2 * map.animals.length; a++)
      for (let i = a * map.n_points + 1; i < (a + 1) * map.n_points; i++) points[i] += points[i - 1];
    const phases = map.phase ? await unpacked(map.phase, Int16Array) : null;
    const lit = map.highlighted ? await unpacked(map.highlighted, Int16Array) : null;
    state.drawers.push(mapDrawer(byId("map"), data, map, points, phases, lit));
  }
  if (data.raster) {
    const bits = await unpacked(data.raster.bits, Uint8Array);
    state.drawers.push(rasterDrawer(byId("raster"), data, data.raster, bits));
  }
  for (const panel of data.panels) {
    const values = await unpacked(panel.values, Int16Array);
    state.drawers.push(panelDrawer(addPanel(byId("lines"), panel), data, panel, values, seek));
  }
  let before = 0;
  const tick = (at) => {
    if (!state.playing) return;
    state.time = Math.min(data.duration_s, state.time + Math.min(.25, (at - before) / 1000) * state.speed);
    before = at;
    if (state.time >= data.duration_s) state.playing = false;
    show();
    requestAnimationFrame(tick);
  };
  const toggle = () => {
    state.playing = !state.playing;
    if (state.playing && state.time >= data.duration_s) state.time = 0;
    before = performance.now();
    if (state.playing) requestAnimationFrame(tick); else ask();
  };
  const faster = (by) => {
    const i = SPEEDS.indexOf(state.speed) + by;
    state.speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, i))]; ask();
  };
  const keys = {
    " ": toggle, Home: () => seek(0), End: () => seek(data.duration_s),
    ArrowRight: () => seek(state.time + (state.playing ? 5 : data.interval_s)),
    ArrowLeft: () => seek(state.time - (state.playing ? 5 : data.interval_s)),
    PageDown: () => seek(state.time + data.duration_s / 10),
    PageUp: () => seek(state.time - data.duration_s / 10),
    "+": () => faster(1), "=": () => faster(1), "-": () => faster(-1),
  };
  // Without the focus, while the player is in sight: the keys that do not scroll the page by much.
  document.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = root.getBoundingClientRect(), inside = root.contains(event.target);
    const inSight = box.top < window.innerHeight && box.bottom > 0;
    const other = !inside && event.target.closest("button, summary, a, input, select, textarea");
    const small = [" ", "ArrowLeft", "ArrowRight", "+", "=", "-"].includes(event.key);
    if (other || (!inside && !(inSight && small))) return;
    if (event.key === " " && event.target.tagName === "BUTTON") return;
    event.preventDefault(); keys[event.key]();
  });
  slider.addEventListener("input", () => seek(slider.value * data.interval_s));
  button.addEventListener("click", toggle);
  byId("slower").addEventListener("click", () => faster(-1));
  byId("faster").addEventListener("click", () => faster(1));
  window.addEventListener("resize", ask);
  const wanted = /^#t=([0-9.]+)$/.exec(location.hash);
  seek(wanted ? Number(wanted[1]) : 0);
  root.dataset.ready = "yes";
}

function sortable(table) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    const rows = [...body.rows].map((row) => [value(row), row]);
    const known = (v) => v !== "" && v !== "–";
    rows.sort(([a], [b]) => {
      if (known(a) !== known(b)) return known(a) ? -1 : 1;
      const numbers = typeof a === "number" && typeof b === "number";
      const order = numbers ? a - b : String(a).localeCompare(String(b));
      return down ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
  }));
}

document.querySelectorAll("table.sortable").forEach(sortable);
const data = JSON.parse(byId("page-data").textContent);
if (data && byId("player")) {
  player(data).catch((error) => {
    byId("now").textContent = "This browser cannot show the player: " + error.message;
  });
}
"""
