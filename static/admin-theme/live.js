// Keeps an instance's page current: asks for its status, and takes the page's own HTML anew when
// it moved. Rests while the tab is hidden or paused, and stops when the run has ended.
"use strict";

(() => {
  const EVERY_MS = 2000;
  const pause = document.getElementById("pause-live");
  let etag = null;
  let timer = null;
  let paused = false;
  let asking = false;

  const live = () => document.getElementById("live");

  async function refresh() {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    const old = live();
    if (!fresh) return;
    for (const details of old.querySelectorAll("details[id]")) {
      const same = fresh.querySelector("#" + CSS.escape(details.id));
      if (same) same.open = details.open || same.open;
    }
    const line = old.querySelector("#status-line");
    const said = fresh.querySelector("#status-line");
    if (line.textContent !== said.textContent) line.replaceChildren(...said.cloneNode(true).childNodes);
    said.replaceWith(line);  // the same node stays, so that readers are told of its change
    old.dataset.version = fresh.dataset.version;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const path = focused && (focused.id || focused.getAttribute("href"));
    old.replaceChildren(...fresh.childNodes);
    if (path) {
      const again = old.querySelector("#" + CSS.escape(path)) || old.querySelector(`[href="${CSS.escape(path)}"]`);
      if (again) again.focus({ preventScroll: true });
    }
  }

  async function ask() {
    timer = null;
    if (asking || paused || document.hidden) return;
    asking = true;
    let ended = false;
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch(live().dataset.statusUrl, { headers, cache: "no-store", credentials: "same-origin" });
      if (answer.status === 200) {
        const status = await answer.json();
        etag = answer.headers.get("ETag");
        if (status.version !== live().dataset.version) await refresh();
        ended = status.ended;
      } else if (answer.status !== 304) {
        ended = true;  // signed out, or gone
      }
    } catch {
      // The server is away for a moment; the next turn asks again.
    } finally {
      asking = false;
    }
    if (ended) pause.hidden = true;
    else plan();
  }

  function plan() {
    if (timer === null && !paused && !document.hidden) timer = setTimeout(ask, EVERY_MS);
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on updating" : "Pause updates";
    plan();
  });
  document.addEventListener("visibilitychange", plan);
  plan();
})();
