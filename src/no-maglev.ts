/**
 * Imported first by every program of ours that stays: Node 24.15 and later crash now and then in the concurrent part of
 * V8's Maglev compiler when the machine is short of cores (nodejs/node#64841). TurboFan, the compiler after it, does what
 * is hot just as well: the codec's benchmark shows no difference.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-maglev');
