'use strict';
// service: greets the user of a token.
//   GET /service           which replica answered
//   GET /service/greeting  with Authorization: Bearer <token> → {"greeting": "…"}

const dns = require('node:dns/promises');
const http = require('node:http');
const { HttpError, bearer, serve } = require('./http.js');

const AUTH_HOST = process.env.AUTH_HOST || 'tasks.auth';
const AUTH_PORT = 3000;
const TIMEOUT_MS = 1000;

/** Ask one replica of auth; rejects when it does not answer. */
function askAt(address, token) {
  return new Promise((resolve, reject) => {
    const options = {
      host: address,
      port: AUTH_PORT,
      path: '/auth/whoami',
      headers: { Authorization: `Bearer ${token}` },
      timeout: TIMEOUT_MS,
    };
    const request = http.get(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, text }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
  });
}

/** The user of a token. If a replica of auth has just stopped, another one is asked. */
async function whoHas(token) {
  const addresses = await dns.resolve4(AUTH_HOST).catch(() => []);
  for (const address of addresses.sort(() => Math.random() - 0.5).slice(0, 3)) {
    try {
      const { status, text } = await askAt(address, token);
      const content = JSON.parse(text);
      if (status === 200) return { user: content.user, auth: content.replica };
      throw new HttpError(status === 401 ? 401 : 502, content.error || `auth answered ${status}`);
    } catch (error) {
      if (error instanceof HttpError) throw error;
      console.error(`auth at ${address}: ${error.message}`);
    }
  }
  throw new HttpError(503, 'no replica of auth answers');
}

serve({
  '/service': { GET: async () => ({ service: 'service' }) },
  '/service/greeting': {
    GET: async (request) => {
      const { user, auth } = await whoHas(bearer(request));
      return { greeting: `Hello, ${user}!`, auth };
    },
  },
});
