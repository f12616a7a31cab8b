import { compatibleFwupVersion } from '../config/compatible-version.ts';

/** The text of --help: every option of fwup in our own words. */
export const usageText = `flotilla-fwup builds, signs, checks and applies .fw bundles as fwup ${compatibleFwupVersion} does.

Usage: flotilla-fwup [OPTION]...
       flotilla-fwup BUNDLE.fw        (apply the task "complete" to the memory card found, or to -d)

What to do (the last one given counts):
  -a, --apply              apply a bundle (-i, or standard input) to a device or an image file (-d)
  -c, --create             build a bundle from a configuration (-f) into -o, or to standard output
  -D, --detect             list memory cards as PATH,BYTES and end
  -g, --gen-keys           make a key pair: fwup-key.pub and fwup-key.priv, or the prefix given with -o
  -l, --list               list the tasks of a bundle
  -m, --metadata           print the metadata of a bundle; --metadata-key KEY prints one value
  -S, --sign               sign a bundle, again if it is signed: -i, -o, -s
  -V, --verify             check a bundle (-i); with -p also who signed it
  -z                       print the memory card that would be chosen and end
  --sparse-check PATH      whether files there can have holes; --sparse-check-size BYTES
  -h, --help  --version

Input, output and keys:
  -d FILE                  the device or image file to write to
  -f FILE                  the configuration (fwupdate.conf; - for standard input)
  -i FILE                  the bundle to read (- for standard input)
  -o FILE                  what to write (- for standard output)
  -t, --task TASK          the task to apply: the first one whose title starts with it and whose requirements hold
  -p, --public-key-file F  a key that may have signed; up to ten times   --public-key KEY
  -s, --private-key-file F the key to sign with                          --private-key KEY
  -1 to -9                 compression from fast to small (-9)

Applying:
  --max-size BLOCKS        where the destination ends, in blocks of 512 bytes
  --enable-trim            pass trim on to the device
  --minimize-writes        leave alone what is the same already          --no-minimize-writes
  --verify-writes          read back what was written (devices: always)  --no-verify-writes
  -u, --unmount            unmount the device's partitions first (so it is)  -U, --no-unmount
  -E, --eject              eject afterwards                              --no-eject
  --reboot-param-path FILE where reboot_param is written
  --unsafe                 let the bundle run commands and write other files
  -y                       take the memory card found without asking

What is said:
  -F, --framing            frames on standard input and output
  -n                       progress as numbers           --progress-low N  --progress-high N
  -q, --quiet              no progress                   -v, --verbose
  --exit-handshake         send Ctrl+Z and the exit code, wait for standard input to close
`;
