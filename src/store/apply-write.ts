import type { AuditChain } from './audit-table.ts';
import { removeChallenge, writeAuthority, writeChallenge } from './authority-table.ts';
import { removeConfigs, writeConfig } from './config-table.ts';
import { removeConsumer, writeConsumer } from './consumer-table.ts';
import { changeDeadLetter, removeDeadLetters, writeDeadLetter } from './dead-letter-table.ts';
import { writeDeviceLog } from './device-log-table.ts';
import { removeDevice, writeCertificate, writeCursor, writeDevice } from './device-table.ts';
import { writeDocument, writeMember, writeRelease } from './document-table.ts';
import {
  removePreregistration,
  removeToken,
  writeBoundGrain,
  writePreregistration,
  writeToken,
} from './enrollment-table.ts';
import { writeEvent, writeEventBlock } from './event-table.ts';
import { removeGroup, writeGroup } from './group-table.ts';
import { removeSchedule, writeSchedule } from './job-table.ts';
import { writeOperator } from './operator-table.ts';
import { redactEvents } from './redaction-table.ts';
import { removeRenewal, writeRenewal } from './renewal-table.ts';
import { removeRolloutSteps, writeRolloutStep } from './rollout-step-table.ts';
import { removeRequest, writeRequest, writeRequestSeq } from './request-table.ts';
import type { StoreWrite } from './packed-write.ts';
import { removeParked, writeParked, writeSchema } from './schema-table.ts';
import type { Statements } from './statement.ts';
import { writeUpdateRecord } from './update-record-table.ts';
import { writeSuspect } from './suspect-table.ts';

/** Carries out one write inside the open transaction. */
export function applyWrite(statements: Statements, chain: AuditChain, write: StoreWrite): void {
  switch (write.kind) {
    case 'meta':
      statements.get('INSERT OR REPLACE INTO meta VALUES (?,?)').run(write.key, write.value);
      return;
    case 'device':
      return writeDevice(statements, write.device);
    case 'device-removed':
      removeConfigs(statements, write.deviceId);
      return removeDevice(statements, write.deviceId, write.instanceId);
    case 'certificate':
      return writeCertificate(statements, write.certificate);
    case 'renewal':
      return writeRenewal(statements, write.renewal);
    case 'renewal-removed':
      return removeRenewal(statements, write.deviceId);
    case 'cursor':
      return writeCursor(statements, write.cursor);
    case 'event':
      return writeEvent(statements, write.event);
    case 'event-block':
      return writeEventBlock(statements, write.block);
    case 'dead-letter':
      return writeDeadLetter(statements, write.letter);
    case 'dead-letter-change':
      return changeDeadLetter(statements, write.change);
    case 'dead-letters-removed':
      return removeDeadLetters(statements, write.ids);
    case 'consumer':
      return writeConsumer(statements, write.consumer);
    case 'consumer-removed':
      return removeConsumer(statements, write.name);
    case 'group':
      return writeGroup(statements, write.group);
    case 'group-removed':
      return removeGroup(statements, write.name);
    case 'suspect':
      return writeSuspect(statements, write.suspect);
    case 'device-log':
      return writeDeviceLog(statements, write.log);
    case 'redact':
      return redactEvents(statements, write.offsets, write.marker);
    case 'request':
      return writeRequest(statements, write.request);
    case 'request-removed':
      return removeRequest(statements, write.request, write.given);
    case 'request-seq':
      return writeRequestSeq(statements, write.deviceId, write.seq);
    case 'job':
      return writeDocument(statements, 'job', write.job);
    case 'job-device':
      return writeMember(statements, 'job', write.member);
    case 'rollout':
      return writeDocument(statements, 'rollout', write.rollout);
    case 'rollout-device':
      return writeMember(statements, 'rollout', write.member);
    case 'rollout-steps-removed':
      return removeRolloutSteps(statements, write.rows);
    case 'rollout-step':
      return writeRolloutStep(statements, write.step);
    case 'release':
      return writeRelease(statements, write.release);
    case 'schema':
      return writeSchema(statements, write.schema);
    case 'parked-schema':
      return writeParked(statements, write.parked);
    case 'parked-schema-removed':
      return removeParked(statements, write.fingerprint);
    case 'config':
      return writeConfig(statements, write.config);
    case 'enrollment-token':
      return writeToken(statements, write.token);
    case 'enrollment-token-removed':
      return removeToken(statements, write.id);
    case 'preregistration':
      return writePreregistration(statements, write.preregistration);
    case 'preregistration-removed':
      return removePreregistration(statements, write.deviceId);
    case 'bound-grain':
      return writeBoundGrain(statements, write.bound);
    case 'audit':
      return chain.append(write.audit);
    case 'authority':
      return writeAuthority(statements, write.authority);
    case 'challenge':
      return writeChallenge(statements, write.challenge);
    case 'challenge-removed':
      return removeChallenge(statements, write.nonce);
    case 'operator':
      return writeOperator(statements, write.operator);
    case 'schedule':
      return writeSchedule(statements, write.schedule);
    case 'update-record':
      return writeUpdateRecord(statements, write.record);
    case 'schedule-removed':
      return removeSchedule(statements, write.name);
  }
}
