/**
 * The storage actor: the only one that touches an index. It writes at most one run at a time and
 * searches what is published, on one thread, so that SQLite blocks nobody else.
 *
 * It parks between messages: all its calls are synchronous, and a parked thread wakes soonest.
 */
import { SpillwayError, defineActor } from '../../kernel/index.ts';
import { storageProtocol, type StorageSpec } from './messages.ts';
import { sqliteIndex } from './sqlite-index.ts';
import type { IndexReader, IndexStatus, IndexWriter } from './vector-index.ts';

export interface StorageArgs {
  /** The folder of the index. */
  readonly dir: string;
  /** What the owner of the index was started by, for whoever it keeps out. */
  readonly command?: string;
}

export const storage = defineActor<StorageSpec, StorageArgs>({
  protocol: storageProtocol,
  waiting: 'park',
  counters: ['storedChunks', 'commits'],
  start(context, { dir, command }) {
    let writer: IndexWriter | undefined;
    let reader: IndexReader | undefined;
    const writing = (): IndexWriter => {
      if (writer === undefined) throw new SpillwayError('run_not_begun', 'No run is open on this index; send begin first.');
      return writer;
    };
    const reading = (): IndexReader => (reader ??= sqliteIndex.openReader(dir));
    return {
      handlers: {
        begin({ runId, root, model, settings, rebuild }) {
          writer ??= sqliteIndex.openWriter(dir, {
            root,
            model,
            settings: settings as Record<string, unknown>,
            rebuild,
            ...(command === undefined ? {} : { command }),
          });
          return writer.begin({ runId });
        },
        compare: ({ files }) => ({ comparisons: writing().compare(files) }),
        touch({ paths }) {
          writing().touch(paths);
          return {};
        },
        drop: ({ paths }) => ({ dropped: writing().drop(paths) }),
        put({ segments }) {
          const put = writing().put(segments);
          context.counters.add('storedChunks', put.storedChunks);
          context.counters.add('commits');
          return put;
        },
        removeUnseen: ({ prefixes }) => ({ removed: writing().removeUnseen(prefixes.length === 0 ? undefined : prefixes) }),
        publish: () => writing().publish(),
        search: ({ vector, limit }) => ({ hits: reading().search(vector, limit) }),
        status: (): { status: IndexStatus } => ({ status: (writer ?? reading()).status() }),
      },
      stop() {
        reader?.close();
        writer?.close();
      },
    };
  },
});
