// Charts, drawn from the JSON beside them in the page's own colours; and the switch between light and dark.
const page = (() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  const axis = () => ({ gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line"), automargin: true });
  const titled = (own) => ({ ...axis(), ...own, title: { font: { size: 13 }, ...own?.title } });

  // A chart's own layout, on top of what all share.
  const layout = (own) => ({
    ...own,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: colour("--text"), family: "system-ui, sans-serif", size: 13 },
    margin: { l: 55, r: 15, t: 15, b: 50, ...own.margin },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, ...own.legend },
    xaxis: titled(own.xaxis),
    yaxis: titled(own.yaxis),
  });

  const plots = () => [...document.querySelectorAll(".plot")];
  const draw = (plot) => {
    const figure = JSON.parse(plot.nextElementSibling.textContent);
    return Plotly.react(plot, figure.data, layout(figure.layout), { responsive: true, displayModeBar: false });
  };

  const setTheme = (name) => {
    root.dataset.theme = name;
    const button = document.getElementById("theme");
    button.setAttribute("aria-pressed", String(name === "dark"));
    plots().forEach(draw);
    root.dispatchEvent(new Event("themechange"));
  };

  const start = () => {
    setTheme(dark.matches ? "dark" : "light");
    dark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
    document.getElementById("theme").addEventListener("click", () => setTheme(root.dataset.theme === "dark" ? "light" : "dark"));
    // On paper colours are light and widths are the paper's.
    let screen = null;
    window.addEventListener("beforeprint", () => { screen = root.dataset.theme; setTheme("light"); });
    window.addEventListener("afterprint", () => setTheme(screen));
  };

  return { start, colour, layout };
})();
page.start();
