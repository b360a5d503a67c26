// What a page does beyond being read: it sends the calls that its reader writes, shows them for the command line, and
// follows the reader in the list of contents. Everything that comes from outside is shown as text.
"use strict";

(() => {
  const words = document.body.dataset;
  const key = document.getElementById("key");
  const WAIT = 60_000;
  const SHOWN = 400_000;
  const HEADERS = ["content-type", "x-request-id", "truc-revision", "retry-after"];

  for (const element of document.querySelectorAll("[data-script]")) element.hidden = false;

  // --- A call, as the form says it ---

  /** What is wrong with a form's content, said at the place where it is wrong. */
  class Wrong extends Error {
    constructor(field, message) {
      super(message);
      this.field = field;
    }
  }

  /** Method, address, headers and body of the call that a form describes. */
  function call(tryout) {
    const { method } = tryout.dataset;
    let path = tryout.dataset.path;
    const query = [];
    const headers = {};
    let body;
    for (const field of tryout.querySelectorAll("[data-in]")) {
      const value = field.value;
      const values = "list" in field.dataset ? value.split("\n").filter((line) => line !== "") : [value];
      switch (field.dataset.in) {
        case "path":
          // An address with `.` or `..` in it would become another address.
          if (value === "." || value === "..") throw new Wrong(field, words.notASegment);
          path = path.replace(`{${field.name}}`, () => encoded(value));
          break;
        case "query":
          for (const one of values) {
            if (one !== "" || field.required) query.push(`${encoded(field.name)}=${encoded(one)}`);
          }
          break;
        case "header":
          if (value.trim() !== "") headers[field.name] = value.trim();
          break;
        case "body":
          headers["content-type"] = "application/json";
          body = value;
          break;
      }
    }
    return { method, path: query.length > 0 ? `${path}?${query.join("&")}` : path, headers, body };
  }

  function encoded(text) {
    return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  }

  /** A header field's value in UTF-8: `fetch` takes characters for bytes. */
  function bytes(text) {
    return String.fromCharCode(...new TextEncoder().encode(text));
  }

  function quoted(text) {
    return `'${text.replaceAll("'", "'\\''")}'`;
  }

  function curl({ method, path, headers, body }) {
    const parts = [`curl -sS${method === "GET" ? "" : ` -X ${method}`} ${quoted(location.origin + path)}`];
    parts.push('-H "Authorization: Bearer $KEY"');
    for (const [name, value] of Object.entries(headers)) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
    if (body !== undefined) parts.push(`-d ${quoted(body)}`);
    return parts.join(" \\\n  ");
  }

  // --- Sending, and showing what came ---

  async function send(tryout) {
    const button = tryout.querySelector(".send");
    if (button.getAttribute("aria-disabled") === "true") return;
    const result = new Result(tryout.querySelector(".result"));
    let request;
    try {
      request = call(tryout);
      if (request.body !== undefined) checked(tryout.querySelector('[data-in="body"]'));
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      result.failed(error.message);
      error.field.focus();
      return;
    }
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, bytes(value)]));
    if (key.value !== "") headers.authorization = `Bearer ${bytes(key.value.trim())}`;
    button.setAttribute("aria-disabled", "true");
    result.say(words.sending);
    const begin = performance.now();
    try {
      const answer = await fetch(request.path, {
        method: request.method,
        headers,
        body: request.body,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: AbortSignal.timeout(WAIT),
      });
      const text = await answer.text();
      result.show(answer, text, performance.now() - begin);
    } catch (error) {
      result.failed(error.name === "TimeoutError" ? words.late : words.unreachable);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  function checked(field) {
    try {
      JSON.parse(field.value);
    } catch (error) {
      throw new Wrong(field, `${words.notJson} ${error.message}`);
    }
  }

  class Result {
    constructor(place) {
      this.outcome = place.querySelector(".outcome");
      this.headers = place.querySelector(".headers");
      this.content = place.querySelector(".content");
    }

    say(text, kind) {
      this.outcome.textContent = text;
      this.outcome.className = kind === undefined ? "outcome" : `outcome ${kind}`;
      this.headers.replaceChildren();
      this.content.hidden = true;
    }

    failed(text) {
      this.say(text, "bad");
    }

    show(answer, text, took) {
      this.say(`${answer.status} · ${Math.round(took)} ms`, answer.ok ? "good" : "bad");
      for (const name of HEADERS) {
        const value = answer.headers.get(name);
        if (value === null) continue;
        const [term, definition] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = name;
        definition.textContent = value;
        this.headers.append(term, definition);
      }
      this.content.hidden = false;
      this.content.firstElementChild.textContent = readable(text);
      this.outcome.scrollIntoView({ block: "nearest" });
    }
  }

  function readable(text) {
    if (text === "") return words.noContent;
    if (text.length > SHOWN) return `${text.slice(0, SHOWN)}\n${words.cut}`;
    try {
      JSON.parse(text);
    } catch {
      return text;
    }
    return indented(text);
  }

  /** JSON with line ends and indentation, every value written as it came: numbers are not read and written again. */
  function indented(json) {
    const out = [];
    let depth = 0;
    const line = () => `\n${"  ".repeat(depth)}`;
    for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|[^\s{}[\],:"]+/g)) {
      if (token === "{" || token === "[") {
        depth += 1;
        out.push(token, line());
      } else if (token === "}" || token === "]") {
        depth -= 1;
        out.push(line(), token);
      } else if (token === ",") {
        out.push(token, line());
      } else if (token === ":") {
        out.push(": ");
      } else {
        out.push(token.startsWith('"') ? token : token.replace(/\s/g, ""));
      }
    }
    return out.join("");
  }

  for (const tryout of document.querySelectorAll(".try")) {
    const form = tryout.querySelector("form");
    const command = tryout.closest(".operation").querySelector(".curl code");
    const follow = () => {
      try {
        command.textContent = curl(call(tryout));
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
      }
    };
    form.addEventListener("input", follow);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(tryout);
    });
    command.textContent = command.textContent.replace('"$TRUC"\'', `'${location.origin}`);
  }

  // --- Copying ---

  for (const button of document.querySelectorAll(".copy")) {
    // Browsers let pages write to the clipboard over TLS and on the reader's own machine only.
    if (!navigator.clipboard) {
      button.hidden = true;
      continue;
    }
    const label = button.textContent;
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("code").textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = words.copied;
      setTimeout(() => (button.textContent = label), 2000);
    });
  }

  // --- Finding one's way ---

  const contents = document.getElementById("contents");
  if (contents) {
    const links = new Map();
    for (const link of contents.querySelectorAll("a")) links.set(decodeURIComponent(link.hash.slice(1)), link);
    contents.addEventListener("click", (event) => {
      if (event.target.closest("a") && contents.matches(":popover-open")) contents.hidePopover();
    });
    const headings = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
    /** The last heading that begins above the upper third of the window; they stand in order. */
    const reached = () => {
      let [low, high] = [0, headings.length];
      while (low + 1 < high) {
        const middle = (low + high) >> 1;
        if (headings[middle].getBoundingClientRect().top < innerHeight / 3) low = middle;
        else high = middle;
      }
      return headings[low];
    };
    const follow = () => {
      const link = links.get(reached().id);
      const before = contents.querySelector("[aria-current]");
      if (link === before) return;
      before?.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
      // Only the list itself is moved, and only as far as needed.
      const [list, place] = [contents.getBoundingClientRect(), link.getBoundingClientRect()];
      if (place.top < list.top + 80) contents.scrollTop -= list.top + 80 - place.top;
      if (place.bottom > list.bottom - 80) contents.scrollTop += place.bottom - list.bottom + 80;
    };
    let waiting = false;
    const later = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        follow();
      });
    };
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later, { passive: true });
    follow();
  }

  // The other language, at the same place.
  for (const link of document.querySelectorAll(".languages a")) {
    link.addEventListener("click", () => (link.hash = location.hash));
  }
})();
