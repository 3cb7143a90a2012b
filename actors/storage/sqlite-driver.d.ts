/**
 * better-sqlite3-multiple-ciphers is better-sqlite3 built over another SQLite. It ships its types but
 * its `exports` hide them from the compiler, so the types of the original are lent to it here.
 */
declare module 'better-sqlite3-multiple-ciphers' {
  import Database from 'better-sqlite3';
  export = Database;
}
