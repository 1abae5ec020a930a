/* Uploads that survive: files, a folder or a zip dropped anywhere on the page go up in pieces, three
   files at once, each tried again until it is there. Without this file the form's own input works. */
(() => {
  "use strict";
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const SMALLEST = 4_000_000, LARGEST = 48_000_000, AT_ONCE = 3, NAMES_AT_ONCE = 2000;
  const root = document.documentElement;
  const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
  let run = null;

  // ---- what is dropped: files, and folders with all that is in them ----
  const entriesOf = async (entry, prefix) => {
    const name = prefix + entry.name;
    if (entry.isFile) {
      const file = await new Promise((done, failed) => entry.file(done, failed));
      return [{ file, name }];
    }
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) break;
      for (const each of some) found.push(...await entriesOf(each, `${name}/`));
    }
    return found;
  };
  const dropped = async (transfer) => {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
    return (await Promise.all(entries.map((entry) => entriesOf(entry, "")))).flat();
  };
  const quiet = (name) => name.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");

  // ---- talking to the server ----
  class Refused extends Error {
    constructor(text, status, body) { super(text); this.status = status; this.body = body; }
  }
  // Gone, restarting, busy: tried again for as long as the page is open. A sentence of the server ends it.
  const send = (method, address, body, type, watch) => new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.setRequestHeader("Accept", "application/json");
    if (type) request.setRequestHeader("Content-Type", type);
    if (watch) request.upload.onprogress = (event) => watch(event.loaded);
    request.onerror = request.ontimeout = () => failed(new Refused("No connection.", 0));
    request.onabort = () => failed(new Refused("Stopped.", -1));
    request.onload = () => {
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* no answer of ours: a proxy's page */ }
      if (request.status < 300 && answer) done(answer);
      else if (request.status < 300) failed(new Refused("No connection.", 0));
      else if (request.status === 401) failed(new Refused("Log in again, then drop the files again: what is there is kept.", 401));
      else failed(new Refused(answer?.error ?? `The server answered ${request.status}.`, request.status, answer));
    };
    run?.requests.add(request);
    request.onloadend = () => run?.requests.delete(request);
    request.send(body);
  });
  const passing = (error) => error.status === 0 || [429, 500, 502, 503, 504].includes(error.status);
  const patiently = async (what) => {
    for (let delay = 0.5; ; delay = Math.min(15, delay * 2)) {
      try { return await what(); } catch (error) {
        if (!(error instanceof Refused) || !passing(error) || run?.stopped) throw error;
        say("No connection; trying again. Nothing that has arrived is lost.");
        await wait(delay);
      }
    }
  };
  const json = (method, address, body) =>
    patiently(() => send(method, address, JSON.stringify(body), "application/json"));

  // ---- one file, piece by piece ----
  const sendFile = async (job, address) => {
    let piece = SMALLEST, delay = 0.5;
    while (job.sent < job.file.size && !run.stopped) {
      const from = job.sent, begin = performance.now();
      const part = job.file.slice(from, from + piece);
      try {
        const answer = await send("PUT", `${address}/${job.id}?offset=${from}`, part, "application/octet-stream",
          (loaded) => { job.sent = from + Math.min(loaded, part.size); draw(); });
        job.sent = answer.offset;
        delay = 0.5;
        const seconds = (performance.now() - begin) / 1000;
        if (seconds < 3) piece = Math.min(LARGEST, piece * 2);
        else if (seconds > 12) piece = Math.max(SMALLEST, Math.floor(piece / 2));
        say("");
      } catch (error) {
        job.sent = from;
        if (run.stopped || !(error instanceof Refused)) throw error;
        if (error.status === 409 && error.body?.offset !== undefined) {
          // Half of a piece arrived before a cut, or another window sends the same file.
          if (error.body.offset === from) await wait(delay);
          job.sent = error.body.offset;
        } else if (error.status === 404) {
          job.sent = await begun(job, address);
        } else if (passing(error)) {
          piece = SMALLEST;
          say("No connection; trying again. Nothing that has arrived is lost.");
          await wait(delay);
        } else throw error;
        delay = Math.min(15, delay * 2);
      }
      draw();
    }
  };
  const begun = async (job, address) => {
    const answer = await json("POST", address, { files: [about(job)] });
    job.id = answer.uploads[0].id;
    return answer.uploads[0].offset;
  };
  const about = ({ file, name }) => ({ name, size: file.size, modified: String(file.lastModified) });

  // ---- the panel ----
  const panel = document.createElement("div");
  panel.className = "notice";
  panel.id = "upload-panel";
  panel.hidden = true;
  panel.innerHTML = '<p data-text></p><progress aria-label="Upload"></progress><p class="row"><small data-detail></small> <button type="button" data-stop>Stop</button></p><p class="hidden" role="status"></p>';
  form.after(panel);
  const [text, bar, detail, stop, status] = ["[data-text]", "progress", "[data-detail]", "[data-stop]", "[role=status]"].map((s) => panel.querySelector(s));
  const size = (bytes) => {
    let value = bytes, unit = "B";
    for (unit of ["B", "kB", "MB", "GB", "TB"]) { if (value < 1000) break; value /= 1000; }
    return `${value >= 100 || unit === "B" ? value.toFixed(0) : value.toFixed(1)} ${unit}`;
  };
  const span = (s) => s < 60 ? `${Math.ceil(s)} s` : s < 3600 ? `${Math.ceil(s / 60)} min` : `${Math.floor(s / 3600)} h ${Math.ceil(s % 3600 / 60)} min`;
  let trouble = "", drawn = 0;
  const say = (words) => { if (words !== trouble) { trouble = words; status.textContent = words; draw(true); } };
  const draw = (now) => {
    if (!run || (!now && performance.now() - drawn < 200)) return;
    drawn = performance.now();
    const sent = run.jobs.reduce((sum, job) => sum + job.sent, 0);
    run.marks.push([drawn, sent]);
    while (run.marks.length > 2 && drawn - run.marks[0][0] > 6000) run.marks.shift();
    const [[t0, s0]] = run.marks, rate = drawn > t0 ? (sent - s0) / (drawn - t0) * 1000 : 0;
    const whole = run.jobs.filter((job) => job.sent >= job.file.size).length;
    bar.max = run.total || 1; bar.value = sent;
    text.textContent = trouble || (run.jobs.length === 1 ? `Uploading ${run.jobs[0].name}` : `Uploading ${whole} of ${run.jobs.length} files`);
    detail.textContent = `${size(sent)} of ${size(run.total)}` + (rate > 0 && !trouble ? ` · ${size(rate)}/s · ${span((run.total - sent) / rate)} left` : "");
  };
  const end = (words) => {
    panel.classList.add("bad");
    text.textContent = status.textContent = words;
    bar.hidden = stop.hidden = true; detail.textContent = "";
  };
  stop.addEventListener("click", () => {
    run.stopped = true;
    run.requests.forEach((request) => request.abort());
    end("Stopped. What has arrived is kept for three days: drop the same files again to go on.");
  });

  // ---- all of it ----
  const nameOf = (items) => {
    const [{ name }] = items;
    if (name.includes("/")) return name.split("/")[0];
    return items.length === 1 && /\.zip$/i.test(name) ? name.slice(0, -4) : "";
  };
  const create = async (items) => {
    const input = form.querySelector("[name=name]");
    const name = input.value.trim() || nameOf(items) || `Pictures of ${new Date().toISOString().slice(0, 10)}`;
    for (let number = 1; ; number += 1) {
      const body = new URLSearchParams({ name: number > 1 ? `${name} ${number}` : name });
      try { return await patiently(() => send("POST", form.dataset.create, body)); } catch (error) {
        if (error.status !== 409 || input.value.trim() || number > 50) throw error;
      }
    }
  };
  const start = async (items) => {
    items = items.filter(({ name }) => !quiet(name));
    if (!items.length || run?.active) return;
    run = { jobs: items.map((item) => ({ ...item, sent: 0 })), marks: [], requests: new Set(), active: true, stopped: false };
    run.total = items.reduce((sum, { file }) => sum + file.size, 0);
    panel.classList.remove("bad"); panel.hidden = bar.hidden = stop.hidden = false; trouble = ""; draw(true);
    try {
      const made = form.dataset.create ? await create(items) : null;
      const page = made ? `/datasets/${made.id}` : form.dataset.done;
      const address = `${page}/uploads`;
      for (let at = 0; at < run.jobs.length; at += NAMES_AT_ONCE) {
        const some = run.jobs.slice(at, at + NAMES_AT_ONCE);
        const answer = await json("POST", address, { files: some.map(about) });
        some.forEach((job, index) => { job.id = answer.uploads[index].id; job.sent = answer.uploads[index].offset; });
      }
      const queue = run.jobs.filter((job) => job.sent < job.file.size), work = async () => { while (queue.length) await sendFile(queue.shift(), address); };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      if (run.stopped) return;
      await json("POST", `${address}/import`, { ids: [...new Set(run.jobs.map((job) => job.id))] });
      run.active = false;
      location.assign(page);
    } catch (error) {
      if (!run.stopped) end(error.message || "The upload broke off. Drop the files again to go on.");
      run.stopped = true;
    } finally { run.active = false; }
  };

  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  root.dataset.dropFiles = "";
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    root.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) root.classList.remove("dropping"); });
  document.addEventListener("drop", async (event) => {
    root.classList.remove("dropping");
    if (!holdsFiles(event)) return;
    event.preventDefault();
    start(await dropped(event.dataTransfer));
  });
  form.addEventListener("change", (event) => {
    if (event.target.type === "file") start([...event.target.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
  });
  form.addEventListener("submit", (event) => {
    // The files are on their way already; a plain form would send them a second time.
    if (form.enctype === "multipart/form-data") event.preventDefault();
    const input = form.querySelector("input[type=file]");
    if (form.enctype === "multipart/form-data" && !run?.active) input.click();
  });
  addEventListener("beforeunload", (event) => { if (run?.active) event.preventDefault(); });
  document.querySelectorAll("[data-plain]").forEach((part) => part.remove());
})();
