// The pages of a running server in a real browser: node page.mjs BASE PATH...
//
// For each path, at the width of a desktop and of a phone, in light and in dark: no serious finding of axe-core, no
// request to anybody else, nothing wider than the screen, everything reached by the Tab key with a visible focus.
// Screenshots go to FORESCALE_SHOTS, if it is set. CHROMIUM names the browser.
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
const require = createRequire(process.env.FORESCALE_NODE_MODULES + "/");
const puppeteer = require("puppeteer-core");
const axe = require.resolve("axe-core/axe.min.js");

const [base, ...paths] = process.argv.slice(2);
const shots = process.env.FORESCALE_SHOTS;
const faults = [];
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
for (const path of paths) {
  const name = path === "/" ? "fleet" : path.split("?")[0].split("/").pop();
  for (const [device, width, height] of [["desktop", 1280, 900], ["phone", 360, 780]]) {
    for (const mode of ["light", "dark"]) {
      const where = `${path} (${device}, ${mode})`;
      const page = await browser.newPage();
      await page.setViewport({ width, height, deviceScaleFactor: 1 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: mode }]);
      page.on("request", (r) => r.url().startsWith(base) || r.url().startsWith("data:") || faults.push(`${where}: asks ${r.url()}`));
      page.on("console", (m) => ["error", "warning"].includes(m.type()) && !m.location().url?.endsWith("favicon.ico") && faults.push(`${where}: ${m.text()}`));
      const answer = await page.goto(base + path, { waitUntil: "networkidle0" });
      if (answer.status() >= 500) faults.push(`${where}: status ${answer.status()}`);
      const wide = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      if (wide[0] > wide[1]) faults.push(`${where}: ${wide[0]} px wide, expected ${wide[1]}`);
      if (device === "desktop" && mode === "light") await tabs(page, where);
      if (shots) {
        mkdirSync(shots, { recursive: true });
        await page.screenshot({ path: `${shots}/${name}-${device}-${mode}.png`, fullPage: true });
      }
      // The policy of the page forbids scripts, also that of the check: a second visit without it.
      await page.setBypassCSP(true);
      await page.goto(base + path, { waitUntil: "networkidle0" });
      await page.addScriptTag({ path: axe });
      const found = await page.evaluate(() => globalThis.axe.run());
      for (const v of found.violations) {
        const line = `${where}: ${v.impact} ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target).slice(0, 4).join("; ")}`;
        if (["serious", "critical"].includes(v.impact)) faults.push(line);
        else console.log("minor:", line);
      }
      console.log(`${where}: ${found.passes.length} rules of axe-core ${found.testEngine.version} pass, ${found.violations.length} do not`);
      await page.close();
    }
  }
}
await browser.close();
for (const fault of faults) console.log("fault:", fault);
process.exit(faults.length ? 1 : 0);

// Every link, field and region that scrolls takes the focus in turn, and shows it.
async function tabs(page, where) {
  const wanted = await page.evaluate(() => document.querySelectorAll("a[href], input:not([type=hidden]), select, summary, button, [tabindex='0']").length);
  const seen = new Set();
  for (let i = 0; i <= wanted; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const all = [...document.querySelectorAll("a[href], input:not([type=hidden]), select, summary, button, [tabindex='0']")];
      return { place: all.indexOf(e), outline: getComputedStyle(e).outlineStyle };
    });
    if (!at) break;
    if (at.outline === "none") faults.push(`${where}: the focus on element ${at.place} is not seen`);
    seen.add(at.place);
  }
  if (seen.size < wanted) faults.push(`${where}: Tab reaches ${seen.size} of ${wanted}`);
}
