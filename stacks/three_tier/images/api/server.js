'use strict';
// api: reads and writes messages.
//   GET  /                a page: the newest message, and which replica of each tier answered
//   GET  /api/message     the same as JSON
//   POST /api/messages    {"text": "…"} adds one
//   GET  /healthz         this replica may be given work (the container's health check)
//   GET  /api/healthz     … and the database answers

const fs = require('node:fs');
const http = require('node:http');
const pg = require('pg');

const PORT = 3000;
const MAX_BODY_BYTES = 4096;
const MAX_TEXT_LENGTH = 200;
// Other nodes soon learn that this replica is stopping; until then it keeps answering.
const DRAIN_MS = 3000;
// A new container may need a moment until the database's node can route packets back to it. It gets
// no requests before that. But if the database is down, it is as healthy as the other replicas.
const FIRST_CONNECTION_MS = 5000;

const env = process.env;
const whoami = `${env.API_REPLICA || 'api'}@${env.NODE_NAME || 'unknown'}`;

/** An error response: its status and message. */
class HttpError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

// Shorter than a client's timeout: a missing database gives an error, not a hanging request.
const connect = () => {
  const made = new pg.Pool({
    host: env.DB_HOST || 'tasks.db',
    port: Number(env.DB_PORT || 5432),
    user: env.DB_USER || 'app',
    database: env.DB_NAME || 'app',
    password: fs.readFileSync(env.DB_PASSWORD_FILE || '/run/secrets/db_password', 'utf8').trimEnd(),
    application_name: env.API_REPLICA || 'api',
    max: Number(env.DB_CONNECTIONS || 5),
    connectionTimeoutMillis: 1500,
    query_timeout: 1000,
    idleTimeoutMillis: 0,
    types: { getTypeParser: () => (text) => text },
  });
  made.on('error', (error) => console.error(`${whoami}: an idle connection ended: ${error.message}`));
  return made;
};
let pool = connect();

/** The connection was lost during a statement, which may or may not have been carried out. */
class LostError extends HttpError {}

// What is not the server's answer is the connection's fault. SQLSTATE classes that describe the
// server's state, not the statement: connection exceptions, shutting down or starting up, too many
// connections.
const isUnavailable = (error) =>
  !(error instanceof pg.DatabaseError) || /^(08|57P|53300)/.test(error.code);

/** Run a statement once; its rows. */
async function write(sql, parameters = []) {
  const client = await pool.connect().catch((error) => {
    throw isUnavailable(error) ? new HttpError(503, error.message) : error;
  });
  let lost = false;
  try {
    return (await client.query(sql, parameters)).rows;
  } catch (error) {
    lost = isUnavailable(error);
    throw lost ? new LostError(503, error.message) : error;
  } finally {
    client.release(lost);
  }
}

/**
 * Run a statement that only reads. If its connection turns out to be dead (the database has
 * restarted, perhaps elsewhere), the idle ones are too: it is retried once, in a new pool.
 */
async function read(sql) {
  const used = pool;
  try {
    return await write(sql);
  } catch (error) {
    if (!(error instanceof LostError)) throw error;
  }
  if (pool === used) {
    pool = connect();
    used.end().catch(() => {});
  }
  return write(sql);
}

const NEWEST = `
  SELECT id, text, created_at, (SELECT count(*) FROM messages) AS total,
         host(inet_server_addr()) AS db_address, pg_postmaster_start_time() AS db_started_at
  FROM messages ORDER BY id DESC LIMIT 1`;
const ADD = 'INSERT INTO messages (text) VALUES ($1) RETURNING id, text, created_at';

async function newest(request) {
  const [row] = await read(NEWEST);
  if (!row) throw new HttpError(404, 'there is no message');
  const { id, text, created_at, total, db_address, db_started_at } = row;
  return {
    message: { id: Number(id), text, created_at },
    total: Number(total),
    served_by: {
      web: request.headers['x-web'] || null,
      api: whoami,
      db: { address: db_address, started_at: db_started_at },
    },
  };
}

async function add(request) {
  let given;
  try {
    given = JSON.parse(await bodyOf(request));
  } catch (error) {
    throw error instanceof HttpError ? error : new HttpError(400, 'the body is not JSON');
  }
  const text = given && given.text;
  if (typeof text !== 'string' || text.trim() === '' || text.length > MAX_TEXT_LENGTH || text.includes('\0')) {
    throw new HttpError(400, `"text" must be a string of 1 to ${MAX_TEXT_LENGTH} characters`);
  }
  const [row] = await write(ADD, [text]);
  return { message: { ...row, id: Number(row.id) }, served_by: { api: whoami } };
}

async function bodyOf(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new HttpError(413, `the body has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const escaped = (text) =>
  String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const page = (heading, pairs) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>three_tier</title><style>
body { font: 18px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1rem }
dt { color: #666; font-size: 14px } dd { margin: 0 0 .6rem; font-family: ui-monospace, monospace }
</style></head><body>
<h1>${escaped(heading)}</h1>
<dl>${pairs.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('\n')}</dl>
</body></html>
`;

async function home(request) {
  const { message, total, served_by } = await newest(request);
  return page(message.text, [
    ['message', `${message.id} (of ${total}), written ${message.created_at}`],
    ['web', served_by.web || 'not asked through web'],
    ['api', served_by.api],
    ['db', `${served_by.db.address}, started ${served_by.db.started_at}`],
  ]);
}

const html = (status, text) => ({ status, type: 'text/html; charset=utf-8', text });
const json = (status, value) => ({ status, type: 'application/json', text: `${JSON.stringify(value)}\n` });

const ROUTES = {
  '/': { GET: async (request) => html(200, await home(request)) },
  '/healthz': { GET: async () => json(ready ? 200 : 503, { api: whoami, ready }) },
  '/api/healthz': { GET: async () => json(200, { api: whoami, db: (await read('SELECT 1')).length === 1 }) },
  '/api/message': { GET: async (request) => json(200, await newest(request)) },
  '/api/messages': { POST: async (request) => json(201, await add(request)) },
};

async function answer(request) {
  const { pathname } = new URL(request.url, 'http://api');
  const methods = Object.hasOwn(ROUTES, pathname) ? ROUTES[pathname] : null;
  if (!methods) throw new HttpError(404, `nothing is at ${pathname}`);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (!Object.hasOwn(methods, method)) throw new HttpError(405, `${request.method} is not allowed here`);
  return methods[method](request);
}

function explained(request, error) {
  const status = error instanceof HttpError ? error.status : 500;
  if (status >= 500) console.error(`${request.method} ${request.url}: ${error.message}`);
  const text = status === 500 ? 'internal error' : error.message;
  if (request.url === '/') return html(status, page('No answer from the database', [['why', text], ['api', whoami]]));
  return json(status, { error: text, api: whoami });
}

const server = http.createServer(async (request, response) => {
  let given;
  try {
    given = await answer(request);
  } catch (error) {
    given = explained(request, error);
  }
  const bytes = Buffer.from(given.text);
  const headers = { 'Content-Type': given.type, 'Content-Length': bytes.length, 'X-Api': whoami, 'Cache-Control': 'no-store' };
  if (given.status === 413) headers.Connection = 'close';
  response.writeHead(given.status, headers);
  response.end(request.method === 'HEAD' ? undefined : bytes);
});
server.requestTimeout = 10_000;

function stop(signal) {
  console.log(`${whoami}: ${signal}, leaving`);
  setTimeout(() => {
    server.close(() => pool.end());
    server.closeIdleConnections();
  }, DRAIN_MS);
}
process.once('SIGTERM', () => stop('SIGTERM'));
process.once('SIGINT', () => stop('SIGINT'));

server.listen(PORT, () => console.log(`${whoami}: listening on ${PORT}`));

let ready = false;
const deadline = Date.now() + FIRST_CONNECTION_MS;
async function becomeReady() {
  try {
    await read('SELECT 1');
  } catch (error) {
    console.error(`${whoami}: ${error.message}`);
    if (Date.now() < deadline) {
      setTimeout(becomeReady, 250);
      return;
    }
  }
  ready = true;
}
becomeReady();
