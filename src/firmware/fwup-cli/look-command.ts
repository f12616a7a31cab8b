import { FlotillaError } from '../../error.ts';
import { BundleFile } from '../archive/bundle-file.ts';
import { isUnproved, readBundleHead, unprovedText, type BundleHead } from '../archive/bundle-head.ts';
import { ByteReader } from '../archive/byte-reader.ts';
import { verifyLikeFwup } from '../archive/verify.ts';
import { ZipReader } from '../archive/zip-reader.ts';
import { metadataLines } from '../config/serialize.ts';
import { toByteString } from '../config/source-text.ts';
import { inputStream } from './apply-command.ts';
import type { FwupOutput } from './output.ts';
import type { Environment, FwupSetting } from './setting.ts';

/** `-m`: what a bundle says about itself, or one value of it. */
export async function metadataCommand(
  setting: FwupSetting,
  output: FwupOutput,
  environment: Environment,
): Promise<void> {
  const { metaConf } = await readHead(setting, output, environment);
  const { metadataKey } = setting;
  if (metadataKey === undefined) output.result(metadataLines(metaConf.root));
  else output.result(`${metaConf.root.text(toByteString(metadataKey)) ?? '(null)'}\n`);
}

/** `-l`: the tasks, sorted by their bytes. */
export async function listCommand(setting: FwupSetting, output: FwupOutput, environment: Environment): Promise<void> {
  const { metaConf } = await readHead(setting, output, environment);
  const titles = metaConf.root.all('task').map(({ title }) => `${title}\n`);
  output.result(titles.sort().join(''));
}

/** `-V`: whether a bundle is whole, and whether one of the keys signed it. */
export async function verifyCommand(setting: FwupSetting, output: FwupOutput): Promise<void> {
  const { input, publicKeys } = setting;
  if (input === undefined) {
    throw new FlotillaError('usage', 'firmware-command-line', 'Specify an input firmware file');
  }
  const head = await verifyLikeFwup({ path: input, publicKeys });
  if (setting.verbose && isUnproved(head, publicKeys)) output.info(unprovedText);
  const { signature } = head;
  const unverified = 'an unverified signature. Specify a public key to authenticate.';
  const how = publicKeys.length > 0 ? 'a good signature' : unverified;
  output.result(signature ? `Valid archive with ${how}\n` : 'Valid archive without a signature\n');
}

/** Only the beginning of the bundle is read. */
async function readHead(
  { input, publicKeys, verbose }: FwupSetting,
  output: FwupOutput,
  variables: Environment,
): Promise<BundleHead> {
  const reader = new ByteReader(input === undefined ? inputStream(output) : new BundleFile(input));
  try {
    const head = await readBundleHead(new ZipReader(reader), { publicKeys, variables, asFwup: true });
    if (verbose && isUnproved(head, publicKeys)) output.info(unprovedText);
    return head;
  } finally {
    await reader.close();
  }
}
