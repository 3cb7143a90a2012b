/** What the litmus page posts to the test that opened it. */

export interface PageTest {
  /** One of the names of page-files.ts. */
  readonly file: string;
  /** The names of its describes and its own. */
  readonly name: string;
  readonly state: 'pass' | 'fail' | 'skip';
  readonly errors: readonly string[];
}

export interface PageReport {
  readonly userAgent: string;
  readonly crossOriginIsolated: boolean;
  readonly tests: readonly PageTest[];
  /** What kept the page from running its tests, or went wrong beside them. */
  readonly failure?: string;
}
