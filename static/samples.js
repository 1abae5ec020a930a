/* The viewer of samples: a dialog outside of what polls swap. Without this file a sample's link opens it. */
(() => {
  "use strict";
  const make = (tag, props = {}, ...children) => {
    const { aria, ...plain } = props;
    const node = Object.assign(document.createElement(tag), plain);
    for (const [name, value] of Object.entries(aria ?? {})) node.setAttribute(name === "role" ? name : `aria-${name}`, value);
    node.append(...children);
    return node;
  };
  // A drawing of the page's sprite.
  const icon = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = document.createElementNS(svg.namespaceURI, "use");
    use.setAttribute("href", `#i-${name}`);
    svg.setAttribute("class", "icon"); svg.setAttribute("aria-hidden", "true");
    svg.append(use);
    return svg;
  };
  const section = () => document.getElementById("job-samples");
  let grid = null;   // {version, prompts, steps: [{step, label, cells: [[address, small, kind, name] | null]}]}
  let at = { step: 0, prompt: 0 }, other = null, split = 50, zoom = 0, opener = null;
  const cell = (place) => grid.steps[place.step]?.cells[place.prompt] ?? null;
  const label = (place) => `${grid.steps[place.step].label} · prompt ${place.prompt + 1}`;

  // The parts. Made once; the page's polls never touch them.
  const title = make("h2", { id: "viewer-title", aria: { live: "polite" } }), words = make("p", { tabIndex: -1 });
  const canvas = make("div", { className: "canvas" }), stage = make("div", { className: "stage", tabIndex: 0, aria: { role: "group", label: "Sample. Arrow keys: step and prompt." } }, canvas);
  const button = (text, tip, act, props = {}) => { const b = make("button", { type: "button", title: tip, ...props }, ...[].concat(text)); b.addEventListener("click", act); return b; };
  const word = (text) => make("span", { className: "word", textContent: text });
  const comparer = button([icon("compare"), word("Compare")], "Compare two samples (C)", () => compare(!other), { aria: { label: "Compare two samples", pressed: "false" } });
  const zoomer = button("100 %", "Fit, 100 %, 200 % (Z)", () => setZoom((zoom + 1) % 3));
  const download = make("a", { className: "button", title: "Download this sample (D)" }, icon("download"), word("Download"));
  download.setAttribute("aria-label", "Download this sample");
  const closer = button(icon("close"), "Close (Esc)", () => dialog.close(), { aria: { label: "Close" } });
  const scrubber = make("input", { type: "range", min: 0, step: 1, aria: { label: "Step" } });
  const first = make("small"), last = make("small"), film = make("div", { className: "film", aria: { role: "group", label: "Prompts" } });
  const stepB = make("select", { aria: { label: "Step of B" } }), promptB = make("select", { aria: { label: "Prompt of B" } });
  const slider = make("input", { type: "range", min: 0, max: 100, step: 1, value: 50, className: "slider", aria: { label: "Divider between A and B" } });
  const versus = make("div", { className: "versus", hidden: true }, make("span", { textContent: "B:" }), stepB, promptB, button("Swap", "Swap A and B (X)", () => swap()), slider);
  const hint = make("p", { className: "hint", textContent: "← → step · ↑ ↓ prompt · Home End · C compare · Z zoom · D download · Esc" });
  const dialog = make("dialog", { className: "viewer", aria: { labelledby: "viewer-title" } },
    make("div", { className: "top" }, title, words, make("div", { className: "row" }, comparer, zoomer, download, closer)),
    stage, make("div", { className: "bottom" }, versus, make("div", { className: "timeline" }, first, scrubber, last), film, hint));

  const load = async () => {
    const box = section();
    const answer = await fetch(`${box.dataset.samples}${grid ? `?v=${encodeURIComponent(grid.version)}` : ""}`, { headers: { "HX-Request": "true" } });
    if (answer.status !== 200) return grid !== null;
    const before = grid && { step: grid.steps[at.step]?.step, other: other && grid.steps[other.step]?.step, last: at.step === grid.steps.length - 1 };
    grid = await answer.json();
    const find = (step) => Math.max(0, grid.steps.findIndex((row) => row.step === step));
    if (before) { at.step = find(before.step); if (other) other.step = find(before.other); }
    return true;
  };

  const open = async (step, prompt, from) => {
    try { if (!await load()) return false; } catch { return false; }
    const index = grid.steps.findIndex((row) => row.step === step);
    if (index < 0) return false;
    if (!dialog.isConnected) document.body.append(dialog);
    opener = from && { step, prompt };
    at = { step: index, prompt }; zoom = 0;
    compare(false, true);
    if (!dialog.open) dialog.showModal();
    draw();
    stage.focus({ preventScroll: true });
    return true;
  };
  dialog.addEventListener("close", () => {
    canvas.replaceChildren();
    history.replaceState(null, "", location.pathname + location.search);
    const shown = grid.steps[at.step]?.step;
    const link = document.querySelector(`.shot[data-step="${shown}"][data-prompt="${at.prompt}"]`) ?? (opener && document.querySelector(`.shot[data-step="${opener.step}"][data-prompt="${opener.prompt}"]`));
    link?.focus();
  });

  const picture = (place) => {
    const found = cell(place);
    if (!found) return make("p", { className: "missing", textContent: "No sample of this prompt at this step." });
    const [address, small, kind, name] = found;
    if (kind === "sound") return make("audio", { src: address, controls: true, title: name });
    if (kind === "video") return make("video", { src: address, muted: true, loop: true, autoplay: true, controls: !other, playsInline: true, title: name });
    const image = make("img", { alt: `${grid.prompts[place.prompt]}, ${grid.steps[place.step].label}`, draggable: false });
    // The small version is there at once; the whole one takes its place when it has come.
    if (small) { image.src = small; const whole = make("img", { src: address }); whole.decode().then(() => { image.src = address; if (image.isConnected) measure(); }, () => { image.src = address; }); } else image.src = address;
    image.dataset.whole = address;
    return image;
  };

  const draw = () => {
    const row = grid.steps[at.step], found = cell(at);
    const told = other ? `A: ${label(at)}` : `${row.label} · prompt ${at.prompt + 1} of ${grid.prompts.length}`;
    if (title.textContent !== told) title.textContent = told;
    words.textContent = grid.prompts[at.prompt];
    canvas.replaceChildren(picture(at));
    stage.classList.toggle("comparing", other !== null);
    if (other) {
      const over = picture(other);
      over.classList.add("over");
      canvas.append(over, make("div", { className: "divider" }), make("span", { className: "tag a", textContent: `A ${label(at)}` }), make("span", { className: "tag b", textContent: `B ${label(other)}` }));
      place(split);
    }
    download.hidden = !found;
    if (found) { download.href = `${found[0]}&download=1`; download.download = found[3]; }
    scrubber.max = grid.steps.length - 1; scrubber.value = at.step;
    scrubber.setAttribute("aria-valuetext", row.label);
    first.textContent = grid.steps[0].label.replace("Step ", ""); last.textContent = grid.steps.at(-1).label.replace("Step ", "");
    film.replaceChildren(...grid.prompts.map((text, prompt) => {
      const small = grid.steps[at.step].cells[prompt];
      const b = button(small?.[1] ? make("img", { src: small[1], alt: "" }) : String(prompt + 1), text, () => go(at.step, prompt));
      b.setAttribute("aria-label", `Prompt ${prompt + 1}`);
      if (prompt === at.prompt) b.setAttribute("aria-current", "true");
      return b;
    }));
    film.hidden = grid.prompts.length < 2;
    film.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    measure();
    history.replaceState(null, "", `#sample-${row.step}-${at.prompt + 1}`);
    for (const step of [at.step - 1, at.step + 1]) { const near = grid.steps[step]?.cells[at.prompt]; if (near?.[2] === "picture") new Image().src = near[0]; }
  };

  const go = (step, prompt) => {
    const next = { step: Math.min(grid.steps.length - 1, Math.max(0, step)), prompt: Math.min(grid.prompts.length - 1, Math.max(0, prompt)) };
    if (next.step === at.step && next.prompt === at.prompt) return;
    at = next;
    draw();
  };
  // Steps where this prompt was not drawn are stepped over.
  const along = (by) => {
    let step = at.step + by;
    while (grid.steps[step] && !grid.steps[step].cells[at.prompt]) step += by;
    if (grid.steps[step]) go(step, at.prompt);
  };

  const compare = (on, quiet = false) => {
    other = on ? { step: at.step > 0 ? 0 : grid.steps.length - 1, prompt: at.prompt } : null;
    versus.hidden = !on; comparer.setAttribute("aria-pressed", String(on));
    if (on) {
      stepB.replaceChildren(...grid.steps.map((row, n) => make("option", { value: n, textContent: row.label, selected: n === other.step })));
      promptB.replaceChildren(...grid.prompts.map((text, n) => make("option", { value: n, textContent: `${n + 1}: ${text}`, selected: n === other.prompt })));
      split = 50; zoom = 0;
    }
    if (!quiet) { draw(); if (on) slider.focus(); }
  };
  const swap = () => { if (!other) return; [at, other] = [other, at]; stepB.value = other.step; promptB.value = other.prompt; draw(); };
  const place = (percent) => {
    split = Math.min(100, Math.max(0, percent));
    slider.value = split;
    const over = canvas.querySelector(".over"), divider = canvas.querySelector(".divider");
    if (over) over.style.clipPath = `inset(0 0 0 ${split}%)`;
    if (divider) divider.style.left = `${split}%`;
  };
  stepB.addEventListener("change", () => { other.step = Number(stepB.value); draw(); });
  promptB.addEventListener("change", () => { other.prompt = Number(promptB.value); draw(); });
  slider.addEventListener("input", () => place(Number(slider.value)));
  scrubber.addEventListener("input", () => go(Number(scrubber.value), at.prompt));

  const setZoom = (level) => { zoom = other ? 0 : level; measure(); };
  const measure = () => {
    const image = canvas.querySelector("img");
    const scale = zoom && image?.naturalWidth ? zoom / devicePixelRatio : 0;
    stage.classList.toggle("zoomed", scale > 0);
    canvas.style.width = scale ? `${image.naturalWidth * scale}px` : "";
    canvas.style.height = scale ? `${image.naturalHeight * scale}px` : "";
    zoomer.textContent = ["Fit", "100 %", "200 %"][zoom];
    zoomer.disabled = other !== null;
    zoomer.title = other ? "Two samples are compared as large as they fit" : "Fit, 100 %, 200 % (Z)";
  };

  // The pointer: the divider, panning when zoomed, else a swipe over steps and prompts.
  let down = null;
  const under = (event) => { const box = canvas.getBoundingClientRect(); place((event.clientX - box.left) / box.width * 100); };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("video[controls], audio")) return;
    down = { x: event.clientX, y: event.clientY, left: stage.scrollLeft, top: stage.scrollTop };
    stage.setPointerCapture(event.pointerId);
    if (other) under(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!down) return;
    if (other) under(event);
    else if (zoom) stage.scrollTo(down.left - event.clientX + down.x, down.top - event.clientY + down.y);
  });
  stage.addEventListener("pointerup", (event) => {
    if (down && !other && !zoom) {
      const x = event.clientX - down.x, y = event.clientY - down.y;
      if (Math.abs(x) > 60 && Math.abs(x) > Math.abs(y)) along(x < 0 ? 1 : -1);
      else if (Math.abs(y) > 60) go(at.step, at.prompt + (y < 0 ? 1 : -1));
    }
    down = null;
  });
  stage.addEventListener("pointercancel", () => { down = null; });
  stage.addEventListener("dblclick", () => setZoom(zoom ? 0 : 1));

  const keys = {
    ArrowLeft: () => along(-1), ArrowRight: () => along(1),
    ArrowUp: () => go(at.step, at.prompt - 1), ArrowDown: () => go(at.step, at.prompt + 1),
    Home: () => go(0, at.prompt), End: () => go(grid.steps.length - 1, at.prompt),
    c: () => compare(!other), x: swap, z: () => setZoom((zoom + 1) % 3), d: () => download.click(),
  };
  dialog.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === slider || event.target.tagName === "SELECT" || event.target.tagName === "VIDEO") { if (event.key.length > 1) return; }
    event.preventDefault();
    act();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest(".shot[data-step]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(Number(link.dataset.step), Number(link.dataset.prompt), link).then((shown) => { if (!shown) location.href = link.href; });
  });
  // New samples come into an open viewer; what is being looked at stays.
  document.addEventListener("htmx:after:swap", () => {
    if (!dialog.open || !grid || section()?.dataset.version === grid.version) return;
    const key = JSON.stringify([cell(at), other && cell(other)]);
    load().then(() => { if (JSON.stringify([cell(at), other && cell(other)]) !== key) return draw(); scrubber.max = grid.steps.length - 1; last.textContent = grid.steps.at(-1).label.replace("Step ", ""); }).catch(() => {});
  });
  const videos = (event, play) => { const video = event.target.closest?.(".shot")?.querySelector("video"); if (video) play ? video.play().catch(() => {}) : video.pause(); };
  document.addEventListener("mouseover", (event) => videos(event, true));
  document.addEventListener("mouseout", (event) => videos(event, false));
  // An address that names a sample opens it; this file comes after the page (app.js brings it).
  const wanted = /^#sample-(\d+)-(\d+)$/.exec(location.hash);
  if (wanted && section()) open(Number(wanted[1]), Number(wanted[2]) - 1, null);
})();
