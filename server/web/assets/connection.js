// One WebSocket of the environment: messages go out one at a time, each has one answer.

export class Lost extends Error {}
export class Refused extends Error {}

export class Connection {
  /** @param {(why: string) => void} onLost called once, if the connection ends before close() */
  constructor(onLost) {
    this.onLost = onLost;
    this.waiting = null;
    this.open = null;
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  connect() {
    this.open ??= new Promise((resolve, reject) => {
      const url = new URL("../ws", document.baseURI);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      url.hash = "";
      this.socket = new WebSocket(url);
      this.socket.onopen = resolve;
      this.socket.onmessage = (event) => this.#answered(JSON.parse(event.data));
      this.socket.onclose = () => {
        const never = "The server cannot be reached, or it has no room for another visitor. Try again in a moment.";
        reject(new Lost(never));
        this.#lose();
      };
    });
    return this.open;
  }

  /** Send a message and return its answer's data. Throws Refused with the server's words, or Lost. */
  async ask(type, data) {
    await this.connect();
    if (!this.isOpen) throw new Lost("The connection is closed.");
    if (this.waiting) throw new Refused("Another step is still running.");
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.send(JSON.stringify({ type, data }));
    });
  }

  close() {
    this.onLost = () => {};
    this.socket?.close();
  }

  #answered(message) {
    if (message.type === "error" && message.data.code === "CAPACITY_REACHED") {
      this.full = "All sessions of this server are taken. Try again in a moment.";
    }
    const waiting = this.waiting;
    this.waiting = null;
    if (message.type === "error") waiting?.reject(new Refused(this.full ?? message.data.message));
    else waiting?.resolve(message.data);
  }

  #lose() {
    const why =
      this.full ??
      "The connection to the server was lost, and with it the episode: a session lives as long as its connection. " +
        "What you wrote is still here; start again when you like.";
    this.waiting?.reject(new Lost(why));
    this.waiting = null;
    this.onLost(why);
    this.onLost = () => {};
  }
}
