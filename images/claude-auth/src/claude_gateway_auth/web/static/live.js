// Loads the page again when what it shows has changed. Without JavaScript the page works, and is loaded by hand.
"use strict";
const live = document.getElementById("live");
const typing = () => [...document.querySelectorAll("input:not([type=hidden])")].some((input) => input.value !== "");
let said = false;
let submitted = false;

async function look() {
  try {
    const answer = await fetch(live.dataset.url, { headers: { accept: "application/json" } });
    if (submitted) return;
    if (answer.status === 401) { location.assign("/auth/enter"); return; }
    const found = answer.ok ? await answer.json() : null;
    if (found) {
      const stamp = found.credentials ? found.credentials.map((one) => one.stamp).join("") : found.stamp;
      if (stamp !== live.dataset.stamp && !typing()) { location.replace(location.pathname); return; }
      if (stamp !== live.dataset.stamp && !said) { said = true; live.textContent = "This page has changed: load it again."; }
    }
  } catch { /* the service is away: the next look finds it */ }
  setTimeout(look, 2000);
}
// A form's answer says what was done: loading the page meanwhile would cancel it.
document.addEventListener("submit", () => { submitted = true; });
if (live) setTimeout(look, 2000);
