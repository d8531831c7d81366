"use strict";
const D = JSON.parse(document.getElementById("data").textContent);
const list = name => D[name] || [];
const $ = id => document.getElementById(id);
const el = (tag, attrs = {}, ...children) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attrs)) k === "class" ? (e.className = v) : e.setAttribute(k, v);
  e.append(...children);
  return e;
};
const svg = (tag, attrs = {}, text) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [k, v] of Object.entries(attrs)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
};
const seconds = t => (Math.max(t, 0) / 1e6).toFixed(6).replace(/(\.\d{3}\d*?)0+$/, "$1") + " s";
const span = t => t >= 1e6 ? +(t / 1e6).toFixed(3) + " s" : t >= 1e3 ? +(t / 1e3).toFixed(3) + " ms" : t + " µs";

// ---- the head

function head() {
  const failed = D.verdict !== "passed";
  const h = $("head");
  h.append(el("h1", {}, D.title + " "));
  h.append(el("p", {class: "verdict " + (failed ? "failed" : "passed"), style: "margin:0"},
    failed ? `${D.verdict}: ${D.check}` + (D.failedAt >= 0 ? ` at ${seconds(D.failedAt)}` : "") + (D.failedNode ? ` (n${D.failedNode})` : "") : "passed: every check held"));
  if (D.reason) h.append(el("pre", {class: "reason"}, D.reason));
  const facts = el("ul", {class: "facts"});
  for (const f of list("facts")) facts.append(el("li", {}, el("span", {class: "dim"}, f.name + " "), el("b", {}, f.value)));
  h.append(facts);
  for (const command of list("replay")) {
    const copy = el("button", {}, "copy");
    copy.onclick = () => {
      navigator.clipboard?.writeText(command).then(() => { copy.textContent = "copied"; setTimeout(() => copy.textContent = "copy", 1200); });
    };
    h.append(el("div", {class: "cmd"}, el("code", {}, command), copy));
  }
}

// ---- the timeline

const total = Math.max(D.end, 1);
const LEFT = 74, RIGHT = 10, AXIS = 22, ROW = 26, GAP = 6, OP = 13;
const nodes = D.nodes, clients = [...new Set(list("ops").map(o => o.Client))].sort((a, b) => a - b);
const actionRows = packActions();
const yActions = AXIS + 4;
const yNodes = yActions + Math.max(1, actionRows) * OP + 12;
const yClients = yNodes + nodes * (ROW + GAP) + 14;
const HEIGHT = yClients + clients.length * OP + 12;
let view = {from: 0, to: total};

// packActions gives overlapping actions rows of their own, fourteen at most.
function packActions() {
  const ends = [];
  for (const a of list("actions")) {
    const end = a.at + Math.max(a.for, total / 40);
    let row = ends.findIndex(e => e <= a.at);
    if (row < 0) row = ends.length < 14 ? ends.length : ends.indexOf(Math.min(...ends));
    ends[row] = end;
    a.row = row;
  }
  return ends.length;
}

const roleColor = {Follower: "--follower", PreCandidate: "--pre", Candidate: "--cand", Leader: "--leader"};
const colorOf = role => `var(${roleColor[title(role)] || "--follower"})`;
const title = s => s ? s.split(/[- ]/).map(w => w[0].toUpperCase() + w.slice(1)).join("") : "";

// spans of each node: [from, to, role, term], only while its process lives.
const spans = Array.from({length: nodes + 1}, () => []);
(function makeSpans() {
  for (const life of list("lives")) {
    const end = life.To < 0 ? total : life.To;
    let at = life.From, role = "follower", term = 0;
    for (const r of list("roles")) {
      if (r.Node !== life.Node || r.At < life.From || r.At > end) continue;
      if (r.At > at) spans[life.Node].push({from: at, to: r.At, role, term});
      at = r.At; role = r.Role; term = r.Term;
    }
    spans[life.Node].push({from: at, to: end, role, term});
  }
})();

const answerColor = a => a.startsWith("ok") ? "var(--ok)" : a.startsWith("refused") ? "var(--refused)" : "var(--pending)";

function legend() {
  const items = [["--leader", "leader"], ["--follower", "follower"], ["--pre", "asks for pre-votes"], ["--cand", "candidate"], ["--pause", "stands still"],
    ["--fault", "what was done"], ["--ok", "answered"], ["--refused", "refused"], ["--pending", "nobody knows"], ["--lost", "lost message, failure"]];
  for (const [color, name] of items) $("legend").append(el("span", {}, el("i", {style: `background:var(${color})`}), name));
}

function draw() {
  const box = $("time"), width = Math.max(box.clientWidth, 320);
  const x = t => LEFT + (t - view.from) / (view.to - view.from) * (width - LEFT - RIGHT);
  const inView = (a, b) => b >= view.from && a <= view.to;
  const s = svg("svg", {viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT});
  const clip = svg("clipPath", {id: "clip"});
  clip.append(svg("rect", {x: LEFT, y: 0, width: width - LEFT - RIGHT, height: HEIGHT}));
  s.append(clip);
  const g = svg("g", {"clip-path": "url(#clip)"});
  axis(g, x, width);
  // What was done.
  for (const a of list("actions")) {
    const end = a.at + a.for;
    if (!inView(a.at, Math.max(end, a.at + (view.to - view.from) / 8))) continue;
    const y = yActions + a.row * OP;
    const wide = Math.max(3, x(end) - x(a.at));
    g.append(tipped(svg("rect", {x: x(a.at), y, width: wide, height: OP - 3, rx: 2, fill: "var(--fault)", "fill-opacity": a.for ? .45 : 1}),
      `${seconds(a.at)}  ${a.text}`));
    const next = list("actions").filter(b => b.row === a.row && b.at > a.at).map(b => x(b.at));
    const room = Math.min(width - RIGHT, ...next) - Math.max(x(a.at), LEFT);
    if (room > 34) g.append(label(Math.max(x(a.at), LEFT) + 5, y + 9, a.text, room - 8, "dim"));
  }
  // Members.
  for (let n = 1; n <= nodes; n++) {
    const y = yNodes + (n - 1) * (ROW + GAP);
    s.append(svg("text", {x: 12, y: y + 17}, "n" + n));
    g.append(svg("line", {x1: LEFT, x2: width, y1: y + ROW / 2, y2: y + ROW / 2, stroke: "var(--line)", "stroke-dasharray": "2 4"}));
    for (const p of spans[n]) {
      if (!inView(p.from, p.to)) continue;
      const from = Math.max(x(p.from), LEFT - 2), to = Math.min(x(p.to), width);
      g.append(tipped(svg("rect", {x: from, y, width: Math.max(1, to - from), height: ROW, rx: 3, fill: colorOf(p.role)}),
        `n${n}: ${p.role}, term ${p.term}\n${seconds(p.from)} – ${seconds(p.to)} (${span(p.to - p.from)})`));
      if (to - from > 26) g.append(label(from + 5, y + 17, "term " + p.term, to - from - 8, title(p.role) === "Leader" ? "on" : ""));
    }
    for (const a of list("actions")) {
      if ((a.verb === "pause" || a.verb === "stall") && (a.nodes || []).includes(n) && inView(a.at, a.at + a.for))
        g.append(tipped(svg("rect", {x: x(a.at), y: y + ROW - 5, width: Math.max(2, x(a.at + a.for) - x(a.at)), height: 5, fill: "var(--pause)"}), a.text));
    }
  }
  messages(g, x, inView);
  // Clients.
  clients.forEach((c, i) => s.append(svg("text", {x: 12, y: yClients + i * OP + 9, class: "dim"}, "client " + c)));
  for (const o of list("ops")) {
    const end = o.Ret < 0 ? total : o.Ret;
    if (!inView(o.Call, end)) continue;
    const y = yClients + clients.indexOf(o.Client) * OP;
    g.append(tipped(svg("rect", {x: x(o.Call), y: y + 1, width: Math.max(1.5, x(end) - x(o.Call)), height: OP - 4, rx: 1.5, fill: answerColor(o.Answer)}),
      `${o.Text}\nto n${o.Node}: ${o.Answer}${o.Revision ? ", revision " + o.Revision : ""}\n${seconds(o.Call)} – ${o.Ret < 0 ? "never" : seconds(o.Ret)}`));
  }
  if (D.failedAt >= 0 && inView(D.failedAt, D.failedAt))
    g.append(tipped(svg("line", {x1: x(D.failedAt), x2: x(D.failedAt), y1: AXIS, y2: HEIGHT, stroke: "var(--bad)", "stroke-width": 2}), `${D.check}\n${D.reason || ""}`));
  s.append(g);
  box.replaceChildren(s);
  $("range").textContent = `${seconds(view.from)} – ${seconds(view.to)}`;
}

// label is text that is cut to its room.
function label(x, y, text, room, cls) {
  const most = Math.floor(room / 5.6);
  return svg("text", {x, y, class: cls, "pointer-events": "none"}, text.length > most ? text.slice(0, Math.max(0, most - 1)) + "…" : text);
}

function axis(g, x, width) {
  const per = (view.to - view.from) / Math.max(3, (width - LEFT) / 110);
  const base = 10 ** Math.floor(Math.log10(per)), step = [1, 2, 5, 10].map(m => m * base).find(v => v >= per);
  for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
    g.append(svg("line", {x1: x(t), x2: x(t), y1: AXIS - 6, y2: HEIGHT, stroke: "var(--line)", "stroke-width": .6}));
    g.append(svg("text", {x: x(t) + 3, y: 13, class: "dim"}, step >= 1e3 ? +(t / 1e6).toFixed(3) + " s" : +(t / 1e3).toFixed(3) + " ms"));
  }
  for (const p of list("phases")) {
    g.append(svg("line", {x1: x(p.At), x2: x(p.At), y1: 0, y2: HEIGHT, stroke: "var(--dim)", "stroke-width": 1, "stroke-dasharray": "5 3"}));
    g.append(tipped(svg("rect", {x: x(p.At) - 3, y: 0, width: 7, height: AXIS, fill: "transparent"}), p.Name + " begins"));
    g.append(svg("text", {x: x(p.At) + 3, y: HEIGHT - 3, class: "dim"}, p.Name));
  }
}

// messages are drawn when few enough are in view to tell them apart.
function messages(g, x, inView) {
  const seen = list("frames").filter(m => inView(m.Sent, m.Arrives < 0 ? m.Sent : m.Arrives));
  if (seen.length > 350) return;
  const y = n => yNodes + (n - 1) * (ROW + GAP) + ROW / 2;
  for (const m of seen) {
    const lost = m.Arrives < 0;
    const x1 = x(m.Sent), y1 = y(m.From), x2 = lost ? x1 + 6 : x(m.Arrives), y2 = lost ? y1 + Math.sign(y(m.To) - y1) * (ROW / 2 + GAP) : y(m.To);
    const color = lost ? "var(--lost)" : "var(--msg)";
    const e = svg("g");
    e.append(svg("line", {x1, y1, x2, y2, stroke: "transparent", "stroke-width": 7}));
    e.append(svg("line", {x1, y1, x2, y2, stroke: color, "stroke-width": 1.1}));
    const a = Math.atan2(y2 - y1, x2 - x1), tip = d => `${x2 - 6 * Math.cos(a + d)},${y2 - 6 * Math.sin(a + d)}`;
    e.append(lost ? svg("text", {x: x2 - 3, y: y2 + 4, style: `fill:${color}`}, "×") : svg("polygon", {points: `${x2},${y2} ${tip(.4)} ${tip(-.4)}`, fill: color}));
    g.append(tipped(e, `n${m.From} → n${m.To} ${m.Text}\nsent ${seconds(m.Sent)}, ${lost ? "lost" : "arrives " + seconds(m.Arrives)}`));
  }
}

// ---- pointing, moving, zooming

function tipped(e, text) {
  e.addEventListener("pointerenter", ev => showTip(ev, text));
  e.addEventListener("pointermove", placeTip);
  e.addEventListener("pointerleave", () => $("tip").hidden = true);
  return e;
}
function showTip(ev, text) { const t = $("tip"); t.textContent = text; t.hidden = false; placeTip(ev); }
function placeTip(ev) {
  const t = $("tip"), w = t.offsetWidth, h = t.offsetHeight;
  t.style.left = Math.max(4, Math.min(ev.clientX + 14, innerWidth - w - 8)) + "px";
  t.style.top = (ev.clientY + 18 + h > innerHeight ? ev.clientY - h - 10 : ev.clientY + 18) + "px";
}

let pending = false;
function setView(from, to) {
  const size = Math.min(Math.max(to - from, 200), total * 1.02);
  from = Math.min(Math.max(from, -total * .01), total * 1.01 - size);
  view = {from, to: from + size};
  if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; draw(); }); }
}
function zoom(factor, at = (view.from + view.to) / 2) {
  setView(at - (at - view.from) * factor, at + (view.to - at) * factor);
}
const around = (t, size) => setView(t - size * .7, t + size * .3);
const timeAt = ev => {
  const r = $("time").getBoundingClientRect();
  return view.from + (ev.clientX - r.left - LEFT) / (r.width - LEFT - RIGHT) * (view.to - view.from);
};

function controls() {
  const box = $("time");
  $("in").onclick = () => zoom(.5);
  $("out").onclick = () => zoom(2);
  $("all").onclick = () => setView(-total * .01, total * 1.01);
  $("fail").onclick = () => around(D.failedAt, Math.min(total, 4e5));
  $("fail").hidden = D.failedAt < 0;
  box.addEventListener("wheel", ev => {
    if (!ev.ctrlKey && !ev.metaKey) return;
    ev.preventDefault();
    zoom(ev.deltaY < 0 ? .8 : 1.25, timeAt(ev));
  }, {passive: false});
  let drag = null;
  box.addEventListener("pointerdown", ev => { drag = {x: ev.clientX, view: {...view}}; });
  addEventListener("pointermove", ev => {
    if (!drag || Math.abs(ev.clientX - drag.x) < 3) return;
    const d = (drag.x - ev.clientX) / (box.clientWidth - LEFT - RIGHT) * (drag.view.to - drag.view.from);
    setView(drag.view.from + d, drag.view.to + d);
  });
  addEventListener("pointerup", () => drag = null);
  addEventListener("keydown", ev => {
    if (ev.ctrlKey || ev.metaKey || ev.altKey) return;
    const size = view.to - view.from;
    const does = {"+": () => zoom(.5), "=": () => zoom(.5), "-": () => zoom(2), "0": $("all").onclick, f: D.failedAt < 0 ? null : $("fail").onclick,
      ArrowLeft: () => setView(view.from - size / 5, view.to - size / 5), ArrowRight: () => setView(view.from + size / 5, view.to + size / 5)}[ev.key];
    if (does) { does(); ev.preventDefault(); }
  });
  new ResizeObserver(() => draw()).observe(box);
}

// ---- the logs

const hue = term => `hsl(${term * 67 % 360} 62% 74%)`;

function logs() {
  const all = list("logs"), box = $("logs");
  if (!all.length) { box.append(el("p", {class: "dim", style: "padding:0 12px"}, "Nobody has a log.")); return; }
  const last = l => l.First + (l.Terms || []).length - 1;
  const end = Math.max(...all.map(last)), least = Math.min(...all.filter(l => !l.Removed).map(l => l.Up ? l.Commit : last(l)));
  const from = Math.max(1, Math.min(least - 6, end - 40), end - 300);
  const t = el("table"), top = el("tr", {}, el("th", {class: "row"}, "index"));
  for (let i = from; i <= end; i++) top.append(el("th", {}, String(i)));
  t.append(top);
  for (const l of all) {
    const about = l.Removed ? "removed" : l.Up ? `${l.Role}, term ${l.Term}` : `down, term ${l.Term}`;
    const row = el("tr", {}, el("th", {class: "row"}, `n${l.Node} `, el("span", {class: "dim"}, about)));
    for (let i = from; i <= end; i++) {
      const term = i >= l.First ? (l.Terms || [])[i - l.First] : undefined;
      if (term === undefined) { row.append(el("td", {class: "snap"}, i < l.First ? "·" : "")); continue; }
      const others = all.filter(o => !o.Removed && i >= o.First && (o.Terms || [])[i - o.First] !== undefined);
      const open = l.Up && i > l.Commit, differs = !l.Removed && others.some(o => o.Terms[i - o.First] !== term);
      const td = el("td", {class: "e" + (open ? " open" : "") + (differs ? " differs" : ""), style: `background:${hue(term)}`}, String(term));
      tipped(td, `n${l.Node}: entry ${i} of term ${term}` + (l.Up ? `\n${open ? "not known to be committed" : "committed"}${i <= l.Applied ? ", applied" : ""}` : "\non its disk")
        + (differs ? "\nanother member has an entry of another term here" : ""));
      row.append(td);
    }
    t.append(row);
  }
  box.append(t);
  box.after(el("p", {class: "dim hint"}, "A number is the entry's term; pale: not known to be committed; framed: members differ; ·: in a snapshot."
    + (from > 1 ? ` Entries before ${from} are left out.` : "")));
  box.scrollLeft = box.scrollWidth;
}

// ---- the rest

function rest() {
  const t = el("table");
  for (const a of list("actions")) {
    const row = el("tr", {}, el("td", {}, seconds(a.at)), el("td", {class: "mono"}, a.text));
    row.onclick = () => { around(a.at, Math.max(3e5, a.for * 1.5)); $("h-time").scrollIntoView({behavior: "smooth"}); };
    t.append(row);
  }
  $("script").append(list("actions").length ? t : el("p", {class: "dim", style: "padding:0 12px"}, "Nothing."));
  $("recent").textContent = list("recent").join("");
  $("s-recent").hidden = !list("recent").length;
  $("settings").textContent = D.settings;
  $("s-porcupine").hidden = !D.porcupine;
  if (D.porcupine) $("porcupine").srcdoc = D.porcupine;
  $("recent").scrollTop = $("recent").scrollHeight;
}

head();
legend();
controls();
logs();
rest();
D.failedAt >= 0 ? around(D.failedAt, Math.min(total * 1.02, 3e6)) : setView(-total * .01, total * 1.01);
