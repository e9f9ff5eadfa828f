// What all pages share: they follow the recorder, refresh pictures, and ask before they delete.
"use strict";
const body = document.body, base = body.dataset.base, $ = (s, e = document) => e.querySelector(s);
const $$ = (s, e = document) => [...e.querySelectorAll(s)];

// --- Following the recorder ---

let busy = false, again = false;
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}});
    if (answer.redirected && new URL(answer.url).pathname.endsWith("/pair")) { location.href = answer.url; return; }
    if (answer.status === 404) { location.href = base + "/events"; return; }
    if (answer.ok) renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch { /* the watch comes again */ }
  await new Promise(done => setTimeout(done, 1000));
  busy = false;
  if (again) { again = false; refresh(); }
}

function renew(fresh) {
  const cards = $("#cards"), now = $("#cards", fresh);
  if (cards && now && cards.dataset.keys !== now.dataset.keys) { location.reload(); return; }
  if ($("#older")?.childElementCount) { merge($("#list", fresh)); return; }
  for (const old of $$("[data-live]")) {
    const e = fresh.getElementById(old.id);
    if (!e) continue;
    if (old.dataset.key !== undefined) {
      if (old.dataset.key === e.dataset.key) continue;
      old.dataset.key = e.dataset.key;
    }
    if (e.dataset.class) old.className = e.dataset.class;
    if (old.innerHTML === e.innerHTML) continue;
    if (old.dataset.key === undefined && old.contains(document.activeElement)) continue; // the person is there now
    $("#player", old)?.player?.close();
    old.replaceChildren(...e.childNodes);
    ready(old);
  }
}

// merge puts new events on top of a list that was continued below, and brings the others up to date.
function merge(fresh) {
  if ($(".day h2", fresh)?.textContent !== $(".day h2")?.textContent) { location.reload(); return; } // midnight
  for (const row of $$(".row", fresh).reverse()) {
    const old = $$(".row").find(r => r.href === row.href);
    if (!old) $(".rows")?.prepend(row); else if (old.innerHTML !== row.innerHTML) old.replaceWith(row);
  }
}

function follow() {
  const gone = $("#gone"), watch = new EventSource(base + "/watch");
  let first = true, late;
  watch.onmessage = () => { if (first) first = false; else refresh(); };
  watch.onopen = () => { clearTimeout(late); if (!gone.hidden) { gone.hidden = true; refresh(); } };
  watch.onerror = () => {
    clearTimeout(late);
    late = setTimeout(() => { gone.textContent = body.dataset.gone; gone.hidden = false; }, 3000);
    if (watch.readyState === EventSource.CLOSED) setTimeout(() => { watch.close(); refresh(); follow(); }, 3000);
  };
  addEventListener("pagehide", () => watch.close(), {once: true});
}

// --- Pictures ---

async function still(img) {
  try {
    const answer = await fetch(img.dataset.src);
    img.classList.toggle("old", !answer.ok);
    if (!answer.ok) return;
    const last = img.src;
    img.src = URL.createObjectURL(await answer.blob());
    if (last.startsWith("blob:")) URL.revokeObjectURL(last);
  } catch { img.classList.add("old"); }
}

async function stills() {
  const list = $$("img.still");
  while (list.length) {
    if (!document.hidden) for (const img of list) {
      const box = img.getBoundingClientRect();
      if (box.bottom > 0 && box.top < innerHeight) await still(img);
    }
    await new Promise(done => setTimeout(done, 2000));
  }
}

// --- Forms and buttons ---

function ask(form) {
  const d = document.createElement("dialog"), p = document.createElement("p"), row = document.createElement("div");
  p.textContent = form.dataset.confirm;
  p.id = "question";
  d.setAttribute("aria-labelledby", p.id);
  row.className = "actions";
  for (const [word, yes] of [[form.dataset.no, false], [form.dataset.yes, true]]) {
    const b = document.createElement("button");
    b.textContent = word;
    if (yes) b.className = "danger";
    b.onclick = () => { d.close(); if (yes) form.submit(); };
    row.append(b);
  }
  d.append(p, row);
  d.onclose = () => d.remove();
  body.append(d);
  d.showModal();
}

function share(button) {
  if (!navigator.share) return;
  button.hidden = false;
  let file;
  button.onclick = async () => {
    try {
      if (!file) {
        button.disabled = true;
        const video = await (await fetch(button.dataset.share)).blob();
        file = new File([video], button.dataset.share.split("/").pop(), {type: "video/mp4"});
      }
      const what = {title: button.dataset.title, files: [file]};
      await navigator.share(navigator.canShare?.(what) ? what : {title: what.title, url: location.href});
    } catch (e) {
      if (e.name === "NotAllowedError") button.classList.add("main"); // the video took long: one more tap shares it
    } finally { button.disabled = false; }
  };
}

// marks places the alarms and gaps of a clip. The style rules of the page forbid to write places into the HTML.
function marks(bar) {
  const span = +bar.dataset.span, video = $("video", bar.parentElement);
  for (const m of bar.children) {
    m.style.left = Math.min(100, Math.max(0, 100 * m.dataset.at / span)) + "%";
    if (m.dataset.length) m.style.width = 100 * m.dataset.length / span + "%";
    else m.onclick = () => { video.currentTime = m.dataset.at / 1000; video.play(); };
  }
}

function ready(root) {
  for (const f of $$("form[data-confirm]", root)) f.onsubmit = e => { e.preventDefault(); ask(f); };
  for (const b of $$("[data-share]", root)) share(b);
  for (const m of $$(".marks", root)) marks(m);
  if ($("#player", root)) window.startPlayer?.($("#player", root));
}

// More events are added below, so that the place in the list stays.
function older() {
  document.addEventListener("click", async e => {
    const more = e.target.closest?.("a.more");
    if (!more) return;
    e.preventDefault();
    const page = new DOMParser().parseFromString(await (await fetch(more.href)).text(), "text/html");
    const last = $$(".day").at(-1), first = $(".day", page);
    if (last && first && $("h2", last).textContent === $("h2", first).textContent) { // the same day goes on
      $(".rows", last).append(...$$(".row", first));
      first.remove();
    }
    $("#older").append(document.createElement("i"), ...$$(".day", page));
    const next = $("a.more", page);
    if (next) more.href = next.href; else more.remove();
  });
}

function pairing() {
  const code = $("[name=code]"), name = $("[name=name]");
  if (location.hash.length > 1) {
    code.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
  const kind = navigator.userAgent.match(/iPhone|iPad|Android|Windows|Macintosh|Linux/)?.[0] ?? "Browser";
  if (!name.value) name.value = kind === "Macintosh" ? "Mac" : kind;
}

// The seconds in RAM grow without a change that the recorder would tell.
setInterval(() => { if (!document.hidden && $(".state.recording,.state.connecting,.state.saving")) refresh(); }, 10000);

// word offers notifications, where the browser has them: it wants a trusted certificate.
async function word() {
  const p = $("#word");
  if (!p || !("PushManager" in window) || !isSecureContext) return;
  const worker = await navigator.serviceWorker.ready, button = $("button", p);
  const show = on => { button.textContent = on ? p.dataset.off : p.dataset.on; button.dataset.on = on; p.hidden = false; };
  const say = values => fetch(base + "/word", {method: "POST", body: new URLSearchParams(values)});
  show(!!await worker.pushManager.getSubscription());
  button.onclick = async () => {
    try {
      if (button.dataset.on === "true") {
        await (await worker.pushManager.getSubscription())?.unsubscribe();
        await say({});
        show(false);
        return;
      }
      const {key} = await (await fetch(base + "/word")).json();
      const s = (await worker.pushManager.subscribe({userVisibleOnly: true, applicationServerKey: key})).toJSON();
      if (!(await say({endpoint: s.endpoint, ...s.keys})).ok) throw new Error();
      show(true);
    } catch { $("span", p).textContent = p.dataset.no; }
  };
}

addEventListener("DOMContentLoaded", () => {
  ready(document);
  word();
  older();
  if (body.dataset.page === "pair") { pairing(); addEventListener("hashchange", pairing); }
  else { follow(); stills(); }
  if (navigator.serviceWorker && isSecureContext) navigator.serviceWorker.register(base + "/sw.js").catch(() => {});
});
