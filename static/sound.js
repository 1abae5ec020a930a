/* A short tone when a job finishes or fails, for whoever asked for it on the Settings page.
   Remembered in this browser alone; made here, so that nothing is loaded. */
(() => {
  "use strict";
  const KEY = "sound";
  const wanted = () => { try { return localStorage.getItem(KEY) === "on"; } catch { return false; } };
  const BUSY = ["queued", "held", "starting", "running", "stopping"];
  const TONES = { succeeded: [523.25, 659.25, 783.99], failed: [392, 311.13] };

  let context = null;
  const play = (name) => {
    context = context || new AudioContext();
    context.resume?.();
    TONES[name].forEach((pitch, place) => {
      const at = context.currentTime + place * 0.16;
      const tone = context.createOscillator();
      const volume = context.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, at);
      volume.gain.exponentialRampToValueAtTime(0.16, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
      tone.connect(volume).connect(context.destination);
      tone.start(at);
      tone.stop(at + 0.32);
    });
    document.documentElement.dataset.played = name;
  };

  // A browser lets a page sound only after a person has touched it once.
  document.addEventListener("pointerdown", () => { if (wanted()) { context = context || new AudioContext(); context.resume(); } }, { once: true });

  const states = () => new Map([...document.querySelectorAll("[data-state]")].map((mark) => [
    mark.closest("tr")?.id || mark.closest("section")?.id || "", mark.dataset.state,
  ]));
  let before = new Map();
  const look = () => {
    const now = states();
    for (const [id, state] of now) {
      if (TONES[state] && BUSY.includes(before.get(id))) play(state);
    }
    before = now;
  };
  // Most people want none: then nothing is looked through at each poll.
  document.addEventListener("htmx:after:swap", () => { if (wanted()) look(); });
  look();

  const box = document.querySelector("[data-sound]");
  if (!box) return;
  const button = document.querySelector("[data-sound-try]");
  box.checked = wanted();
  box.disabled = button.disabled = false;
  box.addEventListener("change", () => {
    try { localStorage.setItem(KEY, box.checked ? "on" : "off"); } catch { box.checked = false; }
    if (box.checked) play("succeeded");
  });
  button.addEventListener("click", () => play("succeeded"));
})();
