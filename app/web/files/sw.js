// Keeps the shell of the pages, so that an installed page opens without a network and says so. Video and events are
// never kept.
"use strict";
const name = "preroll-1", base = location.pathname.replace(/\/sw\.js$/, "");
const shell = ["/static/style.css", "/static/app.js", "/static/player.js", "/static/icon.png"].map(f => base + f);

const gone = {de: "Keine Verbindung", fr: "Pas de connexion"}[navigator.language.slice(0, 2)] ?? "No connection";

self.addEventListener("install", e => {
  e.waitUntil(caches.open(name).then(c => c.addAll(shell)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", e => {
  e.waitUntil(caches.keys().then(list => Promise.all(list.filter(n => n !== name).map(n => caches.delete(n))))
    .then(() => self.clients.claim()));
});
self.addEventListener("fetch", e => {
  const url = new URL(e.request.url);
  if (url.origin !== location.origin || e.request.method !== "GET") return;
  if (shell.includes(url.pathname)) {
    e.respondWith(fetch(e.request).then(answer => {
      if (answer.ok) { const copy = answer.clone(); caches.open(name).then(c => c.put(e.request, copy)); }
      return answer;
    }).catch(() => caches.match(e.request, {ignoreSearch: true})));
  } else if (e.request.mode === "navigate") {
    e.respondWith(fetch(e.request).catch(() => new Response("<!doctype html><meta name=viewport " +
      "content='width=device-width'><link rel=stylesheet href='" + base + "/static/style.css'><main><div class=empty>" +
      "<h1>Preroll</h1><p>" + gone + "</p><p><a class=button href='' aria-label=Preroll>↻</a></p></div></main>", {status: 503, headers: {"Content-Type":
      "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'none'; style-src 'self'"}})));
  }
});

// Word of an alarm, and then of its clip in its place. A tap opens the page.
self.addEventListener("push", e => {
  const w = e.data.json();
  e.waitUntil(self.registration.showNotification(w.title, {body: w.body, tag: w.tag, renotify: !!w.tag,
    icon: base + "/static/icon.png", image: w.image && base + w.image, data: base + w.page}));
});
self.addEventListener("notificationclick", e => {
  e.notification.close();
  e.waitUntil(self.clients.matchAll({type: "window"}).then(list => {
    const open = list.find(c => "navigate" in c);
    return open ? open.navigate(e.notification.data).then(c => c?.focus()) : self.clients.openWindow(e.notification.data);
  }));
});
