/** Eight expressions of rising difficulty. `scan`: no index knows the answer, every distinct value has to be tried. */
export const expressions = [
  { name: 'glob', text: 'web-*', by: 'index' },
  { name: 'grain', text: 'G@os:debian', by: 'index' },
  { name: 'keyWildcard', text: 'G@fw:*:stable', by: 'index' },
  { name: 'comparison', text: 'G@fw:version:>=2.1.0 <3', by: 'index' },
  { name: 'address', text: 'S@10.17.0.0/16', by: 'scan' },
  { name: 'regex', text: 'E@(web|db)-[0-9]+[13579]\\.(fra|zrh)$', by: 'scan' },
  {
    name: 'compound',
    text: 'G@os:Debian and web-* and not L@web-0000000.fra,web-0000005.zrh and ( S@10.16.0.0/16 or P@site:^(fra|zrh)$ )',
    by: 'index',
  },
  { name: 'negation', text: 'not G@site:fra not I@ring:canary', by: 'index' },
] as const;

/** Time that a backtracking engine doubles with each character. */
export const catastrophic = [
  'E@([a-z]+-?)*[0-9]*\\.?([a-z]+)*x$',
  'E@(.*.*)*(.*.*)*=$',
  'P@serial:((sn-|[0-9a-z])+)+!$',
  'P@city:(([a-z]*)*)*=',
  `E@${'(.?)'.repeat(200)}${'.'.repeat(200)}$`,
] as const;
