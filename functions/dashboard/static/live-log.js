// Follows the live log: <section data-stream="ADDRESS" data-job="ID or nothing">, and brings up to date
// every element with data-live-job. Other scripts hear of jobs by the event "live:job".
(() => {
  const MOST_LINES = 1000;
  const LONGEST_WAIT = 30;
  const LASTS = 10 * 60 * 1000;
  const SILENCE = 75 * 1000;

  for (const panel of document.querySelectorAll("[data-stream]")) follow(panel);

  function follow(panel) {
    const form = panel.querySelector("form");
    const list = panel.querySelector("ol");
    const empty = panel.querySelector(".live-empty");
    const state = panel.querySelector(".live-state");
    const pause = form.elements.pause;
    const seen = new Set();
    let held = [];
    let source = null;
    let last = "";
    let failures = 0;
    let begun = 0;
    let timer = 0;
    let watchdog = 0;

    function show(words, tone) {
      if (state.textContent !== words) state.textContent = words;
      state.dataset.tone = tone;
    }

    function connect() {
      close();
      if (document.hidden) return show("Asleep while this page is hidden", "wait");
      const address = new URL(panel.dataset.stream, location.href);
      address.searchParams.set("level", form.elements.level.value);
      if (form.elements.job.value) address.searchParams.set("job", form.elements.job.value);
      if (last) address.searchParams.set("after", last);
      show(failures ? "Connecting again" : "Connecting", "warn");
      begun = Date.now();
      source = new EventSource(address);
      source.onopen = () => { failures = 0; alive(); show(paused() ? "Paused" : "Live", paused() ? "wait" : "good"); };
      source.onerror = later;
      source.addEventListener("ping", alive);
      source.addEventListener("end", () => connect());
      source.addEventListener("log", (event) => { alive(); take(JSON.parse(event.data).data); });
      source.addEventListener("job_status", (event) => { alive(); update(JSON.parse(event.data)); });
    }

    function close() {
      clearTimeout(timer);
      clearTimeout(watchdog);
      source?.close();
      source = null;
    }

    // No word for longer than two heartbeats: the connection is dead, whatever it says of itself.
    function alive() {
      clearTimeout(watchdog);
      watchdog = setTimeout(later, SILENCE);
      if (Date.now() - begun > LASTS) connect();
    }

    function later() {
      close();
      failures += 1;
      const wait = Math.min(2 ** (failures - 1), LONGEST_WAIT) * (0.8 + Math.random() * 0.4);
      show(`Connection lost, trying again in ${Math.ceil(wait)} s`, "bad");
      timer = setTimeout(connect, wait * 1000);
    }

    function paused() {
      return pause.getAttribute("aria-pressed") === "true";
    }

    function take(line) {
      if (seen.has(line.id)) return;
      seen.add(line.id);
      if (line.at > last) last = line.at;
      if (!paused()) return add([line]);
      held.push(line);
      if (held.length > MOST_LINES) held.shift();
      show(`Paused, ${held.length} new`, "wait");
    }

    function add(lines) {
      if (!lines.length) return;
      const fresh = document.createDocumentFragment();
      for (const line of lines) fresh.append(row(line));
      list.append(fresh);
      while (list.children.length > MOST_LINES) list.firstElementChild.remove();
      empty.hidden = true;
      if (form.elements.follow.checked) list.parentElement.scrollTop = list.offsetHeight;
    }

    function row(line) {
      const item = document.createElement("li");
      item.className = line.level;
      item.dataset.job = line.job;
      const time = document.createElement("time");
      time.dateTime = line.at;
      time.title = line.at.replace("T", " ").replace(/\.\d+Z$/, " UTC");
      time.textContent = new Date(line.at).toLocaleTimeString();
      const level = text("b", line.level === "info" ? "" : line.level);
      const job = text("a", line.job.slice(-6));
      job.href = panel.dataset.jobs + encodeURIComponent(line.job);
      job.title = `Job ${line.job}`;
      item.append(time, " ", level, " ", job, " ", text("bdi", line.repository || ""), " ", text("bdi", line.message));
      return item;
    }

    function text(tag, words) {
      const made = document.createElement(tag);
      made.textContent = words;
      return made;
    }

    function update(job) {
      for (const card of document.querySelectorAll(`[data-live-job="${CSS.escape(job.job_id)}"]`)) {
        const chip = card.querySelector(".chip");
        if (chip) {
          chip.textContent = job.label;
          chip.className = `chip ${job.tone}`;
        }
        const bar = card.querySelector("progress");
        if (bar) {
          bar.max = Math.max(job.progress.total, 1);
          bar.value = job.progress.done;
        }
        const doing = card.querySelector("progress + span");
        if (doing) doing.textContent = job.error || job.progress.message;
      }
      document.dispatchEvent(new CustomEvent("live:job", { detail: job }));
    }

    function anew() {
      last = "";
      held = [];
      seen.clear();
      list.replaceChildren();
      empty.hidden = false;
      connect();
    }

    form.addEventListener("submit", (event) => event.preventDefault());
    form.elements.level.addEventListener("change", anew);
    form.elements.job.addEventListener("change", () => { if (form.elements.job.checkValidity()) anew(); });
    form.elements.clear.addEventListener("click", () => { list.replaceChildren(); empty.hidden = false; });
    pause.addEventListener("click", () => {
      const resume = paused();
      pause.setAttribute("aria-pressed", String(!resume));
      pause.textContent = resume ? "Pause" : "Go on";
      if (!resume) return show("Paused", "wait");
      add(held.splice(0));
      if (source?.readyState === EventSource.OPEN) show("Live", "good");
    });
    document.addEventListener("visibilitychange", connect);
    addEventListener("pagehide", close);
    addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
    connect();
  }
})();
