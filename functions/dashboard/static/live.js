// Brings a page up to date while its work goes on: <main data-refresh="SECONDS">. Where a page has
// sections with data-part, only those change; else all of <main> does. Where nothing goes on it waits
// until the live log tells of a job that the page does not show.
(() => {
  const LONGEST = 60;
  const ENDED = ["COMPLETED", "FAILED", "CANCELLED"];
  let wait = seconds();
  let timer = 0;
  let etag = "";

  function seconds() {
    return Number(document.getElementById("main").dataset.refresh || 0);
  }

  async function refresh() {
    if (document.hidden) return;
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(location.href, { headers, cache: "no-store" });
    if (answer.status === 304) return;
    if (!answer.ok) throw new Error(answer.statusText);
    etag = answer.headers.get("ETag") || "";
    replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  }

  function replace(page) {
    const main = document.getElementById("main");
    const fresh = page.getElementById("main");
    main.dataset.refresh = fresh.dataset.refresh || "";
    const parts = [...main.querySelectorAll("[data-part]")];
    for (const old of parts.length ? parts : [main]) {
      const next = page.getElementById(old.id);
      if (next) exchange(old, next);
    }
    document.dispatchEvent(new Event("page:changed"));
  }

  function exchange(old, fresh) {
    // What the reader has the keyboard on must not vanish under it, nor close what was opened.
    const reached = "a, summary, button, input, select";
    const held = old.contains(document.activeElement) && document.activeElement !== old;
    const place = held ? [...old.querySelectorAll(reached)].indexOf(document.activeElement) : -1;
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    const typed = [...old.querySelectorAll("input:not([type=hidden])")].map((one) => one.value);
    old.replaceWith(document.adoptNode(fresh));
    fresh.querySelectorAll("details").forEach((one, at) => { one.open = open[at] ?? one.open; });
    fresh.querySelectorAll("input:not([type=hidden])").forEach((one, at) => {
      one.value = typed[at] ?? one.value;
    });
    if (place >= 0) fresh.querySelectorAll(reached)[place]?.focus({ preventScroll: true });
  }

  async function loop() {
    try {
      await refresh();
      wait = seconds();
    } catch {
      wait = Math.min(wait * 2, LONGEST);
    }
    timer = wait > 0 ? setTimeout(loop, wait * 1000) : 0;
  }

  document.addEventListener("live:job", ({ detail: job }) => {
    const shown = document.querySelector(`[data-live-job="${CSS.escape(job.job_id)}"]`);
    if (!timer && !shown && !ENDED.includes(job.status)) timer = setTimeout(loop, 500);
  });
  if (wait > 0) timer = setTimeout(loop, wait * 1000);
})();
