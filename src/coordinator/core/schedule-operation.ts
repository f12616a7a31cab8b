import type { ScheduleDocument } from '../schedule/schedule-document.ts';
import type { Turn } from './turn.ts';

export function putSchedule(turn: Turn, document: ScheduleDocument): void {
  turn.set(turn.state.schedules, document.name, document);
  turn.write({ kind: 'schedule', schedule: { name: document.name, document } });
}

export function removeSchedule(turn: Turn, name: string): void {
  turn.delete(turn.state.schedules, name);
  turn.write({ kind: 'schedule-removed', name });
}
