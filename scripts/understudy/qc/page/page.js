"use strict";

/* The review page. Data is only ever put on the page as text; pictures are only ever files of this folder. */
const understudy = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const COLOURS = { ok: "#7fa98a", info: "#8295a8", warn: "#d2a24c", fail: "#d96f62" };
  const LEVELS = ["info", "warn", "fail"];
  const MODES = [
    { name: "wipe", title: "Wipe", key: "w", layers: ["plate", "result"] },
    { name: "result", title: "Result", key: "r", layers: ["result"] },
    { name: "plate", title: "Plate", key: "p", layers: ["plate"] },
    { name: "difference", title: "Difference \u00d74", key: "d", layers: ["plate", "result"] },
    { name: "matte", title: "Matte", key: "m", layers: ["result", "matte"] },
  ];
  const HELD = 48; // pictures kept decoded: a long shot must not fill the memory
  const GUTTER = 96; // room for the strips' names, CSS pixels

  const state = {
    row: null, shot: null, frame: 0, mode: "wipe", wipe: 0.5, zoom: null, pointer: null,
    track: 0, speed: 0, clock: 0, drawn: null, only: null,
  };
  const whole = new Map(); // shots whose data file has arrived, by id

  /* ---- small helpers ---- */

  function element(name, text = "", className = "") {
    const made = document.createElement(name);
    if (text !== "") made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  const address = (path) => path.split("/").map(encodeURIComponent).join("/");

  function picture(pattern, frame) {
    return address(pattern.replace(/\{frame:0(\d+)d\}/, (_, width) => String(frame).padStart(Number(width), "0")));
  }

  const range = (first, last) => (first === last ? `${first}` : `${first}\u2013${last}`);
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

  function rate(text) {
    const [above, below] = String(text).split("/").map(Number);
    const value = below ? above / below : above;
    return value > 0 ? value : 24;
  }

  function fit(canvas) {
    const scale = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(canvas.clientWidth * scale));
    const height = Math.max(1, Math.round(canvas.clientHeight * scale));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    return pen;
  }

  /* ---- pictures: loaded when needed, the least used forgotten ---- */

  const pictures = new Map();

  function load(url) {
    let held = pictures.get(url);
    if (held) {
      pictures.delete(url);
    } else {
      const image = new Image();
      held = { image, done: false, failed: false };
      const finish = (failed) => { held.done = true; held.failed = failed; wake(); };
      image.onload = () => finish(false);
      image.onerror = () => finish(true);
      image.decoding = "async";
      image.src = url;
    }
    pictures.set(url, held);
    while (pictures.size > HELD) {
      const [oldest, old] = pictures.entries().next().value;
      if (!old.done) old.image.removeAttribute("src");
      pictures.delete(oldest);
    }
    return held;
  }

  const layersOf = (mode) => MODES.find((one) => one.name === mode).layers.filter((layer) => state.shot.proxies[layer]);
  const layersAt = (frame) => layersOf(state.mode).map((layer) => load(picture(state.shot.proxies[layer], frame)));

  /* ---- the table of shots ---- */

  function marksCanvas(row) {
    const canvas = element("canvas");
    canvas.setAttribute("aria-hidden", "true");
    const scale = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: 220 * scale, height: 12 * scale });
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.fillStyle = "#232323";
    pen.fillRect(0, 3, 220, 6);
    drawMarks(pen, row.marks.map(([first, last, level, whole]) => ({ first, last, level, whole })), row, 0, 220, 3, 6);
    return canvas;
  }

  /* Flags of frames are blocks; what is said of a whole track is a thin line below them. */
  function drawMarks(pen, flags, row, left, width, top, height) {
    const unit = width / (row.last - row.first + 1);
    for (const level of LEVELS) {
      pen.fillStyle = COLOURS[level];
      for (const flag of flags.filter((one) => one.level === level)) {
        const x = left + (flag.first - row.first) * unit;
        const wide = Math.max(2, (flag.last - flag.first + 1) * unit);
        if (flag.whole) pen.fillRect(x, top + height, wide, 1);
        else pen.fillRect(x, top, wide, height);
      }
    }
  }

  function counts(row) {
    const cell = element("td", "", "count");
    for (const level of [...LEVELS].reverse()) {
      const count = row.marks.filter((mark) => mark[2] === level).length;
      if (count) cell.append(element("span", `${count} ${level}`, `lv-${level}`));
    }
    if (!cell.childElementCount) cell.append(element("span", "none", "fine"));
    return cell;
  }

  function drawTable() {
    const rows = byId("rows");
    rows.replaceChildren();
    for (const row of data.shots) {
      if (state.only && row.state !== state.only) continue;
      const line = element("tr");
      const shown = element("td");
      if (row.thumbnail) {
        const image = element("img", "", "thumb");
        Object.assign(image, { loading: "lazy", alt: "", width: 128, height: 72, src: address(row.thumbnail) });
        shown.append(image);
      } else {
        shown.append(element("span", "", "thumb"));
      }
      const name = element("td");
      const link = element("a", row.id);
      link.href = place(row, row.first);
      name.append(link);
      const verdict = element("td");
      verdict.append(element("span", row.state, `state ${row.state}`));
      const frames = element("td", "", "number");
      frames.append(element("span", range(row.first, row.last)), element("br"),
        element("span", `${row.size.join(" \u00d7 ")}, ${Number(rate(row.rate).toFixed(3))} fps`, "fine"));
      const cast = element("td");
      for (const one of row.cast) cast.append(element("div", `${one.performer} \u2192 ${one.talent}`));
      const where = element("td");
      where.append(marksCanvas(row));
      line.append(shown, name, verdict, frames, cast, counts(row), where);
      line.addEventListener("click", (event) => { if (!event.target.closest("a")) location.hash = link.hash; });
      rows.append(line);
    }
    for (const button of byId("filters").children) {
      button.setAttribute("aria-pressed", String((state.only || "") === button.dataset.state));
    }
  }

  function startTable() {
    const total = data.shots.reduce((sum, row) => sum + row.last - row.first + 1, 0);
    byId("summary").textContent = `${plural(data.shots.length, "shot")}, ${plural(total, "frame")}`;
    for (const name of ["", "fail", "warn", "ok"]) {
      const count = data.shots.filter((row) => !name || row.state === name).length;
      const button = element("button", `${name || "all"} ${count}`, name ? `state ${name}` : "");
      Object.assign(button, { type: "button" });
      button.dataset.state = name;
      button.addEventListener("click", () => { state.only = name || null; drawTable(); });
      byId("filters").append(button);
    }
    for (const link of data.show.links) byId("links").append(fileLink(link));
    byId("made").textContent = [data.show.made_by, data.show.made_at].filter(Boolean).join(", ");
    drawTable();
  }

  function fileLink(link) {
    const made = element("a", link.label);
    Object.assign(made, { href: address(link.path), target: "_blank", rel: "noopener noreferrer" });
    return made;
  }

  /* ---- the view of a shot ---- */

  const place = (row, frame) => `#/${encodeURIComponent(row.id)}/${frame}`;

  function follow() {
    const [, id, frame] = location.hash.split("/");
    let wanted = "";
    try { wanted = decodeURIComponent(id || ""); } catch { wanted = ""; }
    const row = data.shots.find((one) => one.id === wanted);
    if (!row) { leave(); return; }
    if (state.row !== row) enter(row);
    if (Number.isInteger(Number(frame)) && frame) seek(Number(frame));
  }

  function leave() {
    const before = state.row;
    state.row = state.shot = null;
    play(0);
    byId("shot-view").hidden = true;
    byId("table-view").hidden = false;
    byId("badge").hidden = byId("crumb").hidden = true;
    byId("home").hidden = true;
    byId("title").textContent = data.show.name;
    document.title = `${data.show.name} - review`;
    if (before) [...document.querySelectorAll("#rows a")].find((link) => link.textContent === before.id)?.focus();
  }

  function enter(row) {
    play(0);
    Object.assign(state, { row, shot: null, frame: row.first, track: 0, zoom: null, drawn: null });
    pictures.clear();
    byId("table-view").hidden = true;
    byId("shot-view").hidden = false;
    byId("home").hidden = byId("crumb").hidden = byId("badge").hidden = false;
    byId("home").textContent = data.show.name;
    byId("title").textContent = row.id;
    byId("badge").textContent = row.state;
    byId("badge").className = `state ${row.state}`;
    document.title = `${row.id} - ${data.show.name} - review`;
    if (whole.has(row.id)) { show(); return; }
    const script = element("script");
    script.src = address(row.data);
    script.onerror = () => { byId("position").textContent = `the file ${row.data} cannot be read`; };
    document.head.append(script);
  }

  function receive(id, shot) {
    whole.set(id, shot);
    if (state.row && state.row.id === id) show();
  }

  function show() {
    state.shot = whole.get(state.row.id);
    drawFlags();
    drawFacts();
    drawModes();
    drawTracks();
    state.film = null;
    seek(state.frame);
    drawStrips();
  }

  function drawModes() {
    byId("modes").replaceChildren(...MODES.filter((mode) => mode.layers.every((layer) => state.shot.proxies[layer])).map((mode) => {
      const button = element("button", `${mode.title} `);
      button.type = "button";
      button.dataset.mode = mode.name;
      button.append(element("kbd", mode.key.toUpperCase()));
      button.addEventListener("click", () => choose(mode.name));
      return button;
    }));
    if (!layersFor(state.mode)) state.mode = "wipe";
    choose(state.mode);
  }

  const layersFor = (mode) => MODES.find((one) => one.name === mode).layers.every((layer) => state.shot.proxies[layer]);

  function choose(mode) {
    if (!layersFor(mode)) return;
    state.mode = mode;
    for (const button of byId("modes").children) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    byId("wipe-label").hidden = mode !== "wipe";
    document.querySelector(".screen").classList.toggle("wiping", mode === "wipe");
    wake();
  }

  function drawTracks() {
    const tracks = state.shot.tracks;
    byId("tracks").replaceChildren(...(tracks.length < 2 ? [] : tracks.map((track, index) => {
      const button = element("button", track.talent ? `${track.id} \u2192 ${track.talent}` : track.id);
      button.type = "button";
      button.setAttribute("aria-pressed", String(index === state.track));
      button.addEventListener("click", () => { state.track = index; drawTracks(); drawStrips(); drawNumbers(); });
      return button;
    })));
  }

  function drawFlags() {
    const list = byId("flags");
    list.replaceChildren();
    state.shot.flags.forEach((flag) => {
      const item = element("li");
      const button = element("button");
      button.type = "button";
      const head = element("span", "", "flag-head");
      const frames = range(flag.first, flag.last);
      head.append(element("b", flag.kind, `lv-${flag.level}`), element("span", flag.track ? `${flag.track}, ${frames}` : frames));
      button.append(head, element("span", flag.reason, "flag-why"), element("span", flag.action, "flag-do"));
      button.addEventListener("click", () => { play(0); seek(flag.worst); });
      item.append(button);
      list.append(item);
    });
    if (!state.shot.flags.length) list.append(element("li", "nothing to look at", "fine"));
    byId("flags-title").textContent = state.shot.flags.length ? `Flags (${state.shot.flags.length})` : "Flags";
  }

  const plainText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

  function drawFacts() {
    byId("cast").replaceChildren(...state.row.cast.map((one) => {
      const line = element("tr");
      line.append(element("td", one.performer), element("td", one.talent));
      return line;
    }));
    byId("movies-section").hidden = !state.shot.movies.length;
    byId("movies").replaceChildren(...state.shot.movies.map((movie) => {
      const item = element("li");
      item.append(fileLink(movie));
      return item;
    }));
    const stages = Object.entries(state.shot.settings);
    byId("settings-section").hidden = !stages.length;
    byId("settings").replaceChildren(...stages.map(([stage, own]) => {
      const block = element("details");
      const list = element("dl");
      for (const [name, value] of Object.entries(own || {})) list.append(element("dt", name), element("dd", plainText(value)));
      block.append(element("summary", stage), list);
      return block;
    }));
  }

  function drawNumbers() {
    const track = state.shot.tracks[state.track];
    const index = state.frame - state.row.first;
    byId("numbers").replaceChildren(...(track ? shownNumbers(track) : []).flatMap((one) => {
      const value = track.numbers[one.name][index];
      const level = value === null ? "" : levelOf(one.name, value);
      const words = value === null ? "\u2013" : `${value.toFixed(one.digits)} ${one.unit}`.trim();
      return [element("dt", one.title), element("dd", words, level ? `lv-${level}` : "")];
    }));
  }

  const shownNumbers = (track) => data.numbers.filter((one) => track.numbers[one.name]);

  function levelOf(name, value) {
    const bounds = state.shot.bounds[name];
    if (!bounds) return "";
    const beyond = (index) => (bounds.low && bounds.low[index] !== null && value < bounds.low[index])
      || (bounds.high && bounds.high[index] !== null && value > bounds.high[index]);
    return beyond(1) ? "fail" : beyond(0) ? "warn" : "";
  }

  function seek(frame) {
    if (!state.row) return;
    state.frame = Math.min(state.row.last, Math.max(state.row.first, frame));
    byId("frame").textContent = state.frame;
    byId("position").textContent = `${state.frame - state.row.first + 1} of ${state.row.last - state.row.first + 1}`;
    const slider = byId("scrubber");
    slider.setAttribute("aria-valuemin", state.row.first);
    slider.setAttribute("aria-valuemax", state.row.last);
    slider.setAttribute("aria-valuenow", state.frame);
    if (!state.shot) return;
    const here = state.shot.flags.filter((flag) => !flag.whole && flag.first <= state.frame && state.frame <= flag.last);
    slider.setAttribute("aria-valuetext", [`frame ${state.frame}`, ...here.map((flag) => flag.kind)].join(", "));
    const items = byId("flags").children;
    state.shot.flags.forEach((flag, index) => {
      items[index].firstChild.setAttribute("aria-current", String(here.includes(flag)));
    });
    const current = state.shot.flags.findIndex((flag) => here.includes(flag));
    if (current >= 0 && !state.speed) reveal(items[current]);
    drawNumbers();
    drawPlayhead();
    if (!state.speed) history.replaceState(null, "", place(state.row, state.frame));
    wake();
  }

  function reveal(item) {
    const list = byId("flags");
    const top = item.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = top;
  }

  function nextFlag(step) {
    const frames = [...new Set(state.shot.flags.map((flag) => flag.worst))].sort((a, b) => a - b);
    if (!frames.length) return;
    const ahead = step > 0 ? frames.find((frame) => frame > state.frame) : frames.findLast((frame) => frame < state.frame);
    play(0);
    seek(ahead ?? (step > 0 ? frames[0] : frames[frames.length - 1]));
  }

  /* ---- the picture ---- */

  let waiting = false;

  function wake() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame((now) => { waiting = false; tick(now); });
  }

  function tick(now) {
    if (!state.row || !state.shot) return;
    if (state.speed) {
      advance(now);
      wake();
    }
    drawPicture();
  }

  function advance(now) {
    const step = Math.sign(state.speed);
    for (let ahead = 1; ahead <= 8; ahead += 1) {
      const frame = state.frame + step * ahead;
      if (frame >= state.row.first && frame <= state.row.last) layersAt(frame);
    }
    const length = 1000 / (rate(state.row.rate) * Math.abs(state.speed));
    if (now - state.clock < length) return;
    const next = state.frame + step;
    if (next < state.row.first || next > state.row.last) { play(0); return; }
    if (!layersAt(next).every((one) => one.done)) return; // every frame is shown, even when the disk is slow
    state.clock = now - state.clock > 4 * length ? now : state.clock + length;
    seek(next);
  }

  function play(speed) {
    state.speed = speed;
    state.clock = performance.now();
    byId("speed").textContent = speed ? `${speed > 0 ? "" : "\u2212"}${Math.abs(speed)}\u00d7` : "";
    byId("play").setAttribute("aria-pressed", String(speed > 0));
    byId("back").setAttribute("aria-pressed", String(speed < 0));
    if (speed) wake();
    else if (state.row) history.replaceState(null, "", place(state.row, state.frame));
  }

  function faster(direction) {
    const now = state.speed;
    if (direction > 0 && state.frame === state.row.last) seek(state.row.first);
    play(Math.sign(now) === direction ? direction * Math.min(4, Math.abs(now) * 2) : direction);
  }

  /* Where the picture lies on the canvas, CSS pixels. */
  function box(canvas, image) {
    const width = canvas.clientWidth, height = canvas.clientHeight;
    const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight) * (state.zoom ? 3 : 1);
    const w = image.naturalWidth * scale, h = image.naturalHeight * scale;
    const at = state.zoom || { x: 0.5, y: 0.5 };
    return { x: Math.round(width * 0.5 - w * at.x), y: Math.round(height * 0.5 - h * at.y), w, h };
  }

  function drawPicture() {
    const canvas = byId("picture");
    const layers = layersAt(state.frame);
    const mode = MODES.find((one) => one.name === state.mode);
    canvas.setAttribute("aria-label", `${mode.title}, ${state.row.id}, frame ${state.frame}`);
    if (!layers.every((one) => one.done)) return; // the picture before stays until this one is there
    const pen = fit(canvas);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    if (layers.some((one) => one.failed)) {
      pen.fillStyle = "#9a9a9a";
      pen.font = getComputedStyle(document.body).font;
      pen.textAlign = "center";
      pen.fillText(`no picture of frame ${state.frame}`, canvas.clientWidth / 2, canvas.clientHeight / 2);
      state.drawn = state.frame;
      canvas.dataset.drawn = `${state.frame} missing`;
      return;
    }
    const images = layers.map((one) => one.image);
    const at = box(canvas, images[0]);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(images[0], at.x, at.y, at.w, at.h);
    if (state.mode === "wipe") drawWipe(pen, canvas, images[1], at);
    if (state.mode === "difference") drawDifference(pen, canvas, images[1], at);
    if (state.mode === "matte") drawMatte(pen, canvas, images[1], at);
    state.drawn = state.frame;
    canvas.dataset.drawn = `${state.frame} ${state.mode}`;
    for (const near of [state.frame + 1, state.frame - 1]) {
      if (near >= state.row.first && near <= state.row.last) layersAt(near);
    }
  }

  function drawWipe(pen, canvas, result, at) {
    const left = Math.max(0, at.x), right = Math.min(canvas.clientWidth, at.x + at.w);
    const line = Math.round(left + (right - left) * state.wipe);
    pen.save();
    pen.beginPath();
    pen.rect(line, 0, canvas.clientWidth - line, canvas.clientHeight);
    pen.clip();
    pen.drawImage(result, at.x, at.y, at.w, at.h);
    pen.restore();
    pen.fillStyle = "rgba(255, 255, 255, .55)";
    pen.fillRect(line - 0.5, Math.max(0, at.y), 1, Math.min(canvas.clientHeight, at.h));
    pen.font = "12px system-ui, sans-serif";
    pen.shadowColor = "#000";
    pen.shadowBlur = 3;
    pen.fillStyle = "rgba(240, 240, 240, .85)";
    pen.textAlign = "right";
    if (line - left > 60) pen.fillText("plate", line - 10, Math.max(0, at.y) + 20);
    pen.textAlign = "left";
    if (right - line > 60) pen.fillText("result", line + 10, Math.max(0, at.y) + 20);
    pen.shadowBlur = 0;
  }

  function drawDifference(pen, canvas, result, at) {
    pen.globalCompositeOperation = "difference";
    pen.drawImage(result, at.x, at.y, at.w, at.h);
    pen.globalCompositeOperation = "lighter";
    for (let twice = 0; twice < 2; twice += 1) pen.drawImage(canvas, 0, 0, canvas.clientWidth, canvas.clientHeight);
    pen.globalCompositeOperation = "source-over";
  }

  const veil = document.createElement("canvas");

  /* result * (1 - strength * matte) + strength * matte * tint, by blend modes: pixels of files may not be read. */
  function drawMatte(pen, canvas, matte, at) {
    const strength = 0.55;
    Object.assign(veil, { width: matte.naturalWidth, height: matte.naturalHeight });
    const under = veil.getContext("2d");
    const lay = (ground, mode, alpha) => {
      Object.assign(under, { globalCompositeOperation: "source-over", globalAlpha: 1, fillStyle: ground });
      under.fillRect(0, 0, veil.width, veil.height);
      Object.assign(under, { globalCompositeOperation: mode, globalAlpha: alpha });
      under.drawImage(matte, 0, 0);
    };
    lay("#fff", "difference", strength);
    pen.globalCompositeOperation = "multiply";
    pen.drawImage(veil, at.x, at.y, at.w, at.h);
    lay("#3d9bd0", "multiply", 1);
    pen.globalCompositeOperation = "lighter";
    pen.globalAlpha = strength;
    pen.drawImage(veil, at.x, at.y, at.w, at.h);
    pen.globalAlpha = 1;
    pen.globalCompositeOperation = "source-over";
  }

  function wipeTo(value) {
    state.wipe = Math.min(1, Math.max(0, value));
    byId("wipe").value = String(Math.round(state.wipe * 100));
    wake();
  }

  function zoomTo() {
    const canvas = byId("picture");
    if (state.zoom) {
      state.zoom = null;
    } else {
      const layers = layersAt(state.frame);
      const at = layers[0].done && !layers[0].failed ? box(canvas, layers[0].image) : null;
      const inside = (value) => Math.min(5 / 6, Math.max(1 / 6, value));
      state.zoom = at && state.pointer
        ? { x: inside((state.pointer.x - at.x) / at.w), y: inside((state.pointer.y - at.y) / at.h) }
        : { x: 0.5, y: 0.5 };
    }
    byId("zoom").setAttribute("aria-pressed", String(Boolean(state.zoom)));
    wake();
  }

  /* ---- the strips below: one canvas, however long the shot ---- */

  const RULER = 20, FILM = 48, MARKS = 16, STRIP = 23;

  function stripsHeight() {
    const track = state.shot.tracks[state.track];
    return RULER + FILM + 6 + MARKS + (track ? shownNumbers(track).length * STRIP : 0);
  }

  const unit = (canvas) => (canvas.clientWidth - GUTTER) / (state.row.last - state.row.first + 1);

  function drawStrips() {
    if (!state.shot) return;
    const canvas = byId("strips");
    canvas.style.height = `${stripsHeight()}px`;
    const pen = fit(canvas);
    const width = canvas.clientWidth - GUTTER;
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    drawRuler(pen, width);
    drawFilm(pen, width);
    const top = RULER + FILM + 6;
    pen.fillStyle = "#9a9a9a";
    pen.fillText("Flags", 0, top + 5);
    pen.fillStyle = "#202020";
    pen.fillRect(GUTTER, top, width, 10);
    drawMarks(pen, state.shot.flags, state.row, GUTTER, width, top, 10);
    const track = state.shot.tracks[state.track];
    if (track) shownNumbers(track).forEach((one, index) => drawStrip(pen, one, track.numbers[one.name], top + MARKS + index * STRIP, width));
    drawPlayhead();
  }

  function drawRuler(pen, width) {
    const total = state.row.last - state.row.first + 1;
    const wanted = total / Math.max(2, width / 90);
    const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000].find((one) => one >= wanted) || 20000;
    pen.fillStyle = "#7d7d7d";
    pen.textAlign = "left";
    for (let frame = Math.ceil(state.row.first / step) * step; frame <= state.row.last; frame += step) {
      const x = GUTTER + ((frame - state.row.first) / total) * width;
      pen.fillRect(Math.round(x), 14, 1, 5);
      if (x < GUTTER + width - 30) pen.fillText(String(frame), Math.round(x) + 3, 9);
    }
  }

  function drawFilm(pen, width) {
    const total = state.row.last - state.row.first + 1;
    const cell = Math.round((FILM * state.row.size[0]) / state.row.size[1]);
    const count = Math.max(1, Math.floor(width / (cell + 2)));
    pen.fillStyle = "#0f0f0f";
    pen.fillRect(GUTTER, RULER, width, FILM);
    const key = `${count} ${state.row.id}`;
    if (!state.film || state.film.key !== key) {
      const film = { key, images: [] };
      state.film = film;
      for (let index = 0; index < count; index += 1) {
        const frame = state.row.first + Math.min(total - 1, Math.floor(((index + 0.5) / count) * total));
        const image = new Image();
        image.onload = () => { if (state.film === film) drawStrips(); };
        image.src = picture(state.shot.proxies.result, frame);
        film.images.push(image);
      }
    }
    const pitch = width / count;
    state.film.images.forEach((image, index) => {
      if (!image.complete || !image.naturalWidth) return;
      const room = pitch - 2, wide = Math.max(room, cell), cut = image.naturalWidth * (room / wide);
      pen.drawImage(image, (image.naturalWidth - cut) / 2, 0, cut, image.naturalHeight, GUTTER + index * pitch + 1, RULER, room, FILM);
    });
  }

  function drawStrip(pen, one, values, top, width) {
    const known = values.filter((value) => value !== null);
    const bottom = top + STRIP - 4, tall = STRIP - 8;
    pen.fillStyle = "#9a9a9a";
    pen.fillText(one.title, 0, top + STRIP / 2);
    pen.fillStyle = "#262626";
    pen.fillRect(GUTTER, bottom, width, 1);
    if (!known.length) return;
    const bounds = state.shot.bounds[one.name] || {};
    const warns = [bounds.low, bounds.high].filter(Boolean).map((pair) => pair[0]);
    let low = warns.reduce((a, b) => Math.min(a, b), Infinity), high = warns.reduce((a, b) => Math.max(a, b), -Infinity);
    for (const value of known) { low = Math.min(low, value); high = Math.max(high, value); }
    if (!bounds.low && low > 0) low = 0;
    const span = high - low || 1;
    const level = (value) => bottom - 1 - ((value - low) / span) * tall;
    pen.fillStyle = "#4a4232";
    for (const warn of warns) pen.fillRect(GUTTER, Math.round(level(warn)), width, 1);
    const step = width / values.length;
    const columns = Math.min(values.length, Math.floor(width));
    let before = null;
    for (let column = 0; column < columns; column += 1) {
      const from = Math.floor((column / columns) * values.length);
      const to = Math.max(from + 1, Math.floor(((column + 1) / columns) * values.length));
      let min = Infinity, max = -Infinity;
      for (let index = from; index < to; index += 1) {
        if (values[index] === null) continue;
        min = Math.min(min, values[index]);
        max = Math.max(max, values[index]);
      }
      if (min === Infinity) { before = null; continue; }
      const worst = LEVELS[Math.max(0, LEVELS.indexOf(levelOf(one.name, min)), LEVELS.indexOf(levelOf(one.name, max)))];
      pen.fillStyle = worst === "info" ? "#a8a8a8" : COLOURS[worst];
      const reachLow = before === null ? min : Math.min(min, before.max), reachHigh = before === null ? max : Math.max(max, before.min);
      const y = level(reachHigh);
      const x = GUTTER + (columns === values.length ? column * step : column);
      pen.fillRect(x, level(max), Math.max(1, step), Math.max(1.5, level(min) - level(max)));
      pen.fillRect(x, y, 1, Math.max(1.5, level(reachLow) - y));
      before = { min, max };
    }
  }

  function drawPlayhead() {
    if (!state.shot) return;
    const canvas = byId("playhead");
    const pen = fit(canvas);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    const one = unit(canvas);
    const x = GUTTER + (state.frame - state.row.first) * one;
    pen.fillStyle = "rgba(255, 255, 255, .10)";
    pen.fillRect(x, 0, Math.max(1, one), canvas.clientHeight);
    pen.fillStyle = "#f0f0f0";
    pen.fillRect(Math.round(x + one / 2) - 0.5, 12, 1, canvas.clientHeight - 12);
  }

  /* ---- hands ---- */

  function scrub(event) {
    const canvas = byId("strips");
    const x = event.clientX - canvas.getBoundingClientRect().left - GUTTER;
    seek(state.row.first + Math.floor(x / unit(canvas)));
  }

  function drag(target, move) {
    target.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !state.shot) return;
      target.setPointerCapture(event.pointerId);
      move(event);
    });
    target.addEventListener("pointermove", (event) => { if (target.hasPointerCapture(event.pointerId)) move(event); });
  }

  function dragWipe(event) {
    if (state.mode !== "wipe") return;
    const canvas = byId("picture");
    const layers = layersAt(state.frame);
    if (!layers[0].done || layers[0].failed) return;
    const at = box(canvas, layers[0].image);
    const left = Math.max(0, at.x), right = Math.min(canvas.clientWidth, at.x + at.w);
    wipeTo((event.clientX - canvas.getBoundingClientRect().left - left) / (right - left));
  }

  function neighbour(step) {
    const next = data.shots[data.shots.indexOf(state.row) + step];
    if (next) location.hash = place(next, next.first);
  }

  const SHOT_KEYS = {
    arrowleft: (event) => { play(0); seek(state.frame - (event.shiftKey ? 10 : 1)); },
    arrowright: (event) => { play(0); seek(state.frame + (event.shiftKey ? 10 : 1)); },
    home: () => { play(0); seek(state.row.first); },
    end: () => { play(0); seek(state.row.last); },
    j: () => faster(-1),
    k: () => play(0),
    l: () => faster(1),
    " ": () => (state.speed ? play(0) : faster(1)),
    f: (event) => nextFlag(event.shiftKey ? -1 : 1),
    z: () => zoomTo(),
    "[": () => wipeTo(state.wipe - 0.05),
    "]": () => wipeTo(state.wipe + 0.05),
    pageup: () => neighbour(-1),
    pagedown: () => neighbour(1),
    escape: () => { location.hash = "#/"; },
    ...Object.fromEntries(MODES.map((mode) => [mode.key, () => choose(state.mode === mode.name ? "wipe" : mode.name)])),
  };

  function rowKeys(event) {
    const links = [...document.querySelectorAll("#rows a")];
    const step = { arrowdown: 1, arrowup: -1 }[event.key.toLowerCase()];
    if (!step || !links.length) return;
    const now = links.indexOf(document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, now + step))].focus();
    event.preventDefault();
  }

  function pressed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || byId("keys").open) return;
    if (event.key === "?") { byId("keys").showModal(); event.preventDefault(); return; }
    if (!state.row) { rowKeys(event); return; }
    if (!state.shot) return;
    const key = event.key.toLowerCase();
    const within = event.target;
    if (within.matches?.("input") && (key.startsWith("arrow") || key === "home" || key === "end")) return;
    if (within.matches?.("button, a, summary") && key === " ") return;
    const act = SHOT_KEYS[key];
    if (!act) return;
    act(event);
    event.preventDefault();
  }

  function start() {
    startTable();
    byId("wipe").addEventListener("input", (event) => wipeTo(Number(event.target.value) / 100));
    byId("zoom").addEventListener("click", zoomTo);
    byId("play").addEventListener("click", () => faster(1));
    byId("back").addEventListener("click", () => faster(-1));
    byId("stop").addEventListener("click", () => play(0));
    byId("help").addEventListener("click", () => byId("keys").showModal());
    byId("picture").addEventListener("pointermove", (event) => {
      const rect = event.target.getBoundingClientRect();
      state.pointer = { x: event.clientX - rect.left, y: event.clientY - rect.top };
    });
    drag(byId("scrubber"), (event) => { play(0); scrub(event); });
    drag(byId("picture"), dragWipe);
    new ResizeObserver(() => { if (state.shot) { drawStrips(); wake(); } }).observe(byId("picture"));
    window.addEventListener("hashchange", follow);
    document.addEventListener("keydown", pressed);
    follow();
  }

  start();
  return { receive };
})();
