// An HTTPS server or client with Node.js, which has TLS over memory. What they say and are told is in tls_peers.py.
//
//     node_peer.js server IP PORT CERT KEY
//     node_peer.js client IP PORT LOCAL_PORT...
'use strict';
const fs = require('fs'), https = require('https'), readline = require('readline');

function serve(ip, port, cert, key) {
  const server = https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (request, response) => {
    response.statusCode = request.url.endsWith('/gone') ? 404 : 200;
    response.end('ok');
  });
  server.keepAliveTimeout = 0;
  server.listen(Number(port), ip, () => console.log('ready'));
}

async function ask(host, port, ...localPorts) {
  const agents = new Map(localPorts.map((local) =>
    [local, new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })]));
  const one = (local, method, end) => new Promise((done, failed) => {
    const options = { host, port, method, path: `/${local}/${end}`, localPort: Number(local), agent: agents.get(local) };
    https.request(options, (response) => response.resume().on('end', done)).on('error', failed).end();
  });
  console.log('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [method, end] = line.split(' ');
    await Promise.all(localPorts.map((local) => one(local, method, end)));
    console.log('ready');
  }
  for (const agent of agents.values()) agent.destroy();
}

const [role, ...rest] = process.argv.slice(2);
(role === 'server' ? serve : ask)(...rest);
