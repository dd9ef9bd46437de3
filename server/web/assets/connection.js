// One WebSocket of the environment: messages go out one at a time, each has one answer.

export class Lost extends Error {}
export class Refused extends Error {}

const SILENCE = 60_000; // milliseconds after which a server that says nothing counts as gone

export class Connection {
  /** @param {() => void} onLost called once, if the connection ends before close() */
  constructor(onLost) {
    this.onLost = onLost;
    this.waiting = null;
    this.open = null;
  }

  connect() {
    this.open ??= new Promise((resolve, reject) => {
      const url = new URL("../ws", document.baseURI);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      url.hash = "";
      this.socket = new WebSocket(url);
      let why = "The server cannot be reached, or it has no room for another visitor. Try again in a moment.";
      this.socket.onopen = () => {
        why = "The connection to the server was lost.";
        resolve();
      };
      this.socket.onmessage = (event) => this.#answered(event.data);
      this.socket.onclose = () => {
        reject(new Lost(why));
        this.#lose(why);
      };
    });
    return this.open;
  }

  /** Send a message and return its answer's data. Throws Refused with the server's words, or Lost. */
  async ask(type, data) {
    await this.connect();
    if (this.socket.readyState !== WebSocket.OPEN) throw new Lost(this.full ?? "The connection to the server was lost.");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => (this.socket.close(), this.#lose("The server does not answer.")), SILENCE);
      this.waiting = { resolve, reject, timer };
      this.socket.send(JSON.stringify({ type, data }));
    });
  }

  close() {
    this.onLost = () => {};
    this.socket?.close();
  }

  #answered(text) {
    const message = JSON.parse(text);
    if (message.type === "error" && message.data.code === "CAPACITY_REACHED") {
      this.full = "All sessions of this server are taken. Try again in a moment.";
    }
    const waiting = this.#taken();
    if (message.type === "error") waiting?.reject(new Refused(this.full ?? message.data.message));
    else {
      const rows = message.data.observation?.rows;
      if (rows?.length) message.data.observation.shown = asWritten(text) ?? rows;
      waiting?.resolve(message.data);
    }
  }

  #lose(why) {
    this.#taken()?.reject(new Lost(this.full ?? why));
    this.onLost(this.full ?? why);
    this.onLost = () => {};
  }

  #taken() {
    const waiting = this.waiting;
    clearTimeout(waiting?.timer);
    this.waiting = null;
    return waiting;
  }
}

/** A result's rows, numbers as the server wrote them: 4.0 stays 4.0, where the browser can tell (ES2026). */
function asWritten(text) {
  const kept = (_key, value, context) => (typeof value === "number" ? Object.assign(Object(value), context) : value);
  return JSON.parse(text, kept).data.observation.rows;
}
