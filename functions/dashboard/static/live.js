// Brings a page up to date while its work goes on: <main data-refresh="SECONDS">.
(() => {
  const LONGEST = 60;
  let wait = seconds();
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
    // What the reader has the keyboard on must not vanish under it.
    const held = main.contains(document.activeElement) && document.activeElement !== main;
    const place = held ? [...main.querySelectorAll("a, summary")].indexOf(document.activeElement) : -1;
    main.replaceWith(document.adoptNode(fresh));
    if (place >= 0) fresh.querySelectorAll("a, summary")[place]?.focus({ preventScroll: true });
    document.dispatchEvent(new Event("page:changed"));
  }

  async function loop() {
    try {
      await refresh();
      wait = seconds();
    } catch {
      wait = Math.min(wait * 2, LONGEST);
    }
    if (wait > 0) setTimeout(loop, wait * 1000);
  }

  if (wait > 0) setTimeout(loop, wait * 1000);
})();
