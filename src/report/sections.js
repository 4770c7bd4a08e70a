"use strict";
// Sections are drawn when they come into sight, and again when something is chosen.

const drawn = new Set();

function drawSection(id) {
  const section = document.getElementById(id);
  drawn.add(id);
  section.classList.add("drawn");
  for (const child of [...section.children].slice(1)) child.remove();
  const box = add(section, "div");
  try {
    sections.get(id)(box);
  } catch (error) {
    add(box, "p", {class: "warn"}, `This part could not be drawn: ${error.message}`);
    console.error(error);
  }
}

/** Whoever has changed something has drawn itself. */
function drawAgain(from, ids = [...sections.keys()]) {
  for (const id of ids)
    if (id !== from && drawn.has(id)) drawSection(id);
}

function drawAll() {
  for (const id of sections.keys())
    if (!drawn.has(id)) drawSection(id);
}

function begin() {
  document.getElementById("about").textContent =
      `${plural(study.runs.length, "run")}, ${plural(study.groups.length, "setting")}`;
  document.getElementById("foot").textContent =
      `Made by easgd ${study.program}. This page needs no network.`;
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries)
      if (entry.isIntersecting && !drawn.has(entry.target.id)) drawSection(entry.target.id);
  }, {rootMargin: "400px"});
  for (const section of document.querySelectorAll("main > section")) {
    add(document.getElementById("contents"), "a", {href: `#${section.id}`},
        section.querySelector("h2").textContent);
    watch.observe(section);
  }
  addEventListener("beforeprint", drawAll);
}
begin();
