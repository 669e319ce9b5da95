/** Makes the tabs of the page work as the ARIA Authoring Practices have it: a click or an arrow key chooses. */
export function showTabs(onChange) {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
    chosen.focus();
    onChange();
  };
  const to = { ArrowRight: (i) => (i + 1) % tabs.length, ArrowLeft: (i) => (i + tabs.length - 1) % tabs.length, Home: () => 0, End: () => tabs.length - 1 };
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      if (!Object.hasOwn(to, event.key)) return;
      event.preventDefault();
      choose(tabs[to[event.key](i)]);
    });
  }
}
