'use strict';
// A small PostgreSQL client: the official node image has none, and the stack installs nothing.
// Protocol 3.0, SCRAM-SHA-256, the extended query protocol (parameters never become SQL text).
// https://www.postgresql.org/docs/current/protocol.html

const crypto = require('node:crypto');
const net = require('node:net');
const { promisify } = require('node:util');

const pbkdf2 = promisify(crypto.pbkdf2);

/** The server refused a statement; `code` is the SQLSTATE. */
class DatabaseError extends Error {
  constructor(fields) {
    super(fields.M);
    this.name = 'DatabaseError';
    this.code = fields.C;
    this.severity = fields.V || fields.S;
  }
}

/** The server cannot be reached, closed the connection, or did not answer in time. */
class UnavailableError extends Error {
  constructor(message) {
    super(message);
    this.name = 'UnavailableError';
  }
}

// SQLSTATE classes that describe the server's state, not the statement: connection exceptions,
// shutting down or starting up, too many connections.
const isUnavailable = (error) =>
  error instanceof UnavailableError ||
  (error instanceof DatabaseError && /^(08|57P|53300)/.test(error.code));

// --- messages -----------------------------------------------------------------------------------

const int32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int16 = (value) => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const cstring = (text) => Buffer.from(`${text}\0`);

const message = (type, ...parts) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
};

const startup = (user, database) => {
  const settings = { user, database, application_name: process.env.API_REPLICA || 'api' };
  const pairs = Object.entries(settings).map(([key, value]) => cstring(`${key}\0${value}`));
  const body = Buffer.concat([int32(3 << 16), ...pairs, Buffer.from([0])]);
  return Buffer.concat([int32(body.length + 4), body]);
};

const parameter = (value) => {
  if (value === null || value === undefined) return int32(-1);
  const bytes = Buffer.from(String(value));
  return Buffer.concat([int32(bytes.length), bytes]);
};

const statement = (sql, parameters) =>
  Buffer.concat([
    message('P', cstring(''), cstring(sql), int16(0)),
    message('B', cstring(''), cstring(''), int16(0), int16(parameters.length),
      ...parameters.map(parameter), int16(0)),
    message('D', Buffer.from('P'), cstring('')),
    message('E', cstring(''), int32(0)),
    message('S'),
  ]);

const errorFields = (body) =>
  Object.fromEntries(
    body.toString().split('\0').filter(Boolean).map((field) => [field[0], field.slice(1)]));

const columnNames = (body) => {
  const names = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left -= 1) {
    const end = body.indexOf(0, at);
    names.push(body.toString('utf8', at, end));
    at = end + 1 + 18; // table, column, type, size, modifier, format
  }
  return names;
};

const row = (body, names) => {
  const result = {};
  let at = 2;
  for (const name of names) {
    const length = body.readInt32BE(at);
    at += 4;
    result[name] = length < 0 ? null : body.toString('utf8', at, at + length);
    at += Math.max(length, 0);
  }
  return result;
};

// --- SCRAM-SHA-256 (RFC 5802, RFC 7677) -----------------------------------------------------------

class Scram {
  constructor(password) {
    this.password = password;
    this.nonce = crypto.randomBytes(18).toString('base64');
    // No channel binding; PostgreSQL uses the user of the start-up message.
    this.first = `n=,r=${this.nonce}`;
  }

  opening() {
    const text = Buffer.from(`n,,${this.first}`);
    return message('p', cstring('SCRAM-SHA-256'), int32(text.length), text);
  }

  async proof(challenge) {
    const given = Object.fromEntries(
      challenge.split(',').map((field) => [field[0], field.slice(2)]));
    if (!given.r || !given.r.startsWith(this.nonce) || given.r === this.nonce) {
      throw new UnavailableError('the server did not continue our nonce');
    }
    const iterations = Number(given.i);
    const salted = await pbkdf2(
      this.password.normalize('NFKC'), Buffer.from(given.s, 'base64'), iterations, 32, 'sha256');
    const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();
    const clientKey = hmac(salted, 'Client Key');
    const storedKey = crypto.createHash('sha256').update(clientKey).digest();
    const withoutProof = `c=biws,r=${given.r}`;
    const conversation = `${this.first},${challenge},${withoutProof}`;
    const signature = hmac(storedKey, conversation);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]));
    this.expected = hmac(hmac(salted, 'Server Key'), conversation).toString('base64');
    return message('p', Buffer.from(`${withoutProof},p=${proof.toString('base64')}`));
  }

  verify(final) {
    if (final !== `v=${this.expected}`) {
      throw new UnavailableError('the server does not know the password either');
    }
  }
}

// --- a connection -----------------------------------------------------------------------------------

class Connection {
  /** Connect and authenticate; rejects when that takes longer than `settings.connectMs`. */
  static open(settings) {
    const connection = new Connection(settings);
    return connection.exchange(settings.connectMs, 'a connection').then(() => connection);
  }

  constructor({ host, port, user, database, password }) {
    this.password = password;
    this.received = Buffer.alloc(0);
    this.usable = true;
    this.fresh = true; // not used yet, so it cannot have gone stale
    this.socket = net.connect({ host, port, noDelay: true });
    this.socket.once('connect', () => this.socket.write(startup(user, database)));
    this.socket.on('data', (bytes) => this.read(bytes));
    this.socket.on('error', (error) => this.fail(new UnavailableError(error.message)));
    this.socket.on('close', () => this.fail(new UnavailableError('the server closed the connection')));
  }

  /** Run one statement; rows are objects of strings. */
  query(sql, parameters, timeoutMs) {
    const answer = this.exchange(timeoutMs, 'an answer');
    this.socket.write(statement(sql, parameters));
    return answer;
  }

  close() {
    this.usable = false;
    this.socket.end(message('X'));
  }

  // One exchange at a time: it ends with ReadyForQuery, or with the connection.
  exchange(timeoutMs, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.fail(new UnavailableError(`waited ${timeoutMs} ms for ${what}`)), timeoutMs);
      const done = (settle) => (value) => {
        clearTimeout(timer);
        this.current = null;
        settle(value);
      };
      this.current = { rows: [], names: [], error: null, resolve: done(resolve), reject: done(reject) };
    });
  }

  fail(error) {
    this.usable = false;
    this.socket.destroy();
    // The server's last error explains more than the closed connection.
    if (this.current) this.current.reject(this.current.error || error);
  }

  read(bytes) {
    this.received = Buffer.concat([this.received, bytes]);
    while (this.received.length >= 5) {
      const end = 1 + this.received.readInt32BE(1);
      if (this.received.length < end) return;
      const type = String.fromCharCode(this.received[0]);
      const body = this.received.subarray(5, end);
      this.received = this.received.subarray(end);
      this.handle(type, body).catch((error) => this.fail(error));
    }
  }

  async handle(type, body) {
    const { current } = this;
    if (!current) return;
    if (type === 'R') await this.authenticate(body);
    else if (type === 'T') current.names = columnNames(body);
    else if (type === 'D') current.rows.push(row(body, current.names));
    else if (type === 'E') current.error = new DatabaseError(errorFields(body));
    else if (type === 'Z' && current.error) current.reject(current.error);
    else if (type === 'Z') current.resolve(current.rows);
  }

  async authenticate(body) {
    const step = body.readInt32BE(0);
    const rest = body.toString('utf8', 4);
    if (step === 0) return;
    if (step === 10 && rest.split('\0').includes('SCRAM-SHA-256')) {
      this.scram = new Scram(this.password);
      this.socket.write(this.scram.opening());
    } else if (step === 11) {
      this.socket.write(await this.scram.proof(rest));
    } else if (step === 12) {
      this.scram.verify(rest);
    } else {
      throw new UnavailableError(`the server wants authentication method ${step}; only SCRAM-SHA-256 is known`);
    }
  }
}

// --- a pool -----------------------------------------------------------------------------------------

class Pool {
  /**
   * @param settings host, port, user, database, password; size (connections at most),
   *   connectMs, queryMs, waitMs (for a free connection).
   */
  constructor(settings) {
    this.settings = settings;
    this.idle = [];
    this.waiting = [];
    this.open = 0;
  }

  /**
   * Run a statement that only reads. If an idle connection turns out to be dead (the database
   * has restarted, perhaps elsewhere), all idle connections are closed, and the statement is
   * retried once on a new one.
   */
  async read(sql, parameters = []) {
    const connection = await this.acquire();
    try {
      return await this.run(connection, sql, parameters);
    } catch (error) {
      if (connection.fresh || !isUnavailable(error)) throw error;
      this.dropIdle();
      return await this.write(sql, parameters);
    }
  }

  /** Run a statement once: if the connection is lost, it may or may not have been carried out. */
  async write(sql, parameters = []) {
    return this.run(await this.acquire(), sql, parameters);
  }

  async run(connection, sql, parameters) {
    try {
      return await connection.query(sql, parameters, this.settings.queryMs);
    } finally {
      this.release(connection);
    }
  }

  close() {
    this.closed = true;
    this.dropIdle();
  }

  dropIdle() {
    for (const connection of this.idle.splice(0)) {
      this.open -= 1;
      connection.close();
    }
  }

  async acquire() {
    while (this.idle.length > 0) {
      const connection = this.idle.pop();
      if (connection.usable) return connection;
      this.open -= 1;
    }
    if (this.open >= this.settings.size) return this.wait();
    this.open += 1;
    try {
      return await Connection.open(this.settings);
    } catch (error) {
      this.freed();
      throw error;
    }
  }

  wait() {
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      waiter.timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1);
        reject(new UnavailableError('all database connections are busy'));
      }, this.settings.waitMs);
      this.waiting.push(waiter);
    });
  }

  release(connection) {
    if (!connection.usable || this.closed) {
      connection.close();
      this.freed();
      return;
    }
    const waiter = this.waiting.shift();
    connection.fresh = false;
    if (!waiter) {
      this.idle.push(connection);
      return;
    }
    clearTimeout(waiter.timer);
    waiter.resolve(connection);
  }

  // The pool has room: the next waiting statement may open a new connection.
  freed() {
    this.open -= 1;
    const waiter = this.waiting.shift();
    if (!waiter) return;
    clearTimeout(waiter.timer);
    this.acquire().then(waiter.resolve, waiter.reject);
  }
}

module.exports = { DatabaseError, Pool, UnavailableError, isUnavailable };
