import type { HandlerNote } from '../handle/handle-events.ts';
import { plural } from '../human.ts';
import { printable } from '../printable.ts';

/** What `event handle` says of its work, one line each. */
export function formatHandlerNote(note: HandlerNote): string {
  switch (note.kind) {
    case 'handled':
      return `offset ${note.offset}: ${plural(note.events, 'event')} handled`;
    case 'failed':
      return `offset ${note.offset}: refused, attempt ${note.attempt}: ${printable(note.error)}`;
    case 'crashed':
      return `offset ${note.offset}: the handler is gone, attempt ${note.attempt}: ${printable(note.error)}`;
    case 'dead-letter':
      return `offset ${note.offset}: dead letter ${note.letter}: ${printable(note.reason)}`;
    case 'noise':
      return `the handler wrote what is no answer: ${printable(note.line)}`;
    case 'away':
      return note.error;
    case 'caught-up':
      return `everything up to offset ${note.offset} is handled`;
  }
}
