/* The chart of one or several jobs: numbers from the server, already thinned so that no spike is lost;
   smoothing, logarithm and clipping here. Without this file the picture in its place stays. */
(() => {
  "use strict";
  const COLOURS = ["#2f6fd0", "#c4572b", "#2f8a55", "#8a4fc0", "#a8780a", "#b03a72"];
  const DARK = ["#7fb0ff", "#ff9d72", "#6fd39a", "#c49bff", "#e2b84a", "#f08cbb"];
  const POLL = 5000, SLOWEST = 15000;
  // The more points a chart holds, the less one of them moves it: from 60 on it is asked for less often.
  const pace = (points) => Math.min(SLOWEST, Math.max(POLL, points * POLL / 60));
  const stored = () => { try { return JSON.parse(localStorage.getItem("curves")) || {}; } catch { return {}; } };
  const keep = (choice) => { try { localStorage.setItem("curves", JSON.stringify(choice)); } catch { /* private window */ } };
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const isDark = () => {
    const theme = document.documentElement.dataset.theme;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const short = (value) => value == null ? "–" : Math.abs(value) >= 1e9 ? `${(value / 1e9).toFixed(2)} G` : Math.abs(value) >= 1e4 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(+value.toPrecision(4));

  // What stands at the axis of x: steps, the reader's own clock, or how long it had run.
  const two = (n) => String(n).padStart(2, "0");
  const whole = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const clock = (value, fine) => { const d = new Date(value * 1e3); return `${two(d.getHours())}:${two(d.getMinutes())}${fine ? `:${two(d.getSeconds())}` : ""}`; };
  const day = (value) => { const d = new Date(value * 1e3); return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`; };
  const lasted = (value, fine) => {
    const minutes = Math.floor(value / 60), hours = Math.floor(minutes / 60), s = Math.round(value % 60);
    return !value ? "0" : hours ? `${hours} h${minutes % 60 ? ` ${minutes % 60}` : ""}` : fine || !minutes ? `${minutes ? `${minutes}:${two(s)}` : `${s} s`}` : `${minutes} min`;
  };
  const SPANS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000];
  const ABSCISSAS = {
    step: { values: (_, ticks) => ticks.map(whole), told: whole },
    clock: { values: (_, ticks, at, space, gap) => ticks.map((t, n) => clock(t, gap < 60) + (n && day(t) === day(ticks[n - 1]) ? "" : `\n${day(t)}`)), told: (t) => clock(t, true) },
    lasted: { incrs: SPANS, values: (_, ticks, at, space, gap) => ticks.map((t) => lasted(t, gap < 60)), told: (t) => lasted(t, true) },
  };

  // From both sides, so that the smooth curve is not late; gaps stay gaps.
  const mean = (values, strength) => {
    let last = 0, weight = 0;
    return values.map((value) => {
      if (value != null) { last = last * strength + value * (1 - strength); weight = weight * strength + (1 - strength); }
      return weight ? last / weight : null;
    });
  };
  const smooth = (values, strength) => {
    const forward = mean(values, strength), backward = mean([...values].reverse(), strength).reverse();
    return forward.map((value, at) => value == null || values[at] == null ? null : (value + backward[at]) / 2);
  };

  const start = (figure) => {
    const jobs = figure.dataset.jobs.split(","), names = figure.dataset.names.split("\u001f");
    const box = figure.querySelector(".curve-box"), caption = figure.querySelector("figcaption");
    const tools = figure.closest(".card").querySelector(".curve-tools");
    const tool = (name) => tools.querySelector(`[data-curve="${name}"]`);
    const choice = { series: "loss", smooth: 90, log: false, clip: false, axis: "step", ...stored() };
    let chart = null, built = "", zoom = null, all = null, timer = 0, asking = 0;
    const data = new Map(), versions = new Map(), births = new Map(), gone = new Set();
    // Several jobs over time begin together; one shows the clock.
    const since = (job) => choice.axis === "time" && jobs.length > 1 ? births.get(job) ?? 0 : 0;
    // Several curves over each other need no point for each pixel: the page stays as light as one.
    const share = jobs.length > 1 ? 0.8 / jobs.length : 1;

    tools.hidden = false;
    const select = tool("series");
    if (![...select.options].some((o) => o.value === choice.series)) choice.series = select.options[0].value;
    select.value = choice.series; tool("axis").value = choice.axis; tool("smooth").value = choice.smooth;
    tool("log").checked = choice.log; tool("clip").checked = choice.clip;

    const ask = async (again) => {
      const turn = ++asking;
      const answers = await Promise.all(jobs.map(async (job) => {
        const query = new URLSearchParams({ series: choice.series, axis: choice.axis, width: Math.max(200, Math.round(box.clientWidth * share)) });
        if (zoom) { query.set("from", zoom[0] + since(job)); query.set("to", zoom[1] + since(job)); }
        if (again && versions.has(job)) query.set("v", versions.get(job));
        // Of a curve that is shown as a whole only what follows, until the chart holds too much.
        const have = data.get(job), shown = have?.series[choice.series];
        if (again && !zoom && shown?.count && (have.grown || 0) < 2 * box.clientWidth) query.set("since", shown.count);
        const answer = await fetch(`/jobs/${job}/curves.json?${query}`);
        if (answer.status === 404) gone.add(job);
        return answer.status === 200 && !answer.headers.has("X-Portal-Placeholder") ? answer.json() : null;
      })).catch(() => []);
      if (turn !== asking || !figure.isConnected) return;
      let fresh = false, alive = false;
      answers.forEach((answer, at) => {
        if (answer) { data.set(jobs[at], joined(data.get(jobs[at]), answer)); versions.set(jobs[at], answer.version); fresh = true; grow(answer); }
      });
      data.forEach((answer, job) => { alive ||= !answer.final && !gone.has(job); });
      if (fresh) { draw(); tell(); }
      clearTimeout(timer);
      if (alive || jobs.some((job) => !data.has(job) && !gone.has(job))) timer = setTimeout(tick, pace(data.get(jobs[0])?.series[choice.series]?.x.length ?? 0));
    };
    const joined = (old, answer) => {
      const more = answer.series[choice.series], have = old?.series[choice.series];
      if (!more?.since || more.since !== have?.count) return answer;
      for (const name of ["x", "y", "odd"]) more[name] = have[name].concat(more[name]);
      more.seams = have.seams;
      answer.grown = (old.grown || 0) + more.count - more.since;
      return answer;
    };
    // The same in numbers, for whoever opened the table.
    const numbers = figure.parentElement.querySelector("#curve-numbers");
    const tell = () => {
      const table = numbers?.open && document.getElementById("curve-values");
      if (table) window.htmx?.ajax("GET", table.dataset.values, { target: "#curve-values", swap: "outerMorph" });
    };
    numbers?.addEventListener("toggle", tell);
    const tick = () => { if (!figure.isConnected) return; document.hidden ? (timer = setTimeout(tick, POLL)) : ask(true); };
    const grow = ({ names: known, titles }) => known.forEach((name, at) => {
      if (![...select.options].some((o) => o.value === name)) select.append(new Option(titles[at], name));
    });
    // Another series, axis or part: nothing of what was asked before belongs to it.
    const afresh = () => { versions.clear(); data.clear(); clearTimeout(timer); ask(false); };

    const draw = () => {
      const lines = [], parts = [];
      const palette = isDark() ? DARK : COLOURS;
      jobs.forEach((job, at) => {
        const found = data.get(job)?.series[choice.series];
        if (!found) return;
        if (!zoom) births.set(job, found.x[0]);
        const from = since(job), x = from ? found.x.map((t) => t - from) : found.x;
        let y = found.y;
        if (choice.log) y = y.map((value) => value > 0 ? value : null);
        const colour = palette[at % palette.length], strength = choice.smooth / 100;
        if (strength > 0 && y.length > 5) {
          parts.push([x, y]); lines.push({ label: jobs.length > 1 ? `${names[at]}, raw` : "raw", stroke: `${colour}55`, width: 1, points: { show: false }, value: (_, v) => short(v) });
          parts.push([x, smooth(y, strength)]);
        } else parts.push([x, y]);
        lines.push({ label: jobs.length === 1 && lines.length ? "smoothed" : names[at] || choice.series, stroke: colour, width: 2, points: { show: y.length < 40 }, value: (_, v) => short(v) });
      });
      if (!parts.length) return;
      const table = uPlot.join(parts.map(([x, y]) => [x, y]));
      if (!table || !table[0]?.length) return;
      if (!zoom) all = [table[0][0], table[0].at(-1)];
      // The chart is kept from poll to poll, and with it a drag, the legend's values and its listeners.
      const shape = JSON.stringify([choice.axis, choice.log, choice.clip, isDark(), lines.map((l) => [l.label, l.stroke, l.width, l.points.show])]);
      if (chart && shape === built) chart.setData(table);
      else { chart?.destroy(); chart = make(lines, table); built = shape; }
      say();
    };
    const make = (lines, table) => {
      box.querySelector("img")?.remove();
      const line = token("--line"), muted = token("--muted"), time = choice.axis === "time" && jobs.length === 1;
      const abscissa = ABSCISSAS[choice.axis !== "time" ? "step" : time ? "clock" : "lasted"];
      const axis = { stroke: muted, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "11px system-ui, sans-serif" };
      return new uPlot({
        width: Math.max(200, box.clientWidth), height: 250, ms: 1e-3,
        scales: { x: { time }, y: { distr: choice.log ? 3 : 1, range: choice.clip ? clipped : undefined } },
        axes: [{ ...axis, incrs: abscissa.incrs, values: abscissa.values }, { ...axis, size: 62, values: (_, ticks) => ticks.map(short) }],
        series: [{ label: choice.axis === "time" ? "time" : "step", value: (_, v) => v == null ? "–" : abscissa.told(v) }, ...lines],
        cursor: { drag: { x: true, y: false, setScale: false } },
        hooks: { setSelect: [(u) => {
          if (u.select.width < 4) return;
          zoom = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
          afresh();
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }], draw: [seams] },
      }, table, box);
    };
    // No drag and no hover with a finger: it scrolls the page.
    const hint = matchMedia("(hover: none)").matches ? ["Tap for values, + to zoom", "“Whole run” goes back"] : ["Drag to zoom, hover for values", "Drag to zoom, “Whole run” to go back"];
    const say = () => {
      const newest = jobs.flatMap((job) => data.get(job)?.series[choice.series]?.y ?? []).filter((v) => v != null);
      const told = jobs.length > 1 ? "" : `: ${short(newest[0])} at the start, ${short(newest.at(-1))} at last`;
      caption.textContent = `${select.selectedOptions[0].text}${told}, lowest ${short(newest.reduce((a, b) => Math.min(a, b), Infinity))}. ${jobs.length === 1 && data.get(jobs[0])?.series[choice.series]?.odd?.length ? "Red marks: not a number. " : ""}${hint[+!!zoom]}.`;
    };
    // The middle 98 % of the values, so that one wild loss does not flatten the rest.
    const clipped = (u, low, high) => {
      const all = u.data.slice(1).flatMap((row) => row.filter((v) => v != null)).sort((a, b) => a - b);
      if (all.length < 20) return [low, high];
      const a = all[Math.floor(all.length * 0.01)], b = all[Math.ceil(all.length * 0.99) - 1];
      return choice.log ? [a * 0.9, b * 1.1] : [a - (b - a) * 0.05, b + (b - a) * 0.05];
    };
    const seams = (u) => {
      const found = jobs.length === 1 ? data.get(jobs[0])?.series[choice.series]?.seams ?? [] : [];
      u.ctx.save(); u.ctx.strokeStyle = token("--line-strong"); u.ctx.setLineDash([4, 4]);
      found.forEach(([at]) => {
        const x = u.valToPos(at, "x", true);
        u.ctx.beginPath(); u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + u.bbox.height); u.ctx.stroke();
      });
      // Where the loss was no number: a mark at the upper edge, since there is no place on the scale.
      u.ctx.setLineDash([]); u.ctx.strokeStyle = token("--bad"); u.ctx.lineWidth = 3;
      (jobs.length === 1 ? data.get(jobs[0])?.series[choice.series]?.odd ?? [] : []).forEach((at) => {
        const x = u.valToPos(at, "x", true);
        u.ctx.beginPath(); u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + 12); u.ctx.stroke();
      });
      u.ctx.restore();
    };

    tools.addEventListener("input", () => {
      const asked = choice.series + choice.axis;
      Object.assign(choice, { series: select.value, axis: tool("axis").value, smooth: +tool("smooth").value, log: tool("log").checked, clip: tool("clip").checked });
      keep(choice);
      if (asked !== choice.series + choice.axis) { zoom = null; afresh(); } else draw();
    });
    const entire = () => { if (zoom) { zoom = null; afresh(); } };
    tool("reset").addEventListener("click", entire);
    box.addEventListener("dblclick", entire);
    // What a drag does, for fingers and keys: closer or wider about the middle, half a width on or back.
    const part = (size, move) => {
      if (!all) return;
      const [low, high] = zoom ?? all, span = Math.min((high - low) * size, all[1] - all[0]);
      const from = Math.max(all[0], Math.min((low + high - span) / 2 + move * span, all[1] - span));
      if (span >= all[1] - all[0]) return entire();
      zoom = [from, from + span];
      afresh();
    };
    for (const [name, ...how] of [["closer", 0.5, 0], ["wider", 2, 0], ["back", 1, -0.5], ["on", 1, 0.5]]) tool(name).addEventListener("click", () => part(...how));
    new ResizeObserver(() => chart?.setSize({ width: Math.max(200, box.clientWidth), height: 250 })).observe(box);
    new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    ask(false);
  };

  const look = () => document.querySelectorAll("figure.curve:not([data-on])").forEach((figure) => { figure.dataset.on = ""; start(figure); });
  document.addEventListener("htmx:after:swap", look);
  look();
})();
