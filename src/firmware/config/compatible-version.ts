/** The version of fwup whose behaviour and file format this engine follows. */
export const compatibleFwupVersion = '1.16.0';
