// A reply at the pace of the simulated phone. The times come from the server (dashboard/pace.py).
const HELD = new WeakMap();
const TEXT = " The screen shows a train ticket from Utrecht to Groningen, second class, valid on Saturday. " +
  "It leaves at 10:23 from platform 12 and arrives at 12:18; you change in Zwolle, where you have nine minutes. " +
  "The price is 29.40 euros with your discount card, so bring the card with you. The seat is not reserved. " +
  "A yellow bar says that there is work on the line near Assen: after 18:00 trains go every hour. " +
  "If you want to be back the same evening, take the 17:48 at the latest. Shall I put it in your calendar? ";
const PIECES = TEXT.match(/\s*\S{1,5}/g);
const words = (count) => { let text = ""; for (let i = 0; i < count; i++) text += PIECES[i % PIECES.length]; return text; };
const until = (times, now) => { let low = 0, high = times.length; while (low < high) { const m = (low + high) >> 1; if (times[m] <= now) low = m + 1; else high = m; } return low; };

class Reply {
  constructor(root) {
    this.root = root; this.now = 0; this.speed = 1; this.last = undefined;
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.running = !this.still;
    root.querySelector(".play").onclick = () => { this.running = !this.running; this.last = undefined; this.name(); this.tick(); };
    root.querySelector(".again").onclick = () => { this.now = 0; this.running = true; this.last = undefined; this.name(); this.tick(); };
    for (const one of root.querySelectorAll("[data-speed]")) one.onclick = () => {
      this.speed = Number(one.dataset.speed);
      for (const other of root.querySelectorAll("[data-speed]")) other.setAttribute("aria-pressed", other === one);
    };
    this.name();
  }
  name() { this.root.querySelector(".play").textContent = this.running ? "Pause" : "Play"; }
  take(data) {
    if (data.id === this.id) return;
    const fresh = this.id !== undefined && this.question !== data.question;
    this.id = data.id; this.question = data.question; this.phones = data.phones;
    if (fresh) this.now = 0;
    this.root.querySelector(".phones").replaceChildren(...data.phones.map((phone) => this.built(phone)));
    for (const phone of data.phones) {
      phone.slow = phone.ghost && phone.tokens.map((at) => phone.first * phone.ghost.first + (at - phone.first) * phone.ghost.rest);
      phone.end = phone.tokens[phone.tokens.length - 1];
    }
    this.end = Math.max(...data.phones.map((phone) => phone.slow ? phone.slow[phone.slow.length - 1] : phone.end)) + 0.3;
    this.tick();
  }
  built(phone) {
    const make = (kind, parent, text = "") => { const one = document.createElement("div"); one.className = kind; one.textContent = text; parent.append(one); return one; };
    const box = document.createElement("div"); box.className = "phone";
    make("name", box, phone.name); make("question", box, phone.vision > 0 ? "[picture] When does my train leave?" : "When does my train leave?");
    phone.stage = make("stage", box); const meter = make("meter", box); phone.bar = document.createElement("i"); meter.append(phone.bar);
    const reply = make("reply", box), text = document.createElement("p"); reply.append(text);
    phone.sure = document.createElement("span"); phone.ahead = document.createElement("span"); phone.ahead.className = "ahead"; text.append(phone.sure, phone.ahead);
    const numbers = make("numbers", box);
    phone.numbers = ["first token", "so far", "speed now", "whole reply"].map((label) => { const one = make("", numbers); one.dataset.label = label; return one; });
    return box;
  }
  tick() {
    if (this.frame) cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame((at) => {
      if (this.running && this.last !== undefined) this.now = Math.min(this.end, this.now + (at - this.last) / 1e3 * this.speed);
      this.last = at;
      const shown = this.still ? Math.floor(this.now) : this.now;
      if (!this.still || shown !== this.before || !this.running || this.now >= this.end) this.draw(this.now >= this.end ? this.end : shown);
      this.before = shown;
      if (this.now >= this.end) { this.running = false; this.name(); return; }
      if (this.running) this.tick();
    });
  }
  draw(now) {
    this.root.querySelector(".clock").textContent = `${now.toFixed(1)} s`;
    for (const phone of this.phones) {
      const count = until(phone.tokens, now), slow = phone.slow ? until(phone.slow, now) : count;
      const stage = now < phone.vision ? ["Looking at the picture", now / phone.vision] : now < phone.first
        ? ["Reading the question", (now - phone.vision) / (phone.first - phone.vision)] : [count < phone.tokens.length ? "Answering" : "Done", count / phone.tokens.length];
      phone.stage.textContent = `${stage[0]}${phone.clock < 0.995 ? ` · clock at ${(100 * phone.clock).toFixed(0)} %` : ""}`;
      phone.bar.style.width = `${100 * Math.min(1, stage[1])}%`;
      const sure = words(Math.min(slow, count));
      phone.sure.textContent = sure; phone.ahead.textContent = words(count).slice(sure.length);
      phone.sure.parentElement.parentElement.scrollTop = 1e6;
      const recent = count - until(phone.tokens, Math.max(phone.first, now - 2)), window_s = Math.min(2, Math.max(0.2, Math.min(now, phone.end) - phone.first));
      const values = [`${phone.first.toFixed(2)} s`, `${count} of ${phone.tokens.length} tokens`, count > 1 && now < phone.end ? `${(recent / window_s).toFixed(0)} tok/s` : "–",
        `${phone.end.toFixed(1)} s${phone.slow ? `, slow end ${phone.slow[phone.slow.length - 1].toFixed(1)} s` : ""}`];
      phone.numbers.forEach((one, i) => { one.textContent = `${one.dataset.label}: ${values[i]}`; });
    }
    this.root.querySelector(".phones").dataset.now = now.toFixed(2);
  }
}

export default function (component) {
  const { data, parentElement } = component;
  let held = HELD.get(parentElement);
  if (!held) { held = new Reply(parentElement); HELD.set(parentElement, held); }
  held.take(data);
  return () => { cancelAnimationFrame(held.frame); HELD.delete(parentElement); };
}
