import { describe, expect, it } from 'vitest';
import { BulkWindow, defaultBulkWindow } from '../../../src/session/bulk-window.ts';

const { minBytes, startBytes } = defaultBulkWindow;

describe('the window of what is not urgent', () => {
  it('shrinks to one part on a link that has always needed seconds, where no quicker time was ever seen', () => {
    const window = new BulkWindow();
    window.sent(startBytes);
    window.acked(startBytes, 7_000);
    expect(window.limitBytes).toBe(minBytes);
  });

  it('grows by what is acknowledged quickly', () => {
    const window = new BulkWindow();
    window.sent(startBytes);
    window.acked(startBytes, 40);
    expect(window.limitBytes).toBe(2 * startBytes);
  });
});
