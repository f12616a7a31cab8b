/**
 * A few lines at the bottom of a terminal that are painted again and again, with finished lines scrolling above them.
 * On anything that is no terminal only the finished lines appear.
 */
export class LiveBlock {
  readonly #screen: NodeJS.WriteStream;
  readonly #live: boolean;
  #lines = 0;
  #last = '';

  constructor(screen: NodeJS.WriteStream = process.stderr) {
    this.#screen = screen;
    this.#live = screen.isTTY && process.env['TERM'] !== 'dumb';
  }

  get live(): boolean {
    return this.#live;
  }

  /** Replaces the block. Lines are cut to the terminal, so that one line never wraps to two. */
  paint(lines: string[]): void {
    if (!this.#live) return;
    const room = Math.max(1, (this.#screen.rows ?? 24) - 2);
    const width = (this.#screen.columns ?? 80) - 1;
    const shown = lines.slice(0, room).map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line));
    const text = shown.map((line) => `${line}\n`).join('');
    if (text === this.#last) return;
    this.#screen.write(`${this.#eraser()}${text}`);
    this.#lines = shown.length;
    this.#last = text;
  }

  /** Takes the block away while `write` prints something that stays. */
  above(write: () => void): void {
    const lines = this.#last;
    this.clear();
    write();
    if (lines !== '') this.paint(lines.trimEnd().split('\n'));
  }

  clear(): void {
    if (this.#lines > 0) this.#screen.write(this.#eraser());
    this.#lines = 0;
    this.#last = '';
  }

  #eraser(): string {
    return this.#lines > 0 ? `\u001b[${this.#lines}A\u001b[0J` : '';
  }
}
