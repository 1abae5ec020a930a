/* What HTML alone cannot do: no polling in a hidden tab, a word when the connection is lost, dialogs,
   and the theme. Every page works without this file. */
(() => {
  "use strict";
  const root = document.documentElement;

  // The theme is in a cookie: the page comes with it, so that nothing flashes. None follows the system.
  const choose = (theme) => {
    root.dataset.theme = theme;
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  };
  addEventListener("pageshow", (event) => {  // one that was left before the theme was switched elsewhere
    const now = event.persisted && document.cookie.match(/(?:^|; )theme=(light|dark)/)?.[1];
    if (now) root.dataset.theme = now;
  });
  try {  // versions before this one kept it here
    const old = localStorage.getItem("theme");
    if (["light", "dark"].includes(old)) choose(old);
    localStorage.removeItem("theme");
  } catch { /* a private window */ }

  // What only adds behaviour, htmx above all, is fetched and started in its order when the page is parsed
  // and its first frame is on the screen: before, it would only keep the browser and us from drawing it.
  // A page that draws none (a tab behind others) starts it at once; that it began and ended is said on <html>.
  const NO_FRAME = 400;
  const parsed = new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));
  const painted = window.painted = new Promise((done) => {
    const hidden = () => { if (document.hidden) done(); };
    hidden();
    document.addEventListener("visibilitychange", hidden);
    if (window.PerformanceObserver) new PerformanceObserver((seen) => { if (seen.getEntriesByName("first-contentful-paint").length) done(); }).observe({ type: "paint", buffered: true });
    parsed.then(() => setTimeout(done, NO_FRAME));
  });
  const begin = (meta) => new Promise((done) => {
    document.head.append(Object.assign(document.createElement("script"), { src: meta.content, async: false, onload: done, onerror: done }));
  });
  Promise.all([parsed, painted])
    .then(() => Promise.all([...document.querySelectorAll("meta[name=later]")].map(begin)))
    // htmx looks through the page in a task of its own, which was asked for before this one.
    .then(() => setTimeout(() => { root.dataset.started = Math.round(performance.now()); }));

  const offline = (shown) => {
    let note = document.getElementById("offline");
    if (shown && !note) {
      note = document.createElement("div");
      note.id = "offline";
      note.className = "floating";
      note.setAttribute("role", "status");
      note.textContent = "No connection to the dashboard. Trying again; running jobs go on.";
      document.body.append(note);
    } else if (!shown && note) note.remove();
  };

  // A tab behind others still tells how far its job is, but asks for that alone and seldom.
  let told = 0;
  const tells = (box) => {
    if (!box.matches?.("[data-tab]") || Date.now() - told < 15000) return false;
    told = Date.now();
    return true;
  };

  // What a region shows may be deleted in another tab: that is said once, and then it asks no more.
  const gone = new WeakSet();
  const isPoll = (ctx) => ctx?.sourceEvent?.type === "every";

  // A page that is drawn anew because its work is done would take away what a person is typing, or send
  // a refused form again. It waits until nothing is typed any more, and says so.
  const KEPT = "[name=caption], [data-curve]";  // saved by themselves
  const isChanged = (input) => {
    if (input.matches(KEPT)) return false;
    if (input.type === "checkbox" || input.type === "radio") return input.checked !== input.defaultChecked;
    if (input.tagName !== "SELECT") return input.type !== "hidden" && input.value !== input.defaultValue;
    return input.selectedIndex !== Math.max(0, [...input.options].findIndex((option) => option.defaultSelected));
  };
  const isAtWork = () => document.body.hasAttribute("data-answer") || [...document.querySelectorAll("main :is(input, textarea, select)")].some(isChanged);
  const waits = () => {
    if (document.getElementById("news")) return;
    const note = Object.assign(document.createElement("div"), { id: "news", className: "floating", textContent: "There is news. It is shown when what you typed is sent. " });
    const button = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: "Show it now" });
    button.addEventListener("click", () => location.replace(location.pathname + location.search));
    note.setAttribute("role", "status");
    note.append(button);
    document.body.append(note);
  };

  document.addEventListener("htmx:before:request", (event) => {
    const ctx = event.detail?.ctx;
    if (isPoll(ctx) && (gone.has(event.target) || document.hidden && !tells(event.target))) event.preventDefault();
    // What a region shows goes with each of its polls. It stands beside hx-get, because HTMX wires a region
    // anew at each change of that, again and again on a page that is open for hours.
    const shown = event.target.dataset?.shown;
    if (shown && ctx) ctx.request.action += (ctx.request.action.includes("?") ? "&" : "?") + shown;
  });
  document.addEventListener("htmx:before:response", (event) => {
    // Vast's proxy answers for us while we restart; through a tunnel with status 200.
    const response = event.detail?.ctx?.response;
    if (response?.headers?.has("X-Portal-Placeholder")) event.preventDefault();
    offline(false);
    if (response?.headers?.has("HX-Refresh") && isAtWork()) { event.preventDefault(); waits(); }
    const isOurs = response?.headers?.has("Content-Security-Policy");  // a proxy may say 404 for us
    if (response?.status !== 404 || !isOurs || !isPoll(event.detail.ctx)) return;
    gone.add(event.target);
    if (document.getElementById("flash").textContent.trim()) event.preventDefault();
  });
  document.addEventListener("htmx:error", () => offline(true));

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog?.showModal) { event.preventDefault(); dialog.showModal(); return; }
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target.closest("[data-theme-switch]")) {
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      const now = root.dataset.theme || (dark ? "dark" : "light");
      choose(now === "dark" ? "light" : "dark");
    }
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(copier);
    const link = event.target.closest('a[href^="#"]');
    if (link?.closest("#job-form, .notice") && reveal(link.hash.slice(1))) event.preventDefault();
  });

  // A form is sent once, however often its button is pressed, until its answer is there or does not come.
  // What answers with a file leaves the page as it is, and may be asked for again.
  const PATIENCE = 10_000;
  const ready = (form, button) => { delete form.dataset.sending; button?.removeAttribute("aria-disabled"); };
  document.addEventListener("submit", (event) => {
    const { target: form, submitter: button } = event;
    if (event.defaultPrevented || form.method !== "post" || button?.hasAttribute("data-again")) return;
    if ("sending" in form.dataset) { event.preventDefault(); return; }
    form.dataset.sending = "";
    button?.setAttribute("aria-disabled", "true");
    setTimeout(() => ready(form, button), PATIENCE);
    addEventListener("pagehide", () => ready(form, button), { once: true });
  });

  // A native file is copied as it will be written, without the names of fields beside it.
  const copy = async (button) => {
    const box = document.getElementById(button.dataset.copy);
    const rows = [...box.querySelectorAll("code")].map((row) => row.textContent);
    await navigator.clipboard?.writeText(rows.length ? `${rows.join("\n")}\n` : box.textContent);
    button.dataset.done = "";
    setTimeout(() => delete button.dataset.done, 1500);
  };

  // A link to a field opens the group that it stands in and goes there.
  const reveal = (id) => {
    const field = document.getElementById(id);
    if (!field) return false;
    for (let box = field.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    field.scrollIntoView({ block: "center" });
    field.focus({ preventScroll: true });
    return true;
  };

  // What a page needs only once a person turns to a part of it comes then: on the way of the pointer
  // or the focus to it. With data-soon it also comes by itself when the page has been there a while.
  // One that could not come is asked for again, but not at each move of the pointer.
  const AGAIN = 5000;
  const brought = new Map();
  const bring = (box) => {
    const { script, sheet } = box.dataset;
    if (!brought.has(script)) {
      if (sheet && !document.querySelector(`link[href="${CSS.escape(sheet)}"]`)) document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: sheet }));
      const coming = new Promise((done, lost) => {
        const tag = Object.assign(document.createElement("script"), { src: script, onload: done });
        tag.onerror = () => { tag.remove(); setTimeout(() => brought.delete(script), AGAIN); lost(); };
        document.head.append(tag);
      });
      brought.set(script, coming);
      coming.then(() => brought.set(script, true), () => {});
    }
    return brought.get(script);
  };
  const turnedTo = (spot) => {
    const box = spot.closest?.("[data-lazy]");
    return box && spot.closest(box.dataset.lazy) ? box : null;
  };
  ["pointerover", "focusin", "touchstart"].forEach((type) => document.addEventListener(type, (event) => {
    const box = turnedTo(event.target);
    if (box) bring(box);
  }, { passive: true }));
  document.addEventListener("click", (event) => {
    const [box, link] = [turnedTo(event.target), event.target.closest?.("a[href]")];
    if (!box || !link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || bring(box) === true) return;
    // Clicked before its script was there: it is clicked again when it is, and followed if it cannot come.
    event.preventDefault();
    bring(box).then(() => link.click(), () => { location.href = link.href; });
  });
  const soon = () => document.querySelectorAll("[data-soon]").forEach((box) => { if (box.querySelector("figure")) bring(box); });
  document.addEventListener("htmx:after:swap", (event) => { if (event.target.closest?.("[data-soon]")) soon(); });
  addEventListener("load", () => setTimeout(soon, navigator.connection?.saveData ? 3e7 : 600));

  // Times in the reader's own zone; without this file they are in UTC, and say so.
  const PART = { clock: [11, 16], day: [0, 10], minute: [0, 16], full: [0, 19] };
  const localise = () => document.querySelectorAll("time[data-local]").forEach((spot) => {
    const at = new Date(spot.dateTime);
    spot.title = spot.dateTime;
    // By hand: asking for a language's format loads all that the browser knows of it, before the first frame.
    spot.textContent = new Date(at - at.getTimezoneOffset() * 60_000).toISOString().replace("T", " ").slice(...PART[spot.dataset.local]);
  });
  document.addEventListener("DOMContentLoaded", localise);
  document.addEventListener("htmx:after:swap", localise);

  // A menu closes when a person turns to something else.
  const openMenus = () => document.querySelectorAll("details.menu[open]");
  ["click", "focusin"].forEach((type) => document.addEventListener(type, (event) => {
    openMenus().forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  }));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    openMenus().forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  });

  document.addEventListener("DOMContentLoaded", () => {
    // The answer to a form takes the address of its page: a reload sends nothing again.
    const { answer } = document.body.dataset;
    if (answer) history.replaceState(history.state, "", answer);
    document.querySelector("[data-theme-switch]")?.removeAttribute("hidden");  // where the styles do not know of scripting
    document.querySelector("[data-first-error]")?.focus();
    if (location.hash.startsWith("#sample-")) document.querySelectorAll("#job-samples[data-lazy]").forEach(bring);
    // Where things stand is asked for in the first frame, which finds it out anyway: by now there may be no styles.
    requestAnimationFrame(() => {
      const [nav, here, log] = [".bar nav", ".bar nav [aria-current]", "#log"].map((part) => document.querySelector(part));
      if (here) nav.scrollLeft = here.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;
      if (log) log.scrollTop = log.scrollHeight;  // a log is read from its end; log.js goes on from there
    });
  });
})();
