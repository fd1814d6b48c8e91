"use strict";
// Looks again every few seconds and puts in place what has changed. Without it the pages work, too: load them again.

const PAUSE = 5000; // ms, from one answer to the next question: a slow api is asked less often
const stale = document.getElementById("stale");
const said = document.getElementById("said");

/** What finds an element again after its surroundings were replaced. */
function mark(element) {
  return element && [element.tagName, element.id, element.getAttribute("href"), element.getAttribute("aria-label")].join("\n");
}

/** Put fresh content in a section: focus and the places that were scrolled to stay. */
function replace(section, fresh) {
  const focused = section.contains(document.activeElement) ? mark(document.activeElement) : null;
  const scrolled = [...section.querySelectorAll(".wide")].map((one) => [mark(one), one.scrollLeft]);
  section.replaceChildren(...fresh.childNodes);
  for (const one of section.querySelectorAll("a, [tabindex]")) {
    if (mark(one) === focused) one.focus({ preventScroll: true });
  }
  for (const one of section.querySelectorAll(".wide")) {
    one.scrollLeft = scrolled.find(([what]) => what === mark(one))?.[1] ?? 0;
  }
}

/** Replace what has changed, and say politely what of it a person should know. */
function renew(page) {
  const news = [];
  for (const section of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(section.id);
    if (!fresh) continue;
    if (fresh.dataset.said !== section.dataset.said) {
      section.dataset.said = fresh.dataset.said;
      news.push(fresh.dataset.said);
    }
    if (fresh.innerHTML !== section.innerHTML) replace(section, fresh);
  }
  if (news.length) said.textContent = news.join(". ");
}

async function look() {
  const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
  if (answer.type === "opaqueredirect") location.assign("/"); // the session is over
  else if (answer.ok) renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
  stale.hidden = answer.ok || answer.type === "opaqueredirect";
}

async function turn() {
  if (!document.hidden) await look().catch(() => { stale.hidden = false; });
  setTimeout(turn, PAUSE);
}

// Only pages that answer a look: one that was the answer to a form would be asked for anew in vain.
if (document.querySelector("main [data-live]")) setTimeout(turn, PAUSE);
