/**
 * What the litmus page uses of a browser, typed by hand. The compiler's own DOM library would declare
 * all of a browser for every file of the repo, in which a stray `name` or `event` would then pass.
 */

export interface BrowserWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'error', listener: (event: { readonly message: string }) => void): void;
}

interface BrowserGlobals {
  readonly crossOriginIsolated: boolean;
  readonly navigator: {
    readonly userAgent: string;
    /** Holds the lock until the promise of `holder` settles, or until the thread has ended. */
    readonly locks: { request<T>(name: string, holder: () => T | Promise<T>): Promise<T> };
  };
  readonly Worker: new (url: string, options: { readonly type: 'module' }) => BrowserWorker;
  /** In a worker: to the window that made it. */
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void, options: { readonly once: true }): void;
}

export const browser = globalThis as unknown as BrowserGlobals;
