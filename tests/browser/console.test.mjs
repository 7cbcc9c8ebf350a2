// The console of a running Weir, in a real browser, with real traffic.
//
//   WEIR_URL=http://127.0.0.1:9531 npm test
//
// Weir must run on this machine and keep loopback flows: the test makes its own traffic there and
// waits for it to appear. Also read: WEIR_TOKEN, where Weir wants one; CHROMIUM, the browser;
// WEIR_SCREENSHOTS, a folder for pictures; WEIR_TEST_PORTS, two ports to serve on (`8101,8102`).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

import { hostilePath, startTraffic } from './traffic.mjs';

const address = process.env.WEIR_URL;
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const appearsWithinMs = 120_000; // an interval, the store, a slow machine
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let browser;
let traffic;
let ours; // a search for the flows of this test

const byId = (page, id) => page.locator(`[data-testid="${id}"]`);

// A page that remembers whatever a browser would complain about.
async function open(hash, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') page.complaints.push(message.text());
  });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    page.complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective}`));
  });
  await visit(page, hash);
  return page;
}

async function visit(page, hash) {
  await page.goto('about:blank');
  page.answer = await page.goto(new URL(hash, address).href);
  await byId(page, 'nav-summary').waitFor();
  if (!process.env.WEIR_TOKEN) return;
  const form = byId(page, 'token'); // a new context has no cookie
  await form.waitFor();
  await form.fill(process.env.WEIR_TOKEN);
  await page.keyboard.press('Enter');
  await byId(page, 'time-range').waitFor();
  page.complaints = page.complaints.filter((text) => !/status of 401/.test(text));
}

// Asks again until the data of this test is there.
async function waitForData(page, id) {
  const deadline = Date.now() + appearsWithinMs;
  const wanted = byId(page, id).first();
  for (;;) {
    try {
      return await wanted.waitFor({ timeout: 2500 });
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`no ${id} within ${appearsWithinMs / 1000} s: ${error.message}`);
      await byId(page, 'refresh').click();
    }
  }
}

async function finish(page, name) {
  if (process.env.WEIR_SCREENSHOTS) await page.screenshot({ path: `${process.env.WEIR_SCREENSHOTS}/${name}.png` });
  const { complaints } = page;
  await page.context().close();
  assert.deepEqual(complaints, [], 'the browser has nothing to complain about');
}

before(async () => {
  assert.ok(address, 'WEIR_URL names a running Weir');
  traffic = await startTraffic((process.env.WEIR_TEST_PORTS ?? '').split(',').filter(Boolean).map(Number));
  ours = encodeURIComponent(`server_port:${traffic.busyPort} OR server_port:${traffic.quietPort}`);
  browser = await chromium.launch({ executablePath, args: flags });
});

after(async () => {
  await browser?.close();
  await traffic?.stop();
});

test('a flow appears in the table of network paths, with its measures', async () => {
  const page = await open(`#/summary?view=ip&q=${ours}`);
  await waitForData(page, 'summary-row');
  const busy = byId(page, 'summary-row').filter({
    has: page.locator('[data-column="server"]', { hasText: '127.0.0.1' }),
  });
  assert.equal(await busy.locator('[data-column="client"]').textContent(), '127.0.0.1');
  assert.match(await busy.locator('[data-column="bytes_read"]').textContent(), /^[1-9][\d.]* [KMG]iB$/);
  assert.match(await busy.locator('[data-column="tcp_established"]').textContent(), /^[1-9]/);
  assert.match(await byId(page, 'summary-totals').textContent(), /Total.*[1-9]/);
  assert.match(await byId(page, 'coverage').textContent(), /complete|lost/);
  await finish(page, 'summary');
});

test('the charts draw its traffic', async () => {
  const page = await open(`#/summary?view=ip&q=${ours}`);
  await waitForData(page, 'summary-row');
  for (const metric of ['bytes_written', 'rtt', 'tcp_established']) {
    const chart = byId(page, `chart-${metric}`);
    await chart.locator('canvas').waitFor();
    assert.ok(Number(await chart.getAttribute('data-values')) > 0, `${metric} has values`);
    const drawn = await chart.evaluate((figure) => {
      const canvas = figure.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      // Lines may lie on each other: any of the chart's colours will do.
      const colors = [...figure.querySelectorAll('.legend-item line')].map((line) =>
        getComputedStyle(line).color.match(/\d+/g).map(Number),
      );
      let pixels = 0;
      for (let i = 0; i < data.length; i += 4) {
        const near = (color) => color.every((part, j) => Math.abs(data[i + j] - part) < 8);
        if (data[i + 3] > 200 && colors.some(near)) pixels++;
      }
      return pixels;
    });
    assert.ok(drawn > 0, `${metric} is drawn in its colours`);
  }
  await finish(page, 'charts');
});

test('the map shows who talks to whom, and one node with its neighbours', async () => {
  const page = await open(`#/map?view=ip&range=15m&q=${ours}`);
  await waitForData(page, 'map-node');
  const node = page.locator('[data-testid="map-node"][data-node-id="ip:127.0.0.2"]');
  const edge = page.locator('[data-testid="map-edge"][data-source="ip:127.0.0.1"][data-target="ip:127.0.0.2"]');
  await node.waitFor();
  assert.match(await node.textContent(), /127\.0\.0\.2/);
  assert.match(await edge.locator('.line').getAttribute('d'), /^M[-\d.]+,[-\d.]+Q/);
  await node.hover();
  assert.match(await page.getByRole('tooltip').textContent(), /127\.0\.0\.2.*Received/);
  await node.click();
  await byId(page, 'focus-panel').waitFor();
  assert.match(page.url(), /focus=ip%3A127\.0\.0\.2/);
  assert.match(await byId(page, 'focus-panel').textContent(), /Upstream 1.*127\.0\.0\.1/);
  await byId(page, 'map-back').click();
  await byId(page, 'focus-panel').waitFor({ state: 'detached' });
  await finish(page, 'map');
});

test('a path that looks like markup stays text', async () => {
  const page = await open(`#/flows?layer=l7&q=server_port:${traffic.busyPort}`);
  const policy = page.answer.headers()['content-security-policy'] ?? '';
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  await waitForData(page, 'flows-row');
  const cell = page.locator('[data-testid="flows-row"] [data-column="path"]', { hasText: hostilePath }).first();
  await cell.waitFor();
  assert.equal(await cell.textContent(), hostilePath);
  const row = byId(page, 'flows-row')
    .filter({ has: page.locator('[data-column="path"]', { hasText: hostilePath }) })
    .first();
  await row.getByRole('button', { name: 'Show all fields' }).click();
  await byId(page, 'flow-details').waitFor();
  assert.match(await byId(page, 'flow-details').textContent(), new RegExp(`server_port${traffic.busyPort}`));
  const scripts = await page.evaluate(() => [...document.scripts].map((script) => new URL(script.src).pathname));
  assert.deepEqual(
    scripts.map((path) => path.split('/').pop()),
    ['app.js'],
  );
  assert.equal(await page.locator('img').count(), 0);
  assert.ok(Number(await byId(page, 'histogram').getAttribute('data-records')) > 0);
  await finish(page, 'flows');
});

test('the slowest requests come with what their sockets said', async () => {
  const page = await open(`#/flows?layer=l7&q=server_port:${traffic.busyPort}`);
  await waitForData(page, 'flows-row');
  await byId(page, 'requests-slow').click();
  await page.locator('[data-testid="flows-row"] [data-column="server_time"]').first().waitFor();
  assert.match(page.url(), /slow=1/);
  const row = byId(page, 'flows-row').first();
  assert.match(await row.locator('[data-column="latency"]').textContent(), /\d/);
  assert.match(await row.locator('[data-column="retransmits"]').textContent(), /^\d+$/);
  await row.getByRole('button', { name: 'Show all fields' }).click();
  await byId(page, 'flow-details').waitFor();
  assert.match(await byId(page, 'flow-details').textContent(), /connection_age/);
  await byId(page, 'requests-all').click();
  await page.locator('[data-testid="flows-row"] [data-column="count"]').first().waitFor();
  await finish(page, 'slowest');
});

test('a pair leads to its flows, and the back button back', async () => {
  const page = await open(`#/summary?view=ip&q=${ours}`);
  await waitForData(page, 'summary-row');
  await byId(page, 'summary-row').first().locator('[data-column="bytes_read"]').click();
  await waitForData(page, 'flows-row');
  assert.match(await byId(page, 'search').inputValue(), /client:127\.0\.0\.1 server:127\.0\.0\.\d/);
  await page.goBack();
  await byId(page, 'summary-table').waitFor();
  await finish(page, 'pair');
});

test('a deep link opens what it says', async () => {
  const page = await open(`#/flows?layer=l7&range=1h&q=server_port:${traffic.busyPort}`);
  await waitForData(page, 'flows-row');
  assert.equal(await byId(page, 'layer-l7').getAttribute('aria-pressed'), 'true');
  assert.equal(await byId(page, 'range-1h').getAttribute('aria-pressed'), 'true');
  assert.equal(await byId(page, 'nav-flows').getAttribute('aria-current'), 'page');
  assert.equal(await byId(page, 'search').inputValue(), `server_port:${traffic.busyPort}`);
  assert.equal(await page.title(), 'Flows · Weir');
  await byId(page, 'nav-map').click();
  assert.match(page.url(), /#\/map\?.*layer=l7.*range=1h/);
  await page.goBack();
  await byId(page, 'flows-table').waitFor();
  await finish(page, 'deep-link');
});

test("sorting is the server's, both ways", async () => {
  const page = await open(`#/summary?view=ip&q=${ours}`);
  await waitForData(page, 'summary-row');
  const servers = () => byId(page, 'summary-row').locator('[data-column="server"]').allTextContents();
  const sort = byId(page, 'sort-bytes_read');
  const heading = page.locator('th', { has: sort });
  const sorted = async (state) => {
    const answered = page.waitForResponse((answer) => /\/summary\?.*sort=-?bytes_read/.test(answer.url()));
    await sort.click();
    await answered;
    await page.locator(`th[aria-sort="${state}"]`, { has: sort }).waitFor();
  };
  await sorted('descending');
  await assertSoon(async () => assert.deepEqual(await servers(), ['127.0.0.1', '127.0.0.2']));
  await sorted('ascending');
  await assertSoon(async () => assert.deepEqual(await servers(), ['127.0.0.2', '127.0.0.1']));
  assert.equal(await heading.getAttribute('aria-sort'), 'ascending');
  await finish(page, 'sort');
});

async function assertSoon(check) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

test('the theme follows the system and then the user', async () => {
  const page = await open('#/summary', { colorScheme: 'dark' });
  const background = () =>
    page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
  assert.ok(Math.max(...(await background())) < 64, 'dark by preference');
  await byId(page, 'theme').click();
  assert.ok(Math.min(...(await background())) > 200, 'light by choice');
  await page.reload();
  await byId(page, 'nav-summary').waitFor();
  assert.ok(Math.min(...(await background())) > 200, 'the choice is kept');
  await finish(page, 'theme');
});

test("columns are the user's and kept", async () => {
  const page = await open(`#/summary?view=ip&q=${ours}`);
  await waitForData(page, 'summary-row');
  const heading = page.getByRole('columnheader', { name: 'Delay max' });
  assert.equal(await heading.count(), 0);
  await byId(page, 'columns').click();
  await page.getByLabel('Delay max').check();
  await heading.waitFor();
  await page.reload();
  await waitForData(page, 'summary-row');
  await heading.waitFor();
  await finish(page, 'columns');
});

test('an error of the search is shown with its place, and nothing breaks', async () => {
  const page = await open('#/summary');
  await byId(page, 'search').fill('server_port:(');
  await page.keyboard.press('Enter');
  await byId(page, 'search-error').waitFor();
  assert.match(await byId(page, 'search-error').textContent(), / at \d+/);
  await page.getByRole('button', { name: 'Clear the search' }).click();
  await byId(page, 'search-error').waitFor({ state: 'detached' });
  page.complaints = page.complaints.filter((text) => !/status of 400/.test(text));
  await finish(page, 'search-error');
});
