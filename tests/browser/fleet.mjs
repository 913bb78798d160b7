// The report of a fleet in a real browser: node fleet.mjs BASE
//
// At the width of a small phone nothing is wider than the screen; the filter and the sort order do what they say, by
// mouse and by keyboard; without scripts every row is there, and no control that would do nothing.
import { createRequire } from "node:module";
const require = createRequire(process.env.FORESCALE_NODE_MODULES + "/");
const puppeteer = require("puppeteer-core");

const address = process.argv[2] + "/fleet.html";
const faults = [];
const expect = (holds, fault) => holds || faults.push(fault);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

const page = await browser.newPage();
await page.setViewport({ width: 360, height: 740, deviceScaleFactor: 1 });
await page.goto(address, { waitUntil: "networkidle0" });
const wide = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
expect(wide[0] <= wide[1], `at 360 px the page is ${wide[0]} px wide`);
if (process.env.FORESCALE_SHOTS) await page.screenshot({ path: `${process.env.FORESCALE_SHOTS}/fleet-360.png`, fullPage: true });

const rows = () => page.$$eval("#fleet tbody tr:not([hidden])", (all) => all.map((row) => row.cells[0].textContent));
const all = await rows();
await page.type("#filter", "cannot_tell");
const filtered = await rows();
expect(filtered.length > 0 && filtered.length < all.length, `the filter leaves ${filtered.length} of ${all.length} rows`);
const status = await page.$eval("#shown", (shown) => shown.textContent);
expect(status === `${filtered.length} of ${all.length}`, `the filter says '${status}'`);
await page.$eval("#filter", (filter) => { filter.value = ""; filter.dispatchEvent(new Event("input")); });
expect((await rows()).length === all.length, "an empty filter hides rows");
const sorted = async () => {
  await page.keyboard.press("Enter");
  return rows();
};
await page.$eval("#fleet thead th button", (button) => button.focus());
const up = await sorted();
expect(String(up) === String([...all].sort((a, b) => a.localeCompare(b))), `by name: ${up}`);
expect(String(await sorted()) === String(up.reverse()), "once more does not turn the order round");
const marked = await page.$$eval("#fleet th[aria-sort]", (heads) => heads.map((head) => head.getAttribute("aria-sort")));
expect(String(marked) === "descending", `aria-sort is ${marked}`);
const numbers = await page.$$eval("#fleet thead th[data-number] button", (buttons) => {
  buttons[0].click();
  const column = buttons[0].closest("th").cellIndex;
  return [...document.querySelectorAll("#fleet tbody tr")].map((row) => parseFloat(row.cells[column].textContent));
});
const known = numbers.filter((value) => !Number.isNaN(value));
expect(known.every((value, i) => i === 0 || known[i - 1] <= value), `by saving: ${numbers}`);

const plain = await browser.newPage();
await plain.setJavaScriptEnabled(false);
await plain.goto(address, { waitUntil: "networkidle0" });
const without = await plain.$$eval("#fleet tbody tr", (all) => all.length);
const controls = await plain.$$eval("#fleet button, .filter", (all) => all.filter((one) => one.checkVisibility()).length);
expect(without === all.length && controls === 0, `without scripts: ${without} rows, ${controls} controls`);

// Every link leads to a file.
const links = await page.$$eval("#fleet a[href]", (all) => all.map((link) => link.href));
expect(links.length > 0, "no row has a link");
for (const link of links) {
  const answer = await fetch(link);
  expect(answer.ok, `${link}: ${answer.status}`);
}
await browser.close();
console.log(`${all.length} rows, ${links.length} links`);
for (const fault of faults) console.log("fault:", fault);
process.exit(faults.length ? 1 : 0);
