/**
 * A few lines at the bottom of a terminal that are painted again and again, with finished lines scrolling above them.
 * On anything that is no terminal only the finished lines appear.
 */
export class LiveBlock {
  readonly #screen: NodeJS.WriteStream;
  readonly #live: boolean;
  #last = '';

  constructor(screen: NodeJS.WriteStream = process.stderr, terminal = process.env['TERM']) {
    this.#screen = screen;
    this.#live = screen.isTTY && terminal !== 'dumb';
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
    if (this.#last !== '') this.#screen.write(this.#eraser());
    this.#last = '';
  }

  /** From wherever the cursor is: the terminal shows ^C as well. One that was made narrower has wrapped what stood there. */
  #eraser(): string {
    if (this.#last === '') return '';
    const columns = this.#screen.columns ?? 80;
    const lines = this.#last.trimEnd().split('\n');
    const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0);
    return `\r\u001b[${rows}A\u001b[0J`;
  }
}
