// Real traffic for the console to show: two HTTP servers on loopback and a client that asks them over
// and over, also for paths that would be markup if anybody took them for it.
import http from 'node:http';

export const hostilePath = '/<script>alert(1)</script>';
const paths = [hostilePath, '/<img/src=x/onerror=alert(2)>', '/ok', '/missing'];
const pauseMs = 150;

function serve(host, port, bytes) {
  const server = http.createServer((request, response) => {
    response.statusCode = request.url === '/missing' ? 404 : 200;
    response.end('x'.repeat(bytes));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}

function ask(host, port, path) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path, agent: false }, (response) => {
      response.resume();
      response.once('end', resolve);
    });
    request.once('error', reject);
  });
}

// The first server sends much more than the second. Ports of 0 are chosen by the system.
export async function startTraffic([busyPort = 0, quietPort = 0] = []) {
  const busy = await serve('127.0.0.1', busyPort, 20_000);
  const quiet = await serve('127.0.0.2', quietPort, 10);
  let running = true;
  const loop = (async () => {
    for (let i = 0; running; i++) {
      await ask('127.0.0.1', busy.address().port, paths[i % paths.length]);
      await ask('127.0.0.2', quiet.address().port, '/ok');
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  })();
  const failed = loop.catch((error) => error);
  return {
    busyPort: busy.address().port,
    quietPort: quiet.address().port,
    stop: async () => {
      running = false;
      const error = await failed;
      busy.close();
      quiet.close();
      if (error) throw error;
    },
  };
}
