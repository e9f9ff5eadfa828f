// The player of a ring: live, and back through all that is in RAM. It feeds the stream of the recorder to the browser's
// own decoder (Media Source Extensions). Media time 0 is the time "origin" by the recorder's clock, so a place in the
// video is a time of day. A browser without them plays HLS by itself; one without the codec shows stills.
"use strict";

const Source = window.ManagedMediaSource ?? window.MediaSource;
const wait = ms => new Promise(done => setTimeout(done, ms));

class Player {
  constructor(root) {
    this.root = root;
    this.data = root.dataset;
    const get = s => root.querySelector(s);
    [this.video, this.bar, this.spansBox, this.out, this.veil, this.img] =
      ["video", "input", ".spans", "output", ".veil", ".stills"].map(get);
    this.live = !this.data.from;
    this.want = this.live ? 0 : +this.data.from; // ms; 0: live
    this.paused = false;
    this.button = name => get(`[data-do=${name}]`);
    this.form = document.querySelector("form.save");
    this.button("play").onclick = () => this.pause(!this.paused);
    this.button("back").onclick = () => this.seek(this.now() - 10000);
    this.button("live").onclick = () => this.goLive();
    this.button("full").onclick = () => this.full();
    this.button("sound").onclick = () => {
      this.video.muted = !this.video.muted;
      this.button("sound").classList.toggle("on", !this.video.muted);
      this.button("sound").ariaPressed = !this.video.muted;
    };
    this.bar.oninput = () => this.scrub();
    root.onkeydown = e => this.key(e);
    this.hidden = () => {
      if (document.hidden) this.stop(); else if (!this.paused && this.origin) { this.here(); this.begin(); }
    };
    document.addEventListener("visibilitychange", this.hidden);
    addEventListener("pagehide", () => this.stop());
    this.start();
  }

  async start() {
    if (navigator.connection?.saveData) this.small = this.data.small === "1"; // the person pays for each megabyte
    while (!await this.spans()) { this.say(this.data.lost); await wait(2000); }
    this.origin = Math.round(this.newest()) - 2 * 3600e3;
    this.begin();
    this.timer = setInterval(() => this.tick(), 250);
    while (this.root.isConnected) {
      await wait(2000);
      if (!document.hidden) this.known = await this.spans();
    }
  }

  // close ends the player for good.
  close() {
    this.stop();
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.hidden);
  }

  // spans asks for the times that are in RAM, and draws them.
  async spans() {
    try {
      const answer = await fetch(this.data.spans + (this.small ? "?small=1" : ""));
      if (!answer.ok) return false;
      const list = (await answer.json()).map(s => ({from: Date.parse(s.from), to: Date.parse(s.to)}));
      if (!list.length) return false;
      this.got = performance.now();
      if (list.at(-1).to !== this.list?.at(-1).to) this.grew = this.got;
      this.list = list;
      const [a, b] = [this.oldest(), list.at(-1).to];
      this.spansBox.replaceChildren(...list.map(s => {
        const i = document.createElement("i");
        i.style.left = 100 * (s.from - a) / (b - a) + "%";
        i.style.width = 100 * (s.to - s.from) / (b - a) + "%";
        return i;
      }));
      this.bar.min = (a - b) / 1000;
      return true;
    } catch { return false; }
  }

  oldest() { return this.list[0].from; }
  newest() { return this.list.at(-1).to + performance.now() - this.got; }
  now() { return this.hls ? this.hlsStart() + this.video.currentTime * 1000 : this.origin + this.video.currentTime * 1000; }
  hlsStart() { return this.video.getStartDate?.().getTime() || this.oldest(); }

  // here notes the place to go on from, so that a break does not send the person back to where they began.
  here() { if (!this.live && this.placed) this.want = Math.max(this.now(), this.oldest()); }

  // --- The stream ---

  stop() { this.control?.abort(); }

  async begin() {
    this.stop();
    if (this.cannot || !this.origin) return;
    if (!Source) { this.native(); return; }
    const control = this.control = new AbortController(), before = this.running;
    this.running = (async () => {
      await before; // two streams never feed one buffer
      await this.feed(control);
    })();
  }

  async feed(control) {
    const mine = () => !control.signal.aborted && this.root.isConnected;
    while (mine()) {
      try {
        await this.stream(control.signal, mine);
        if (!mine()) return;
        this.want = this.live ? 0 : this.end();
      } catch (e) {
        if (!mine()) return;
        if (this.cannot && !this.small && this.data.small === "1") {
          this.cannot = false;
          this.small = true;
          this.goLive();
          return;
        }
        if (this.cannot) { this.stills(); return; }
        this.here();
        this.say(this.data.lost);
        await wait(1000);
      }
    }
  }

  // stream plays one answer of the recorder, to its end.
  async stream(signal, mine) {
    const answer = await fetch(`${this.data.liveSrc}?origin=${this.origin}${this.want ? "&from=" + Math.round(this.want) : ""}${this.small ? "&small=1" : ""}`,
      {signal});
    if (answer.status === 415) this.cannot = true;
    if (!answer.ok) throw new Error(answer.status);
    const type = answer.headers.get("Content-Type");
    if (!Source.isTypeSupported(type)) { this.cannot = true; throw new Error(type); }
    this.button("sound").hidden = !/mp4a|opus/i.test(type);
    this.placed = false;
    await this.open(type);
    const reader = answer.body.getReader();
    while (mine()) {
      const {done, value} = await reader.read();
      if (done || !mine()) return;
      await this.append(value, mine);
      if (!this.placed && this.buffer.buffered.length) {
        this.placed = true;
        this.place();
      }
      if (this.placed) await this.forget();
      while (mine() && this.placed && this.ahead() > 12) await wait(200);
    }
  }

  // open makes a source for a type of video, or empties the one there is.
  async open(type) {
    if (this.type === type && this.media?.readyState === "open") {
      try {
        this.buffer.abort();
        await this.done(() => this.buffer.remove(0, Infinity));
        return;
      } catch { /* make another */ }
    }
    this.media = new Source();
    this.type = type;
    this.video.disableRemotePlayback = true;
    this.video.src = URL.createObjectURL(this.media);
    await new Promise(done => this.media.addEventListener("sourceopen", done, {once: true}));
    URL.revokeObjectURL(this.video.src);
    this.buffer = this.media.addSourceBuffer(type);
  }

  async done(f) {
    if (this.buffer.updating) await new Promise(done => this.buffer.addEventListener("updateend", done, {once: true}));
    f();
    if (this.buffer.updating) await new Promise(done => this.buffer.addEventListener("updateend", done, {once: true}));
  }

  async append(bytes, mine) {
    while (mine()) {
      try { await this.done(() => this.buffer.appendBuffer(bytes)); break; } catch (e) {
        if (e.name !== "QuotaExceededError") throw e;
        await this.done(() => this.buffer.remove(0, Math.max(0.1, this.video.currentTime - 5))); // it is full
        await wait(500);
      }
    }
  }

  // forget drops what was played a minute ago.
  async forget() {
    await this.done(() => { // a seek may have come meanwhile
      const b = this.buffer.buffered, at = this.video.currentTime;
      if (b.length && at - b.start(0) > 60) this.buffer.remove(0, at - 40);
    });
  }

  // place goes to where the stream was asked for, and plays.
  place() {
    const b = this.buffer.buffered, first = b.start(0), last = b.end(b.length - 1);
    const at = this.live ? last - 0.25 : (this.want - this.origin) / 1000;
    this.video.currentTime = Math.max(first + 0.01, Math.min(at, this.live ? last : Infinity));
    this.say("");
    if (!this.paused) this.video.play().catch(() => {});
  }

  end() {
    const b = this.buffer?.buffered;
    return b?.length ? this.origin + b.end(b.length - 1) * 1000 : this.newest();
  }
  ahead() { return (this.end() - this.now()) / 1000; }

  // native lets the browser play HLS.
  native() {
    if (!this.video.canPlayType("application/vnd.apple.mpegurl")) { this.cannot = true; this.stills(); return; }
    if (!this.hls) {
      this.hls = true;
      this.video.src = this.data.hls;
    }
    if (this.want) this.video.currentTime = (this.want - this.hlsStart()) / 1000;
    this.video.play().catch(() => {});
  }

  // stills shows pictures where the browser cannot play the codec.
  async stills() {
    this.stop();
    this.video.hidden = true;
    this.img.hidden = false;
    this.img.className = "stills still";
    this.img.dataset.src = this.data.still;
    this.say(this.data.cannot);
    for (const name of ["play", "back", "live", "sound"]) this.button(name).hidden = true;
    this.root.querySelector(".scrub").hidden = true;
    while (this.root.isConnected) { if (!document.hidden) await still(this.img); await wait(1000); }
  }

  // --- What the person does ---

  say(text) { this.veil.textContent = text; this.veil.hidden = !text; }

  goLive() {
    this.live = true;
    this.want = 0;
    this.paused = false;
    this.begin();
  }

  pause(on) {
    this.paused = on;
    if (on) { this.live = false; this.video.pause(); this.stop(); return; }
    this.want = Math.max(this.now(), this.oldest());
    this.begin();
  }

  seek(at) {
    if (!this.origin) return;
    if (at >= this.newest() - 1500) { this.goLive(); return; }
    at = Math.max(at, this.oldest());
    this.live = false;
    this.want = at;
    // While the buffer is updated, what it holds of the past may be just going.
    const t = (at - this.origin) / 1000, b = this.buffer?.updating ? null : this.buffer?.buffered;
    for (let i = 0; b && i < b.length; i++) {
      if (t >= b.start(i) && t < b.end(i) - 0.3 && !this.control.signal.aborted) { this.video.currentTime = t; return; }
    }
    if (this.hls) { this.native(); return; }
    this.begin();
  }

  // scrub follows the finger, and asks for video a few times a second at most.
  scrub() {
    this.dragged = performance.now();
    clearTimeout(this.later);
    const at = this.newest() + this.bar.value * 1000;
    const pause = 200 - (this.dragged - (this.sought ?? 0));
    const go = () => { this.sought = performance.now(); this.seek(at); };
    if (pause <= 0) go(); else this.later = setTimeout(go, pause);
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.root.requestFullscreen) this.root.requestFullscreen();
    else this.video.webkitEnterFullscreen?.();
  }

  key(e) {
    if (e.ctrlKey || e.altKey || e.metaKey) return;
    const by = s => () => this.seek(this.now() + s * 1000);
    const act = {ArrowLeft: by(-5), ArrowDown: by(-5), ArrowRight: by(5), ArrowUp: by(5), PageDown: by(-30),
      PageUp: by(30), Home: () => this.seek(this.oldest() + 2000), End: () => this.goLive(),
      f: () => this.full()}[e.key];
    if (act) { e.preventDefault(); act(); }
  }

  // tick keeps close to live, jumps over gaps, and shows the time.
  tick() {
    if (!this.root.isConnected || document.hidden || this.cannot) return;
    const v = this.video, b = v.buffered;
    if (!this.paused && b.length && !this.hls) {
      const last = b.end(b.length - 1), behind = last - v.currentTime;
      if (this.live) {
        if (behind > 2 || behind < 0) v.currentTime = last - 0.25;
        v.playbackRate = behind > 0.9 ? 1.1 : 1;
      } else v.playbackRate = 1;
      for (let i = 0; i < b.length; i++) {
        const jump = b.start(i) - v.currentTime;
        if (jump > 0.02 && (i === 0 || v.currentTime > b.end(i - 1) - 0.2)) { v.currentTime = b.start(i) + 0.01; break; }
      }
      if (v.paused && v.readyState > 2) v.play().catch(() => {});
    }
    const now = this.now(), back = Math.max(0, (this.newest() - now) / 1000);
    if (performance.now() - (this.dragged ?? -1e9) > 700) this.bar.value = this.live ? 0 : -back;
    // The clock is that of the recorder, as everywhere on the pages.
    const clock = new Date(now + document.body.dataset.offset * 60e3).toISOString().slice(11, 19);
    const lost = this.known === false || performance.now() - this.grew > 8000;
    if (lost) this.say(this.data.lost); else if (this.veil.textContent === this.data.lost && this.placed) this.say("");
    const live = this.live && !lost;
    if (v.readyState > 1) this.out.textContent = clock + (live ? " · " + this.data.liveWord : ` · −${back.toFixed(0)} s`);
    this.bar.ariaValueText = this.out.textContent;
    this.button("live").classList.toggle("on", live);
    this.button("live").ariaPressed = live;
    const play = this.button("play");
    play.classList.toggle("on", this.paused);
    play.ariaLabel = this.paused ? play.dataset.on : play.dataset.off;
    if (this.form) {
      const save = this.form.querySelector("button");
      this.form.elements.at.value = this.live ? "" : Math.round(now);
      save.textContent = this.live ? save.dataset.now : save.dataset.then;
    }
  }
}

window.startPlayer = root => { root.player ??= new Player(root); };
