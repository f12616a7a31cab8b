/** The authority's files on this machine: made, exchanged and removed so that a crash at any moment leaves a coordinator that starts. */
export { AuthorityKeeper, type AuthorityKeeperOption } from './keeper.ts';
