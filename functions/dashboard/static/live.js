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
    const [before, after] = [marked(old), marked(document.adoptNode(fresh))];
    const held = before.get(document.activeElement);
    const row = document.activeElement?.closest("li[id]")?.id;
    const found = new Map([...after].map(([one, mark]) => [mark, one]));
    for (const [one, mark] of before) {
      const same = found.get(mark);
      if (!same) continue;
      if (one.tagName === "DETAILS") same.open = one.open;
      if (one.tagName === "INPUT" && one.value !== one.defaultValue) same.value = one.value;
    }
    old.replaceWith(fresh);
    // Where a button has gone, the keyboard stays in its row, on what does nothing by itself.
    const beside = row === undefined ? null : fresh.querySelector(`#${CSS.escape(row)} a`);
    if (held) (found.get(held) ?? beside ?? document.getElementById("main")).focus({ preventScroll: true });
  }

  // What keeps its state, each with what it is known by: rows move, and a row may get another button.
  function marked(part) {
    const seen = new Map();
    const each = part.querySelectorAll("a, summary, details, button, select, input:not([type=hidden])");
    return new Map([...each].map((one) => {
      const action = one.closest("form")?.getAttribute("action");
      const mark = [one.closest("[id]")?.id, one.tagName, action, one.name, one.pathname].join(" ");
      const number = seen.get(mark) ?? 0;
      seen.set(mark, number + 1);
      return [one, `${mark} ${number}`];
    }));
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
