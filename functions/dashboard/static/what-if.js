// Tries other rules while they are changed: <form class="what-if">. Without this the form is sent.
(() => {
  const WAIT = 250;
  const form = document.querySelector("form.what-if");
  const problem = document.getElementById("problem");
  const rows = document.getElementById("rows");
  const template = document.getElementById("mover");
  const scores = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const numbers = new Intl.NumberFormat();
  const words = new Map();
  const keyField = document.getElementById("key");
  const publish = document.getElementById("publish");
  const signed = document.getElementById("publish-form");
  let timer = 0;
  let asked = null;
  let tried = null;

  for (const slider of form.querySelectorAll(".slider")) {
    const [range, number] = slider.querySelectorAll("input");
    if (number.name.startsWith("points.")) words.set(number.name.slice(7), slider.querySelector("label").textContent);
    range.hidden = false;
    range.addEventListener("input", () => { number.value = range.value; later(); });
    number.addEventListener("input", () => { range.value = number.value; later(); });
  }
  // Another board has another coverage, which the server tells.
  for (const select of form.querySelectorAll("select")) {
    select.addEventListener("change", () => location.assign(`${location.pathname}?${wanted().kept}`.replace(/\?$/, "")));
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); attempt(); });

  function later() {
    forget();
    clearTimeout(timer);
    timer = setTimeout(attempt, WAIT);
  }

  // What is not on the sliders must not be published: nor may an answer about it come late.
  function forget() {
    asked?.abort();
    tried = null;
    if (publish) publish.disabled = true;
    if (signed) {
      signed.elements.rules.value = "";
      signed.querySelector("button").disabled = true;
    }
  }

  function chosen() {
    const kept = new URLSearchParams();
    for (const select of form.querySelectorAll("select")) {
      if (select.value !== { board: "global", window: "all", class: "human" }[select.name]) kept.set(select.name, select.value);
    }
    return kept;
  }

  function wanted() {
    const changes = { points: {}, caps: [] };
    const kept = chosen();
    for (const slider of form.querySelectorAll(".slider")) {
      const input = slider.querySelector("input[name]");
      const value = input.value || slider.dataset.now;
      const changed = Number(value) !== Number(slider.dataset.now);
      if (changed) kept.set(input.name, value);
      if (!changed) continue;
      if (input.name.startsWith("points.")) changes.points[input.name.slice(7)] = value;
      else if (!input.name.startsWith("cap.")) changes[input.name] = Number(value);
    }
    return { changes, kept };
  }

  async function capsInForce() {
    capsInForce.kept ??= fetch(form.dataset.rules).then(read).then((answer) => answer.data.rules.caps);
    return capsInForce.kept;
  }

  async function read(answer) {
    const body = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(body.message), { status: answer.status });
    return body;
  }

  async function attempt() {
    clearTimeout(timer);
    forget();
    asked = new AbortController();
    const { signal } = asked;
    const { changes, kept } = wanted();
    history.replaceState(null, "", kept.size ? `?${kept}` : location.pathname);
    try {
      changes.caps = (await capsInForce()).map((cap, number) => ({
        ...cap, points: form.elements[`cap.${number}`]?.value || cap.points,
      }));
      const { board, window: span, class: account } = form.elements;
      const answer = await read(await fetch(form.dataset.preview, {
        method: "POST", signal, headers: { "Content-Type": "application/json", ...key() },
        body: JSON.stringify({
          board: board.value, window: span.value, class: account.value, changes, limit: Number(form.dataset.limit),
        }),
      }));
      if (signal.aborted) return;
      problem.hidden = true;
      show(answer);
    } catch (error) {
      if (signal.aborted) return;
      // The API takes keys only. The page itself knows who is signed in.
      if (error.status === 401 && signed) return form.submit();
      capsInForce.kept = undefined;
      problem.textContent = error.message;
      problem.hidden = false;
    }
  }

  function key() {
    const typed = keyField?.value;
    return typed ? { "X-API-Key": typed } : {};
  }

  function show(answer) {
    const { summary, movers, rules } = answer.data;
    tried = { rules, version: Number(form.dataset.version) };
    document.getElementById("told").textContent =
      `${numbers.format(summary.change_rank)} of ${numbers.format(summary.contributors)} change their rank, ${numbers.format(summary.change_score)} their score`;
    document.getElementById("nobody").hidden = movers.length > 0;
    rows.replaceChildren(...movers.map(row));
    const same = answer.meta.digest_before === answer.meta.digest_after;
    if (publish) publish.disabled = same;
    if (signed) {
      signed.elements.rules.value = same ? "" : JSON.stringify(rules);
      signed.querySelector("button").disabled = same;
    }
  }

  function row(mover) {
    const made = template.content.querySelector("tr").cloneNode(true);
    const slot = (name) => made.querySelector(`[data-slot=${name}]`);
    slot("rank").textContent = `${numbers.format(mover.rank_before)} → ${numbers.format(mover.rank_after)}`;
    slot("name").href = form.dataset.contributors + mover.username.split("/").map(encodeURIComponent).join("/");
    slot("name").querySelector("bdi").textContent = mover.username;
    const moved = document.createElement("span");
    moved.className = mover.places > 0 ? "mv up" : mover.places < 0 ? "mv down" : "mv";
    moved.textContent = mover.places ? `${mover.places > 0 ? "▲" : "▼"} ${numbers.format(Math.abs(mover.places))}` : "–";
    slot("places").replaceChildren(moved);
    slot("score").textContent = `${scores.format(mover.score_before)} → ${scores.format(mover.score_after)}`;
    slot("kinds").textContent = Object.entries(mover.by_kind)
      .map(([kind, change]) => `${words.get(kind)} ${change > 0 ? "+" : ""}${scores.format(change)}`).join(", ");
    return made;
  }

  publish?.addEventListener("click", async () => {
    const sent = tried;
    if (!sent || !confirm("Put these rules in force for everybody?")) return;
    publish.disabled = true;
    try {
      await read(await fetch(form.dataset.rules, {
        method: "PUT", headers: { "Content-Type": "application/json", ...key() }, body: JSON.stringify(sent),
      }));
      // All that this page compares with is from before.
      const address = chosen();
      address.set("done", "rules");
      location.assign(`${location.pathname}?${address}`);
    } catch (error) {
      document.getElementById("published").textContent = error.message;
      publish.disabled = tried !== sent;
    }
  });
  // What was tried holds with any key, and the button must not go from under who types one.
  keyField?.addEventListener("change", () => { if (!tried) later(); });
  signed?.addEventListener("submit", (event) => {
    if (!confirm("Put these rules in force for everybody?")) event.preventDefault();
  });

  // What an address tries can be published at once.
  if (wanted().kept.size && publish) attempt();
})();
