/** Bytes that stand in the page as text, read in parts that are short enough not to hold up the page. */
import { byId } from "./dom.js";

/** So many letters of base64 are decoded at once; four of them are three bytes. */
const PART = 1 << 19;

/** @param {string} base64 @returns {Uint8Array<ArrayBuffer>} */
export function bytesOf(base64) {
  const text = atob(base64);
  const made = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) made[i] = text.charCodeAt(i);
  return made;
}

/** What stands compressed in an element of the page. @param {string} id @returns {Response} */
export function unpacked(id) {
  const text = byId(id).textContent || "";
  let at = 0;
  const parts = new ReadableStream({
    async pull(control) {
      if (at < text.length) control.enqueue(bytesOf(text.slice(at, (at += PART))));
      else control.close();
      await nextSlice();
    },
  });
  return new Response(parts.pipeThrough(new DecompressionStream("deflate")));
}

/** Lets the page draw and hear its reader. @returns {Promise<void>} */
export function nextSlice() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(null);
  });
}
