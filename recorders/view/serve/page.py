"""The page of a served view: a canvas that shows pictures as they come, and sends keys and mouse back."""

from __future__ import annotations

import base64
import hashlib
from html import escape

SCRIPT = r"""
"use strict";
const NAMES = {" ": "space", ArrowRight: "right", ArrowLeft: "left", PageUp: "page up", PageDown: "page down",
  Home: "home", End: "end", Tab: "tab"};
const canvas = document.getElementById("view"), words = document.getElementById("words");
const draw = canvas.getContext("2d");
const token = new URLSearchParams(location.search).get("token") || "";
const headers = { Authorization: "Bearer " + token };
let ended = false, pressed = false, shown = 0;

// One after the other, so that a release cannot overtake its press.
let sending = Promise.resolve();
function send(event) {
  const body = JSON.stringify(event);
  sending = sending.then(() => fetch("event", { method: "POST", headers, body })).catch(() => {});
}
function size() {
  const box = document.getElementById("frame").getBoundingClientRect();
  send({ size: [Math.round(box.width), Math.round(box.height)] });
}
function place(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top].map((v, i) =>
    Math.round(v * (i ? canvas.height / box.height : canvas.width / box.width)));
}
function end(message) {
  ended = true; words.textContent = message; words.hidden = false; canvas.classList.add("over");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || ended) return;
  const key = NAMES[event.key] || (event.key.length === 1 ? event.key.toLowerCase() : "");
  if (!key || (event.target.tagName === "BUTTON" && event.key === " ")) return;
  event.preventDefault(); send({ key });
});
document.querySelectorAll("button").forEach((button) =>
  button.addEventListener("click", () => { send({ key: button.dataset.key }); button.blur(); }));
canvas.addEventListener("pointerdown", (event) => {
  pressed = true; canvas.setPointerCapture(event.pointerId); send({ down: place(event) });
});
canvas.addEventListener("pointermove", (event) => { if (pressed) send({ move: place(event) }); });
canvas.addEventListener("pointerup", (event) => { pressed = false; send({ up: place(event) }); });
let waiting = 0;
window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(size, 150); });

async function show(picture) {
  const bitmap = await createImageBitmap(new Blob([picture], { type: "image/jpeg" }));
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width; canvas.height = bitmap.height;
  }
  draw.drawImage(bitmap, 0, 0); bitmap.close();
  shown += 1; canvas.dataset.shown = shown; words.hidden = true;
}

// A picture is its length, four bytes, and a JPEG; a length of 0 is the end of the view.
async function watch() {
  const answer = await fetch("frames", { headers });
  if (!answer.ok) return end("The view cannot be shown: " + (await answer.text()));
  const reader = answer.body.getReader();
  let rest = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const joined = new Uint8Array(rest.length + value.length);
    joined.set(rest); joined.set(value, rest.length); rest = joined;
    let newest = null;
    while (rest.length >= 4) {
      const length = new DataView(rest.buffer, rest.byteOffset).getUint32(0);
      if (length === 0) return end("The view has ended.");
      if (rest.length < 4 + length) break;
      newest = rest.slice(4, 4 + length); rest = rest.slice(4 + length);
    }
    if (newest) await show(newest);
  }
  end("The connection to the view is lost; reload the page to try again.");
}
size();
watch().catch(() => end("The connection to the view is lost; reload the page to try again."));
"""
STYLE = """
html, body { margin: 0; height: 100%; background: #0b0d11; color: #cfd6df; }
body { font: 15px/1.4 system-ui, sans-serif; }
body { display: flex; flex-direction: column; }
#frame { flex: 1; min-height: 0; display: flex; align-items: center; justify-content: center; }
canvas { max-width: 100%; max-height: 100%; touch-action: none; }
canvas.over { opacity: .35; }
#words { position: fixed; top: 45%; width: 100%; text-align: center; font-size: 1.2rem; }
nav { display: flex; flex-wrap: wrap; gap: .4rem; padding: .4rem; justify-content: center; }
button { font: inherit; color: inherit; background: #1c2129; border: 1px solid #39414d; border-radius: 6px;
  padding: .2rem .7rem; cursor: pointer; }
"""
BUTTONS = (
    ("space", "pause", "pause, go on"),
    ("left", "←", "back"),
    ("right", "→", "forward"),
    ("-", "−", "slower"),
    ("+", "+", "faster"),
    ("tab", "animal", "next animal"),
    ("h", "help", "help"),
    ("q", "end", "end the view"),
)
"""Key, sign and meaning of each button, for screens without a keyboard."""


def policy() -> str:
    """Return the policy of the page: its own script and style, and connections to its own server."""
    script, style = (
        base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in (SCRIPT, STYLE)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; "
        "img-src blob: data:; base-uri 'none'; form-action 'none'"
    )


def page(title: str) -> str:
    """Return the page as HTML."""
    buttons = "".join(
        f'<button type="button" data-key="{escape(key)}" title="{escape(about)}">{escape(sign)}</button>'
        for key, sign, about in BUTTONS
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ethospike: {escape(title)}</title><style>{STYLE}</style></head>"
        '<body><div id="frame">'
        '<canvas id="view" width="16" height="9" aria-label="view of the run"></canvas></div>'
        f'<p id="words">connecting …</p><nav>{buttons}</nav><script>{SCRIPT}</script></body></html>'
    )
