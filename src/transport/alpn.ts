/** The name of the link in TLS; a version of the wire that can't shake hands with this one gets another. */
export const alpnProtocol = 'flotilla/1';
