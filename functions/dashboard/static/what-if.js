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
    clearTimeout(timer);
    timer = setTimeout(attempt, WAIT);
  }

  function wanted() {
    const changes = { points: {}, caps: [] };
    const kept = new URLSearchParams();
    for (const slider of form.querySelectorAll(".slider")) {
      const input = slider.querySelector("input[name]");
      const value = input.value || slider.dataset.now;
      const changed = Number(value) !== Number(slider.dataset.now);
      if (changed) kept.set(input.name, value);
      if (!changed) continue;
      if (input.name.startsWith("points.")) changes.points[input.name.slice(7)] = value;
      else if (!input.name.startsWith("cap.")) changes[input.name] = Number(value);
    }
    for (const select of form.querySelectorAll("select")) {
      if (select.value !== { board: "global", window: "all", class: "human" }[select.name]) kept.set(select.name, select.value);
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
    asked?.abort();
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
      if (error.name === "AbortError") return;
      // The API takes keys only. The page itself knows who is signed in.
      if (error.status === 401 && signed) return form.submit();
      capsInForce.kept = undefined;
      tried = null;
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
    const told = document.getElementById("published");
    if (!tried || !confirm("Put these rules in force for everybody?")) return;
    try {
      const answer = await read(await fetch(form.dataset.rules, {
        method: "PUT", headers: { "Content-Type": "application/json", ...key() }, body: JSON.stringify(tried),
      }));
      told.textContent = `Version ${answer.data.version} is in force. The boards follow.`;
      publish.disabled = true;
    } catch (error) {
      told.textContent = error.message;
    }
  });
  keyField?.addEventListener("change", later);
  signed?.addEventListener("submit", (event) => {
    if (!confirm("Put these rules in force for everybody?")) event.preventDefault();
  });

  // What an address tries can be published at once.
  if (wanted().kept.size && publish) attempt();
})();
