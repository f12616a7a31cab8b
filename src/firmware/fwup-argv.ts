/** Command lines of the real fwup. Pure; every value is an argument of its own, so no shell and no quoting. */

export interface FwupBuild {
  configPath: string;
  outputPath: string;
  privateKeyPath?: string;
  compressionLevel?: number;
}

export function fwupBuildArgv({ configPath, outputPath, privateKeyPath, compressionLevel }: FwupBuild): string[] {
  return [
    '-c',
    '-f',
    configPath,
    '-o',
    outputPath,
    ...(privateKeyPath === undefined ? [] : ['-s', privateKeyPath]),
    ...(compressionLevel === undefined ? [] : [`-${compressionLevel}`]),
  ];
}

export function fwupSignArgv(inputPath: string, outputPath: string, privateKeyPath: string): string[] {
  return ['-S', '-i', inputPath, '-o', outputPath, '-s', privateKeyPath];
}

export function fwupVerifyArgv(path: string, publicKeys: readonly Buffer[]): string[] {
  return ['-V', '-i', path, ...keyArguments(publicKeys)];
}

export function fwupMetadataArgv(path: string): string[] {
  return ['-m', '-i', path];
}

export interface FwupApply {
  path: string;
  destinationPath: string;
  task: string;
  publicKeys: readonly Buffer[];
  destinationSizeBytes?: number;
  unsafe?: boolean;
}

/** Progress as numbers, one a line; nothing is unmounted or ejected. */
export function fwupApplyArgv(option: FwupApply): string[] {
  const { path, destinationPath, task, publicKeys, destinationSizeBytes, unsafe = false } = option;
  return [
    '-a',
    '-n',
    '-U',
    '--no-eject',
    ...(unsafe ? ['--unsafe'] : []),
    '-i',
    path,
    '-d',
    destinationPath,
    '-t',
    task,
    ...keyArguments(publicKeys),
    ...(destinationSizeBytes === undefined ? [] : ['--max-size', String(Math.floor(destinationSizeBytes / 512))]),
  ];
}

function keyArguments(publicKeys: readonly Buffer[]): string[] {
  return publicKeys.flatMap((key) => ['--public-key', key.toString('base64')]);
}
