// The whole run on one canvas: zoom, pan, select, search. All slices and their levels of detail come
// from the server (dashboard/tracks.py); nothing is fetched. Times are seconds.
const HELD = new WeakMap();
const RULER = 22, LANE = 22, COUNTER = 34, TITLE = 20, GAP = 8, GUTTER = 92;
const FRAMES = 31; // the last frames whose script time is kept, for `python -m benchmarks.dashboard`
const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F7F7F", "#B8A800"];

const PALE = new Set(["#E69F00", "#56B4E9", "#F0E442", "#B8A800", "#9AA0A6", "#CC79A7"]);

function column(text, Kind) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

function opened(run) {
  for (const lane of run.lanes) {
    for (const level of lane.levels) {
      level.start = column(level.start, Float64Array);
      level.seconds = column(level.seconds, Float32Array);
      level.name = column(level.name, Uint16Array);
      level.bound = column(level.bound, Uint8Array);
      level.moved = column(level.moved, Float32Array);
    }
    if (lane.step) { lane.step = column(lane.step, Int32Array); lane.layer = column(lane.layer, Int16Array); }
  }
  for (const counter of run.counters) {
    counter.at = column(counter.at, Float64Array);
    counter.value = column(counter.value, Float32Array);
  }
  return run;
}

// First slice that ends after t: slices of a lane are in order and do not overlap.
function firstAfter(level, t) {
  let low = 0, high = level.start.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (level.start[middle] + level.seconds[middle] <= t) low = middle + 1; else high = middle;
  }
  return low;
}

const time = (s) => {
  const size = Math.abs(s);
  if (size >= 1) return `${s.toFixed(size < 10 ? 3 : 2)} s`;
  if (size >= 1e-3) return `${(s * 1e3).toFixed(size < 1e-2 ? 3 : 2)} ms`;
  return `${(s * 1e6).toFixed(1)} µs`;
};
const bytes = (b) => b >= 1e9 ? `${(b / 1e9).toFixed(2)} GB` : b >= 1e6 ? `${(b / 1e6).toFixed(2)} MB` : `${(b / 1e3).toFixed(1)} kB`;

class Timeline {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.tip = root.querySelector(".tip");
    this.panel = root.querySelector(".panel");
    this.hits = root.querySelector(".hits");
    this.query = "";
    this.chosen = null;
    this.frame = 0;
    this.frames = [];
    this.listen();
    this.watching = new ResizeObserver(() => this.ask());
    this.watching.observe(this.canvas.parentElement);
  }

  take(data) {
    if (data.id === this.id) return this.ask();
    const first = this.id === undefined || this.span !== data.span;
    this.id = data.id; this.span = data.span; this.data = data;
    this.runs = data.runs.map(opened);
    this.align = this.root.querySelector(".align").value;
    const begin = Math.min(...this.runs.map((run) => run.begin)), end = Math.max(...this.runs.map((run) => run.end));
    this.whole = [begin, end];
    if (first) {
      this.view = [...this.whole];
      if (data.view && data.view[1] > data.view[0]) this.view = [...data.view];
    }
    const whole = (lane) => lane.levels[lane.levels.length - 1].start.length;
    this.canvas.dataset.slices = this.runs.flatMap((run) => run.lanes).reduce((sum, lane) => sum + whole(lane), 0);
    this.find(this.query);
    this.names();
    this.ask();
  }

  // What the colours of the lanes mean; those of single operators are told by hovering.
  names() {
    const swatch = (name, ink) => {
      const one = document.createElement("span"), box = document.createElement("i");
      box.style.background = ink; one.append(box, name); return one;
    };
    const steps = this.data.phases.map((name, i) => swatch(name, this.runs[0].phaseColours[i]));
    const bounds = this.data.bounds.map((name, i) => swatch(`bound by ${name}`, this.data.colours[i]));
    const painted = this.root.querySelector(".paint").value === "bound" ? bounds : [];
    this.root.querySelector(".key").replaceChildren(...steps, ...painted);
  }

  offset(run) { return this.align === "start" ? 0 : (run.anchors[this.align] ?? 0); }
  get width() { return this.canvas.clientWidth - this.gutter; }
  get gutter() { return this.canvas.clientWidth < 520 ? 62 : GUTTER; }
  x(t) { return this.gutter + (t - this.view[0]) / (this.view[1] - this.view[0]) * this.width; }
  t(x) { return this.view[0] + (x - this.gutter) / this.width * (this.view[1] - this.view[0]); }

  ask() { if (!this.frame) this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); }); }

  rows() {
    const rows = [];
    let y = RULER;
    for (const run of this.runs) {
      rows.push({ kind: "title", run, y, h: TITLE }); y += TITLE;
      for (const lane of run.lanes) { rows.push({ kind: "lane", run, lane, y, h: LANE }); y += LANE + 2; }
      for (const counter of run.counters) { rows.push({ kind: "counter", run, counter, y, h: COUNTER }); y += COUNTER + 3; }
      y += GAP;
    }
    this.height = y;
    return rows;
  }

  draw() {
    const began = performance.now();
    if (!this.runs || !this.canvas.clientWidth) return;
    const style = getComputedStyle(this.canvas), ratio = window.devicePixelRatio || 1;
    this.ink = style.color; this.paper = style.getPropertyValue("--paper").trim() || "#fff";
    this.marks = 0;
    const rows = this.rows();
    const wide = Math.round(this.canvas.clientWidth * ratio), high = Math.round(this.height * ratio);
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      this.canvas.width = wide; this.canvas.height = high; this.canvas.style.height = `${this.height}px`;
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.canvas.clientWidth, this.height);
    pen.font = "12px sans-serif"; pen.textBaseline = "middle";
    this.ruler(pen);
    for (const row of rows) this[row.kind](pen, row);
    if (this.range) this.shade(pen);
    if (this.cursor !== undefined) {
      pen.fillStyle = this.ink; pen.globalAlpha = 0.35;
      pen.fillRect(this.x(this.cursor), 0, 1, this.height); pen.globalAlpha = 1;
    }
    this.frames = [...this.frames.slice(-(FRAMES - 1)), performance.now() - began];
    this.canvas.dataset.framesMs = this.frames.map((ms) => ms.toFixed(2)).join(",");
    this.canvas.dataset.marks = this.marks;
    this.canvas.dataset.view = this.view.map((s) => s.toPrecision(9)).join(",");
  }

  ruler(pen) {
    const span = this.view[1] - this.view[0], rough = span / Math.max(2, this.width / 110);
    const power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].find((n) => n * power >= rough) * power;
    pen.fillStyle = this.ink; pen.textAlign = "left";
    for (let i = Math.ceil(this.view[0] / step); i * step <= this.view[1]; i++) {
      const at = i * step, x = this.x(at);
      pen.globalAlpha = 0.15; pen.fillRect(x, RULER - 6, 1, this.height); pen.globalAlpha = 0.8;
      const text = step >= 1 ? `${at.toFixed(0)} s` : step >= 1e-3 ? `${(at * 1e3).toFixed(step < 1e-2 ? 0 : 0)} ms` : `${(at * 1e6).toFixed(step < 1e-6 ? 1 : 0)} µs`;
      if (x + 60 < this.canvas.clientWidth) pen.fillText(text, x + 3, 9);
      pen.globalAlpha = 1;
    }
  }

  title(pen, { run, y }) {
    pen.fillStyle = this.ink; pen.font = "bold 13px sans-serif"; pen.textAlign = "left";
    pen.fillText(run.name, 4, y + TITLE / 2); pen.font = "12px sans-serif";
  }

  label(pen, text, y, h) {
    pen.clearRect(0, y, this.gutter - 2, h);
    pen.fillStyle = this.ink; pen.textAlign = "left";
    pen.fillText(text, 4, y + h / 2, this.gutter - 10);
  }

  level(lane) {
    const scale = this.width / (this.view[1] - this.view[0]);
    return lane.levels.find((level) => level.width * scale <= 1.2) ?? lane.levels[lane.levels.length - 1];
  }

  colour(run, lane, level, i) {
    if (lane.name === "flash") return "#56B4E9";
    if (lane.name === "steps") return run.phaseColours[level.bound[i]] ?? "#9AA0A6";
    if (this.root.querySelector(".paint").value === "bound") return this.data.colours[level.bound[i]] ?? "#9AA0A6";
    return PALETTE[run.family[level.name[i]] % PALETTE.length];
  }

  lane(pen, { run, lane, y, h }) {
    const level = this.level(lane), moved = this.offset(run);
    const from = this.view[0] + moved, to = this.view[1] + moved;
    const scale = this.width / (this.view[1] - this.view[0]), left = this.gutter;
    pen.save();
    pen.beginPath(); pen.rect(left, y, this.width, h); pen.clip();
    pen.globalAlpha = 0.06; pen.fillStyle = this.ink; pen.fillRect(left, y, this.width, h); pen.globalAlpha = 1;
    const searching = this.query !== "";
    let edge = -1;
    for (let i = firstAfter(level, from); i < level.start.length && level.start[i] < to; i++) {
      const x = left + (level.start[i] - from) * scale, wide = Math.max(0.75, level.seconds[i] * scale);
      if (x + wide < edge + 0.5) continue;
      edge = x + wide;
      pen.globalAlpha = searching && !run.found[level.name[i]] ? 0.15 : 1;
      pen.fillStyle = this.colour(run, lane, level, i);
      pen.fillRect(x, y, wide > 3 ? wide - 0.6 : wide, h); this.marks++;
      if (wide > 34) {
        const inside = Math.max(x, left), room = Math.min(x + wide, left + this.width) - inside - 6;
        const letters = Math.floor(room / 6.3);
        if (letters > 3) {
          const name = run.names[level.name[i]];
          pen.globalAlpha = 1; pen.textAlign = "left";
          pen.fillStyle = PALE.has(this.colour(run, lane, level, i)) ? "#111" : "#fff";
          const cut = name.includes(".") ? "…" + name.slice(1 - letters) : name.slice(0, letters - 1) + "…";
          pen.fillText(name.length > letters ? cut : name, inside + 3, y + h / 2);
        }
      }
    }
    if (this.chosen && this.chosen.lane === lane) {
      const { i } = this.chosen, base = lane.levels[lane.levels.length - 1];
      pen.globalAlpha = 1; pen.strokeStyle = this.ink; pen.lineWidth = 2;
      pen.strokeRect(left + (base.start[i] - from) * scale, y + 1, Math.max(2, base.seconds[i] * scale), h - 2);
    }
    pen.restore(); pen.globalAlpha = 1;
    this.label(pen, lane.name, y, h);
  }

  counter(pen, { run, counter, y, h }) {
    const moved = this.offset(run), from = this.view[0] + moved, to = this.view[1] + moved;
    const left = this.gutter, scale = this.width / (to - from), span = counter.most - counter.least || 1;
    const high = (v) => y + h - 2 - (v - counter.least) / span * (h - 6);
    pen.save();
    pen.beginPath(); pen.rect(left, y, this.width, h); pen.clip();
    pen.fillStyle = counter.colour; pen.globalAlpha = 0.75;
    if (counter.of) {
      const lane = run.lanes.find((one) => one.name === counter.of), level = this.level(lane);
      for (let i = firstAfter(level, from); i < level.start.length && level.start[i] < to; i++) {
        const wide = Math.max(level.seconds[i], level.width), top = high(level.moved[i] / wide / 1e9);
        pen.fillRect(left + (level.start[i] - from) * scale, top, Math.max(0.75, wide * scale), y + h - top); this.marks++;
      }
    } else {
      let low = 0, up = counter.at.length;
      while (low < up) { const m = (low + up) >> 1; if (counter.at[m] <= from) low = m + 1; else up = m; }
      for (let i = Math.max(0, low - 1); i < counter.at.length && counter.at[i] < to; i++) {
        const x = left + (counter.at[i] - from) * scale, next = i + 1 < counter.at.length ? counter.at[i + 1] : run.end;
        const top = high(counter.value[i]);
        pen.fillRect(x, top, Math.max(0.75, (next - counter.at[i]) * scale), y + h - top); this.marks++;
      }
    }
    pen.restore(); pen.globalAlpha = 1;
    this.label(pen, counter.name, y, h);
    const most = `${counter.highest.toPrecision(3)} ${counter.unit}`, room = pen.measureText(most).width + 8;
    pen.fillStyle = this.paper; pen.globalAlpha = 0.85; pen.fillRect(left + this.width - room, y, room, 15);
    pen.fillStyle = this.ink; pen.textAlign = "right"; pen.globalAlpha = 1;
    pen.fillText(most, left + this.width - 4, y + 8);
  }

  shade(pen) {
    const [a, b] = this.range.map((t) => this.x(t));
    pen.fillStyle = "#D55E00"; pen.globalAlpha = 0.16; pen.fillRect(Math.min(a, b), RULER, Math.abs(b - a), this.height);
    pen.globalAlpha = 1; pen.fillRect(a, RULER, 1, this.height); pen.fillRect(b, RULER, 1, this.height);
  }

  zoom(factor, about) {
    const t = about ?? (this.view[0] + this.view[1]) / 2;
    const span = (this.view[1] - this.view[0]) * factor, most = this.whole[1] - this.whole[0];
    if (span < 2e-7 || span > most) { if (span > most) this.fit(); return; }
    this.view = [t - (t - this.view[0]) * factor, t + (this.view[1] - t) * factor];
    this.ask();
  }
  pan(share) {
    const by = (this.view[1] - this.view[0]) * share, wide = this.view[1] - this.view[0];
    const from = Math.min(Math.max(this.view[0] + by, this.whole[0] - wide * 0.8), this.whole[1] - wide * 0.2);
    this.view = [from, from + wide];
    this.ask();
  }
  get isWhole() { return this.view && this.view[0] <= this.whole[0] && this.view[1] >= this.whole[1]; }
  fit() { this.view = [...this.whole]; this.ask(); }

  at(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const row = this.rows().find((one) => y >= one.y && y < one.y + one.h);
    return { x, y, row, t: this.t(x) };
  }
  slice(place) {
    if (!place.row || place.row.kind !== "lane" || place.x < this.gutter) return null;
    const { lane, run } = place.row, base = lane.levels[lane.levels.length - 1], t = place.t + this.offset(run);
    const slack = (this.view[1] - this.view[0]) / this.width;
    const i = firstAfter(base, t - slack);
    return i < base.start.length && base.start[i] <= t + slack ? { run, lane, base, i } : null;
  }
  card({ run, lane, base, i }) {
    const rows = [["", run.names[base.name[i]]], ["lasts", time(base.seconds[i])], ["from", time(base.start[i])]];
    if (lane.name !== "steps") {
      rows.push(["bound by", this.data.bounds[base.bound[i]]]);
      if (lane.step) rows.push(["step", lane.step[i]], ["layer", lane.layer[i]]);
    }
    if (base.moved[i]) rows.push(["moves", bytes(base.moved[i])], ["at", `${(base.moved[i] / base.seconds[i] / 1e9).toFixed(1)} GB/s`]);
    return rows;
  }

  listen() {
    const c = this.canvas;
    c.onwheel = (e) => {
      const upright = Math.abs(e.deltaY) >= Math.abs(e.deltaX);
      if (upright && !e.ctrlKey && !e.metaKey && e.deltaY > 0 && this.isWhole) return; // the page scrolls
      e.preventDefault();
      if (!upright) this.pan(e.deltaX / this.width);
      else this.zoom(Math.exp(e.deltaY * 0.0016), this.at(e).t);
    };
    const touching = new Map();
    c.onpointerdown = (e) => {
      c.setPointerCapture(e.pointerId); touching.set(e.pointerId, e.clientX);
      const place = this.at(e);
      this.drag = { x: e.clientX, view: [...this.view], moved: false, select: e.shiftKey || this.selecting, from: place.t };
      if (touching.size === 2) this.pinch = { apart: Math.abs([...touching.values()][0] - [...touching.values()][1]) };
    };
    c.onpointermove = (e) => {
      const place = this.at(e);
      this.cursor = place.x >= this.gutter ? place.t : undefined;
      if (touching.has(e.pointerId)) touching.set(e.pointerId, e.clientX);
      if (this.pinch && touching.size === 2) {
        const apart = Math.max(20, Math.abs([...touching.values()][0] - [...touching.values()][1]));
        this.zoom(this.pinch.apart / apart, place.t); this.pinch.apart = apart; return;
      }
      if (this.drag) {
        if (Math.abs(e.clientX - this.drag.x) > 3) this.drag.moved = true;
        if (this.drag.select) { this.range = [this.drag.from, place.t].sort((a, b) => a - b); this.sums(); }
        else if (this.drag.moved) {
          const by = (this.drag.x - e.clientX) / this.width * (this.drag.view[1] - this.drag.view[0]);
          this.view = [this.drag.view[0] + by, this.drag.view[1] + by];
        }
        this.tip.hidden = true; return this.ask();
      }
      this.hover(e, place); this.ask();
    };
    c.onpointerup = (e) => {
      touching.delete(e.pointerId); this.pinch = null;
      const drag = this.drag; this.drag = null;
      if (drag && !drag.moved && !drag.select) {
        this.chosen = this.slice(this.at(e));
        if (this.chosen) this.tell(this.card(this.chosen)); else if (!this.range) this.panel.replaceChildren();
      }
      this.ask();
    };
    c.onpointercancel = (e) => { // the browser took the swipe, to scroll the page
      touching.delete(e.pointerId); this.pinch = null;
      if (this.drag && !this.drag.select) this.view = this.drag.view;
      this.drag = null; this.tip.hidden = true; this.cursor = undefined; this.ask();
    };
    c.onpointerleave = () => { this.tip.hidden = true; this.cursor = undefined; this.ask(); };
    c.ondblclick = (e) => {
      const hit = this.slice(this.at(e));
      if (hit) this.show(hit); else this.fit();
    };
    c.onkeydown = (e) => {
      const act = { w: () => this.zoom(0.7, this.cursor), s: () => this.zoom(1.43, this.cursor), a: () => this.pan(-0.2), d: () => this.pan(0.2),
        ArrowUp: () => this.zoom(0.7), ArrowDown: () => this.zoom(1.43), ArrowLeft: () => this.pan(-0.2), ArrowRight: () => this.pan(0.2),
        Home: () => this.fit(), "0": () => this.fit(), r: () => { this.range = [...this.view]; this.sums(); this.ask(); }, Escape: () => { this.range = null; this.chosen = null; this.panel.replaceChildren(); this.ask(); } }[e.key];
      if (act && !e.ctrlKey && !e.metaKey) { e.preventDefault(); e.stopPropagation(); act(); }
    };
    const on = (name, event, act) => { this.root.querySelector(name)[event] = act; };
    on(".in", "onclick", () => this.zoom(0.5));
    on(".out", "onclick", () => this.zoom(2));
    on(".fit", "onclick", () => this.fit());
    on(".select", "onclick", (e) => { this.selecting = !this.selecting; e.target.setAttribute("aria-pressed", this.selecting); });
    on(".link", "onclick", (e) => {
      const url = new URL(window.location.href); url.searchParams.set("view", this.view.map((s) => s.toPrecision(7)).join(","));
      navigator.clipboard?.writeText(url.href); e.target.textContent = "Copied"; setTimeout(() => { e.target.textContent = "Link to this view"; }, 1500);
    });
    on(".align", "onchange", (e) => {
      this.align = e.target.value;
      const ends = this.runs.map((run) => [run.begin - this.offset(run), run.end - this.offset(run)]);
      this.whole = [Math.min(...ends.map((p) => p[0])), Math.max(...ends.map((p) => p[1]))];
      this.fit();
    });
    on(".paint", "onchange", () => { this.names(); this.ask(); });
    on(".search", "oninput", (e) => this.find(e.target.value));
    on(".search", "onkeydown", (e) => { e.stopPropagation(); if (e.key === "Enter") this.next(e.shiftKey ? -1 : 1); });
  }

  hover(event, place) {
    const hit = this.slice(place);
    this.tip.hidden = !hit;
    if (!hit) return;
    this.tip.replaceChildren(...this.card(hit).map(([k, v]) => { const p = document.createElement("div"); p.textContent = k ? `${k} ${v}` : v; return p; }));
    const room = this.canvas.clientWidth - 230;
    this.tip.style.left = `${Math.max(0, Math.min(place.x + 14, room))}px`; this.tip.style.top = `${place.y + 40}px`;
  }

  show({ run, base, i, lane }) {
    const wide = base.seconds[i] * 1.6, middle = base.start[i] + base.seconds[i] / 2 - this.offset(run);
    this.view = [middle - wide / 2, middle + wide / 2]; this.chosen = { run, base, i, lane };
    this.tell(this.card(this.chosen)); this.ask();
  }

  find(text) {
    this.query = text.trim().toLowerCase(); this.hit = -1;
    let hits = 0;
    for (const run of this.runs ?? []) {
      run.found = run.names.map((name) => this.query !== "" && name.toLowerCase().includes(this.query));
      for (const lane of run.lanes) {
        const base = lane.levels[lane.levels.length - 1];
        for (let i = 0; i < base.name.length; i++) hits += run.found[base.name[i]] ? 1 : 0;
      }
    }
    this.hits.textContent = this.query ? `${hits.toLocaleString("en")} slices` : "";
    this.ask();
  }
  next(way) {
    const run = this.runs[this.runs.length - 1], from = this.chosen ? this.chosen.base.start[this.chosen.i] : this.view[0] + this.offset(run);
    let best = null;
    for (const lane of run.lanes) {
      const base = lane.levels[lane.levels.length - 1];
      for (let i = 0; i < base.start.length; i++) {
        const ahead = (base.start[i] - from) * way;
        if (run.found[base.name[i]] && ahead > 1e-9 && (!best || ahead < best.ahead)) best = { run, lane, base, i, ahead };
      }
    }
    if (best) this.show(best);
  }

  sums() {
    const rows = [["selected", time(this.range[1] - this.range[0])]];
    for (const run of this.runs) {
      const from = this.range[0] + this.offset(run), to = this.range[1] + this.offset(run), totals = new Map();
      if (this.runs.length > 1) rows.push(["", run.name]);
      for (const lane of run.lanes) {
        if (lane.name === "steps") continue;
        const base = lane.levels[lane.levels.length - 1];
        let busy = 0, moved = 0, count = 0;
        for (let i = firstAfter(base, from); i < base.start.length && base.start[i] < to; i++) {
          const part = Math.min(base.start[i] + base.seconds[i], to) - Math.max(base.start[i], from);
          busy += part; count++; moved += base.seconds[i] ? base.moved[i] * part / base.seconds[i] : 0;
          if (lane.step && !lane.name.startsWith("DMA")) totals.set(base.name[i], (totals.get(base.name[i]) ?? 0) + part);
        }
        if (count) rows.push([lane.name, `${count.toLocaleString("en")} slices, busy ${time(busy)} (${(100 * busy / (to - from)).toFixed(0)} %)${moved ? `, ${bytes(moved)} at ${(moved / (to - from) / 1e9).toFixed(1)} GB/s` : ""}`]);
      }
      for (const [name, busy] of [...totals].sort((a, b) => b[1] - a[1]).slice(0, 6)) rows.push([`· ${time(busy)}`, run.names[name]]);
    }
    this.tell(rows);
  }

  tell(rows) {
    this.panel.replaceChildren(...rows.map(([k, v]) => {
      const row = document.createElement("div"), key = document.createElement("b"), value = document.createElement("span");
      key.textContent = k; value.textContent = String(v); row.append(key, value); return row;
    }));
  }
}

export default function (component) {
  const { data, parentElement } = component;
  let held = HELD.get(parentElement);
  if (!held) { held = new Timeline(parentElement); HELD.set(parentElement, held); }
  held.take(data);
  return () => { held.watching.disconnect(); HELD.delete(parentElement); };
}
