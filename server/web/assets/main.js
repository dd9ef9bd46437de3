// The page: three views, one for each part of the address after "#".

import * as play from "./play.js";
import * as watch from "./watch.js";
import { $, banner } from "./parts.js";

const VIEWS = ["play", "watch", "connect"];

function show() {
  const asked = location.hash.slice(1).split("?")[0];
  if (asked === "main") return;
  const view = VIEWS.includes(asked) ? asked : "play";
  if ($(view).hidden) banner("");
  for (const name of VIEWS) $(name).hidden = name !== view;
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

window.addEventListener("hashchange", show);
show();
const address = new URL("..", document.baseURI).href.replace(/\/$/, "");
for (const place of document.querySelectorAll(".address")) place.textContent = address;
for (const view of [play, watch]) {
  view.start().catch((error) => {
    banner("The page could not be set up: the server cannot be reached. Load it again in a moment.");
    throw error;
  });
}
document.body.dataset.ready = "";
